# The core: everything but main, the lifecycle and the hypervisors. Tests link it with a double of
# the lifecycle (tests/unit/lifecycle_double.c).
libs += qubesd-core
qubesd-core.src := qubesd/admin.c qubesd/admin_decode.c qubesd/admin_domain.c qubesd/admin_error.c \
	qubesd/admin_feature.c qubesd/admin_label.c qubesd/admin_pool.c qubesd/admin_power.c \
	qubesd/admin_property.c qubesd/admin_server.c qubesd/derived.c qubesd/domain.c \
	qubesd/domain_files.c qubesd/event.c qubesd/event_stream.c qubesd/grammar.c qubesd/kernels.c \
	qubesd/label.c qubesd/network.c qubesd/notes.c qubesd/permission.c qubesd/policy_client.c \
	qubesd/pool.c qubesd/property.c qubesd/property_decode.c qubesd/property_domain.c \
	qubesd/property_global.c qubesd/qubes_app.c qubesd/store.c qubesd/store_decode.c \
	qubesd/store_encode.c qubesd/system_info.c
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

tests += test_store
test_store.src := tests/unit/test_store.c tests/unit/lifecycle_double.c
test_store.libs := qubesd-core shared
test_store.pkgs := cmocka

tests += test_property test_events
test_property.src := tests/unit/test_property.c $(admin-tests-src)
test_property.libs := qubesd-core shared
test_property.pkgs := cmocka
test_events.src := tests/unit/test_events.c $(admin-tests-src)
test_events.libs := qubesd-core shared
test_events.pkgs := cmocka

# The fuzzers compile what they need by name: the reader, the table of properties, and no daemon.
fuzz-core-src := qubesd/admin_decode.c qubesd/admin_error.c qubesd/domain.c qubesd/domain_files.c \
	qubesd/event.c qubesd/grammar.c qubesd/kernels.c qubesd/label.c qubesd/network.c qubesd/pool.c \
	qubesd/property.c qubesd/property_decode.c qubesd/property_domain.c qubesd/property_global.c \
	qubesd/qubes_app.c qubesd/store_decode.c qubesd/store_encode.c tests/unit/lifecycle_double.c
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
