gui_agent_x_pkgs := x11 x11-xcb xcb xcb-shm xcb-xfixes xext xcomposite xdamage xfixes xrandr xtst

guest += qubes-gui
qubes-gui.src := $(addprefix gui-agent/,agent.c buffer.c child.c clipboard.c describe.c dispatch.c \
	display.c ewmh.c focus.c gui_domain.c inject.c keys.c layout.c link.c main.c props.c region_alloc.c screen.c \
	session.c status.c surface_export.c window.c wm_protocols.c xserver.c xwatch.c)
qubes-gui.libs := vchan gui_protocol shared
qubes-gui.pkgs := glib-2.0 $(gui_agent_x_pkgs)

tests += test_region_alloc test_describe test_keys test_layout
test_region_alloc.src := tests/unit/test_region_alloc.c gui-agent/region_alloc.c
test_region_alloc.pkgs := cmocka glib-2.0
test_describe.src := tests/unit/test_describe.c gui-agent/describe.c
test_describe.pkgs := cmocka glib-2.0 x11
test_keys.src := tests/unit/test_keys.c gui-agent/keys.c
test_keys.pkgs := cmocka
test_layout.src := tests/unit/test_layout.c gui-agent/layout.c
test_layout.pkgs := cmocka glib-2.0

testtools += fake_daemon x_client
fake_daemon.src := tests/integration/fake_daemon.c
fake_daemon.libs := vchan gui_protocol shared
fake_daemon.pkgs := glib-2.0
x_client.src := tests/integration/x_client.c
x_client.pkgs := glib-2.0 x11

integration += gui_agent_session gui_agent_trace
