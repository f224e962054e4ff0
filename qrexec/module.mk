# What speaks the protocol: decoder, then what programs on both sides are made of.
libs += qrexec_protocol qrexec
qrexec_protocol.src := shared/qrexec_decode.c shared/qrexec_text_decode.c
qrexec_protocol.pkgs := glib-2.0
qrexec.src := $(addprefix qrexec/,acceptor.c call.c channel.c client_end.c daemon_link.c dial.c environment.c execution.c \
	local_fd.c local_socket.c ports.c process.c process_user.c relay.c service_config.c service_lookup.c session_wait.c \
	signals.c stderr_log.c)
qrexec.pkgs := glib-2.0

qrexec_all := qrexec qrexec_protocol vchan shared

programs += qrexec-client
qrexec-client.src := qrexec/client.c qrexec/client_local.c
qrexec-client.libs := $(qrexec_all)

guest += qrexec-agent qrexec-client-vm qrexec-fork-server
qrexec-agent.src := qrexec/agent.c qrexec/agent_call.c qrexec/agent_requests.c
qrexec-agent.libs := $(qrexec_all)
qrexec-client-vm.src := qrexec/client_vm.c
qrexec-client-vm.libs := $(qrexec_all)
qrexec-fork-server.src := qrexec/fork_server.c
qrexec-fork-server.libs := $(qrexec_all)

programs += qrexec-daemon qrexec-disposable
qrexec-daemon.src := $(addprefix qrexec/,background.c daemon.c daemon_clients.c disposable.c policy_query.c trigger.c)
qrexec-daemon.libs := $(qrexec_all)
qrexec-disposable.src := qrexec/disposable_main.c
qrexec-disposable.libs := $(qrexec_all)

tests += test_qrexec_channel test_qrexec_decode test_qrexec_relay test_qrexec_service
test_qrexec_channel.src := tests/unit/test_qrexec_channel.c
test_qrexec_channel.libs := $(qrexec_all)
test_qrexec_channel.pkgs := cmocka
test_qrexec_decode.src := tests/unit/test_qrexec_decode.c
test_qrexec_decode.libs := qrexec_protocol
test_qrexec_decode.pkgs := cmocka
test_qrexec_relay.src := tests/unit/test_qrexec_relay.c
test_qrexec_relay.libs := $(qrexec_all)
test_qrexec_relay.pkgs := cmocka
test_qrexec_service.src := tests/unit/test_qrexec_service.c
test_qrexec_service.libs := $(qrexec_all)
test_qrexec_service.pkgs := cmocka

fuzzers += fuzz_qrexec
fuzz_qrexec.src := tests/fuzz/fuzz_qrexec.c
fuzz_qrexec.libs := qrexec_protocol

testtools += qrexec_talk qrexec_fake_policy
qrexec_talk.src := tests/integration/qrexec_talk.c
qrexec_talk.pkgs := glib-2.0
qrexec_fake_policy.src := tests/integration/qrexec_fake_policy.c
qrexec_fake_policy.libs := shared
qrexec_fake_policy.pkgs := glib-2.0
integration += qrexec_flows qrexec_protocol qrexec_targets

testtools += bench_qrexec
bench_qrexec.src := tests/bench/bench_qrexec.c
bench_qrexec.pkgs := glib-2.0
