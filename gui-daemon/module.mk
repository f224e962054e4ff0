libs += gui_protocol
gui_protocol.src := shared/gui_decode.c
gui_protocol.pkgs := glib-2.0

libs += guid
guid.src := $(addprefix gui-daemon/, config.c damage.c dispatch.c display.c frame.c guest.c input.c \
	instance.c locker.c look.c outbox.c painter.c pixels.c placement.c properties.c state.c \
	surface.c window.c xevents.c)
guid.pkgs := glib-2.0 libconfig xcb xcb-shm xcb-xkb

programs += qubes-guid
qubes-guid.src := gui-daemon/main.c
qubes-guid.libs := guid gui_protocol vchan shared

testtools += fake_gui_agent
fake_gui_agent.src := tests/integration/fake_gui_agent.c
fake_gui_agent.libs := gui_protocol vchan shared

testtools += frame_oracle
frame_oracle.src := tests/integration/frame_oracle.c tests/integration/x_stepper.c
frame_oracle.pkgs := glib-2.0 x11 xdamage
integration += gui_frames

tests += test_gui_decode test_guid_config test_guid_geometry test_guid_input test_guid_properties
test_gui_decode.src := tests/unit/test_gui_decode.c
test_gui_decode.libs := gui_protocol
test_gui_decode.pkgs := cmocka
test_guid_config.src := tests/unit/test_guid_config.c
test_guid_config.libs := guid gui_protocol vchan shared
test_guid_config.pkgs := cmocka
test_guid_geometry.src := tests/unit/test_guid_geometry.c
test_guid_geometry.libs := guid gui_protocol vchan shared
test_guid_geometry.pkgs := cmocka
test_guid_input.src := tests/unit/test_guid_input.c
test_guid_input.libs := guid gui_protocol vchan shared
test_guid_input.pkgs := cmocka
test_guid_properties.src := tests/unit/test_guid_properties.c
test_guid_properties.libs := guid gui_protocol vchan shared
test_guid_properties.pkgs := cmocka

fuzzers += fuzz_gui
fuzz_gui.src := tests/fuzz/fuzz_gui.c
fuzz_gui.libs := gui_protocol
integration += gui_input
integration += gui_hostile
integration += gui_windows gui_focus

testtools += bench_gui
bench_gui.src := tests/bench/bench_gui.c
bench_gui.libs := gui_protocol vchan shared
bench_gui.pkgs := x11 xext xtst
$(BUILD)/tests/bench_gui: | $(BUILD)/bin/qubes-guid
integration += gui_session
testtools += x_locker
x_locker.src := tests/integration/x_locker.c
x_locker.pkgs := x11
