testtools += sockcat windows_of
windows_of.src := tests/integration/windows_of.c
windows_of.pkgs := xcb
sockcat.src := tests/integration/sockcat.c

integration += bad_input first_light make_run

testtools += hostile
hostile.src := tests/integration/hostile.c
# The attacker's own program is not what is examined, and its limits are to be the qube's.
hostile.cflags := -fno-sanitize=all
integration += hostile_qube

# What runs inside the machine of make check-xen.
testtools += xen_vchan xen_scribbler x_count
x_count.src := tests/integration/x_count.c
x_count.pkgs := x11
xen_vchan.src := tests/integration/xen_vchan.c
xen_vchan.libs := vchan shared
xen_scribbler.src := tests/integration/xen_scribbler.c
xen_scribbler.pkgs := xenvchan xenevtchn xenstore

integration_qemu += qemu_waiting qemu_light qemu_saved qemu_gui_domain qemu_ends
