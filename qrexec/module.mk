libs += qrexec_protocol
qrexec_protocol.src := shared/qrexec_decode.c
qrexec_protocol.pkgs := glib-2.0
