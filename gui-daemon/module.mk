libs += gui_protocol
gui_protocol.src := shared/gui_decode.c
gui_protocol.pkgs := glib-2.0
