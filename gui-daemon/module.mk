libs += gui_protocol
gui_protocol.src := shared/gui_decode.c
gui_protocol.pkgs := glib-2.0

programs += qubes-guid
qubes-guid.src := $(addprefix gui-daemon/, config.c damage.c dispatch.c display.c frame.c guest.c \
	input.c instance.c locker.c look.c main.c outbox.c painter.c pixels.c placement.c \
	properties.c state.c surface.c window.c xevents.c)
qubes-guid.libs := gui_protocol vchan shared
qubes-guid.pkgs := glib-2.0 libconfig xcb xcb-shm xcb-xkb

testtools += fake_gui_agent
fake_gui_agent.src := tests/integration/fake_gui_agent.c
fake_gui_agent.libs := gui_protocol vchan shared

testtools += frame_oracle
frame_oracle.src := tests/integration/frame_oracle.c
frame_oracle.pkgs := glib-2.0 x11 xdamage
integration += gui_frames

tests += test_gui_decode
test_gui_decode.src := tests/unit/test_gui_decode.c
test_gui_decode.libs := gui_protocol
test_gui_decode.pkgs := cmocka

fuzzers += fuzz_gui
fuzz_gui.src := tests/fuzz/fuzz_gui.c
fuzz_gui.libs := gui_protocol
integration += gui_input
