libs += vchan
vchan.src := shared/region.c $(addprefix shared/vchan/,broker_control.c broker_exchange.c retry.c ring.c \
	spec.c stream.c vchan.c vchan_broker.c vchan_socket.c vchan_source.c xen_module.c)
vchan.pkgs := glib-2.0 gmodule-2.0

broker_src := $(addprefix shared/vchan/,broker.c broker_client.c broker_decode.c broker_guest.c broker_machine.c \
	broker_main.c broker_region.c broker_service.c broker_socket.c mux.c mux_buffer.c mux_channel.c mux_decode.c mux_port.c)
programs += vchan-broker
vchan-broker.src := $(broker_src)
vchan-broker.libs := vchan shared
vchan-broker.pkgs := glib-2.0
# It runs in virtual machines, too.
guest_files += $(BUILD)/bin/vchan-broker=bin/vchan-broker

modules += vchan-xen
vchan-xen.src := shared/region_xen.c shared/vchan/ring.c shared/vchan/vchan_xen.c
vchan-xen.pkgs := glib-2.0 xengnttab xenstore xenvchan
# A qube has it where its programs look: ../lib beside them.
guest_files += $(BUILD)/lib/vchan-xen.so=lib/vchan-xen.so

tests += test_vchan test_broker test_broker_hostile test_broker_machine test_broker_port test_broker_decode test_mux_decode test_region
test_vchan.src := tests/unit/test_vchan.c
test_vchan.libs := vchan shared
test_vchan.pkgs := cmocka
test_broker.src := tests/unit/test_broker.c tests/unit/broker_fixture.c
test_broker.libs := vchan shared
test_broker.pkgs := cmocka
test_broker_hostile.src := tests/unit/test_broker_hostile.c tests/unit/broker_fixture.c
test_broker_hostile.libs := vchan shared
test_broker_hostile.pkgs := cmocka
test_broker_machine.src := $(addprefix tests/unit/,test_broker_machine.c broker_fixture.c machine_fixture.c)
test_broker_machine.libs := vchan shared
test_broker_machine.pkgs := cmocka
test_broker_port.src := tests/unit/test_broker_port.c tests/unit/broker_fixture.c shared/vchan/mux_decode.c
test_broker_port.libs := vchan shared
test_broker_port.pkgs := cmocka
test_broker_decode.src := tests/unit/test_broker_decode.c shared/vchan/broker_decode.c
test_broker_decode.pkgs := cmocka glib-2.0
test_mux_decode.src := tests/unit/test_mux_decode.c shared/vchan/mux_decode.c
test_mux_decode.pkgs := cmocka glib-2.0
test_region.src := tests/unit/test_region.c
test_region.libs := vchan shared
test_region.pkgs := cmocka
# These start the broker that was built with them.
$(addprefix $(BUILD)/tests/,test_broker test_broker_hostile test_broker_machine test_broker_port bench_vchan): | $(BUILD)/bin/vchan-broker

testtools += bench_vchan
bench_vchan.src := tests/bench/bench_vchan.c
bench_vchan.libs := vchan shared

fuzzers += fuzz_broker
fuzz_broker.src := tests/fuzz/fuzz_broker.c shared/vchan/broker_decode.c

fuzzers += fuzz_region
fuzz_region.src := tests/fuzz/fuzz_region.c
fuzz_region.libs := vchan shared

fuzzers += fuzz_mux
fuzz_mux.src := tests/fuzz/fuzz_mux.c shared/vchan/mux_decode.c

tests += test_region_xen
test_region_xen.src := tests/unit/test_region_xen.c shared/region_xen.c
test_region_xen.pkgs := cmocka glib-2.0
