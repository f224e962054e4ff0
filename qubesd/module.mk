# The core: everything but main, the lifecycle and the hypervisors. Tests link it with a double of
# the lifecycle (tests/unit/lifecycle_double.c).
libs += qubesd-core
qubesd-core.src := $(addprefix qubesd/, \
	admin.c admin_decode.c admin_domain.c admin_error.c admin_feature.c admin_label.c \
	admin_pool.c admin_power.c admin_property.c admin_server.c admin_volume.c boot.c derived.c domain.c \
	domain_files.c domain_marks.c event.c event_stream.c grammar.c journal.c kernels.c \
	label.c network.c notes.c permission.c policy_client.c pool.c pool_decode.c property.c \
	property_checks.c property_decode.c property_defaults.c property_domain.c property_global.c \
	qubes_app.c qubes_app_create.c run_logs.c sandbox/tree.c store.c store_decode.c store_encode.c store_file.c system_info.c xml_read.c)
qubesd-core.pkgs := glib-2.0 gio-2.0 libxml-2.0

programs += qubesd qubesd-query
qubesd.src := qubesd/main.c
qubesd.libs := qubesd-core hypervisor sandbox vchan shared
qubesd-query.src := qubesd/query.c
qubesd-query.libs := shared

admin-tests-src := tests/unit/admin_fixture.c tests/unit/lifecycle_double.c
tests += test_admin_decode test_admin
test_admin_decode.src := tests/unit/test_admin_decode.c qubesd/admin_decode.c qubesd/admin_error.c \
	qubesd/grammar.c
test_admin_decode.libs := shared
test_admin_decode.pkgs := cmocka glib-2.0
test_admin.src := tests/unit/test_admin.c $(admin-tests-src)
test_admin.libs := qubesd-core shared
test_admin.pkgs := cmocka
test_admin.ldlibs := -Wl,--wrap=statvfs

tests += test_store
test_store.src := tests/unit/test_store.c tests/unit/lifecycle_double.c
test_store.libs := qubesd-core shared
test_store.pkgs := cmocka

tests += test_boot
test_boot.src := tests/unit/test_boot.c $(admin-tests-src)
test_boot.libs := qubesd-core shared
test_boot.pkgs := cmocka

tests += test_property test_events test_run_logs
test_property.src := tests/unit/test_property.c $(admin-tests-src)
test_property.libs := qubesd-core shared
test_property.pkgs := cmocka
test_events.src := tests/unit/test_events.c $(admin-tests-src)
test_events.libs := qubesd-core shared
test_events.pkgs := cmocka
test_run_logs.src := tests/unit/test_run_logs.c $(admin-tests-src)
test_run_logs.libs := qubesd-core shared
test_run_logs.pkgs := cmocka

# The fuzzers compile what they need by name: the reader, the table of properties, and no daemon.
fuzz-core-src := $(addprefix qubesd/, \
	admin_decode.c admin_error.c domain.c domain_files.c domain_marks.c event.c grammar.c \
	journal.c kernels.c label.c network.c pool.c property.c property_decode.c \
	property_checks.c property_defaults.c property_domain.c property_global.c qubes_app.c \
	qubes_app_create.c sandbox/tree.c store_decode.c \
	store_encode.c xml_read.c) \
	tests/unit/lifecycle_double.c
fuzzers += fuzz_admin_request fuzz_store
fuzz_admin_request.src := tests/fuzz/fuzz_admin_request.c $(fuzz-core-src)
fuzz_admin_request.libs := shared
fuzz_admin_request.pkgs := libxml-2.0
fuzz_store.src := tests/fuzz/fuzz_store.c $(fuzz-core-src)
fuzz_store.libs := shared
fuzz_store.pkgs := libxml-2.0

testtools += kill_loop
kill_loop.src := tests/integration/kill_loop.c
kill_loop.libs := shared
integration += qubesd_daemon qubesd_kill_loop

testtools += admin_corpus
admin_corpus.src := tests/corpus/admin_corpus.c $(admin-tests-src)
admin_corpus.libs := qubesd-core shared
admin_corpus.pkgs := jansson

tests += test_admin_server
test_admin_server.src := tests/unit/test_admin_server.c $(admin-tests-src)
test_admin_server.libs := qubesd-core shared
test_admin_server.pkgs := cmocka

testtools += bench_admin
bench_admin.src := tests/bench/bench_admin.c
bench_admin.libs := shared
