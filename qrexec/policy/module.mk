# The language: pure but for reading files.
libs += policy
policy.src := $(addprefix qrexec/policy/,choices.c decision.c eval.c include.c index.c match.c parse.c \
	policy_file.c route.c subject.c system_info.c token.c)
policy.pkgs := glib-2.0 jansson

# What the daemon and the fallback program share.
libs += policy-decider
policy-decider.src := $(addprefix qrexec/policy/,cache.c call_decode.c decider.c gui_call.c \
	gui_message.c notice_limit.c system_source.c watch.c)
policy-decider.pkgs := glib-2.0 jansson

programs += qrexec-policy-daemon qrexec-policy-exec qubes-policy qubes-policy-lint
aliases += qrexec-policy=qrexec-policy-exec
qrexec-policy-daemon.src := qrexec/policy/daemon_main.c qrexec/policy/server.c
qrexec-policy-daemon.libs := policy-decider policy shared
qrexec-policy-exec.src := qrexec/policy/exec_main.c
qrexec-policy-exec.libs := policy-decider policy shared
qubes-policy.src := qrexec/policy/tool_main.c qrexec/policy/batch.c
qubes-policy.libs := policy shared
qubes-policy-lint.src := qrexec/policy/lint_main.c
qubes-policy-lint.libs := policy shared

testtools += policy_compare
policy_compare.src := tests/corpus/policy_compare.c
policy_compare.pkgs := glib-2.0 jansson

testtools += policy_fake_qubesd policy_fake_agent
policy_fake_qubesd.src := tests/integration/policy_fake_qubesd.c
policy_fake_qubesd.libs := shared
policy_fake_qubesd.pkgs := glib-2.0
policy_fake_agent.src := tests/integration/policy_fake_agent.c
policy_fake_agent.libs := shared
policy_fake_agent.pkgs := glib-2.0
integration += policy_daemon

tests += test_policy_parse test_policy_load test_policy_eval test_policy_reference test_policy_call
test_policy_call.src := tests/unit/test_policy_call.c
test_policy_call.libs := policy-decider policy shared
test_policy_call.pkgs := cmocka
test_policy_reference.src := tests/unit/test_policy_reference.c
test_policy_reference.libs := policy shared
test_policy_reference.pkgs := cmocka
test_policy_eval.src := tests/unit/test_policy_eval.c
test_policy_eval.libs := policy shared
test_policy_eval.pkgs := cmocka
test_policy_parse.src := tests/unit/test_policy_parse.c
test_policy_parse.libs := policy shared
test_policy_parse.pkgs := cmocka
test_policy_load.src := tests/unit/test_policy_load.c
test_policy_load.libs := policy-decider policy shared
test_policy_load.pkgs := cmocka

fuzzers += fuzz_policy fuzz_policy_call
fuzz_policy.src := tests/fuzz/fuzz_policy.c
fuzz_policy.libs := policy shared
fuzz_policy_call.src := tests/fuzz/fuzz_policy_call.c qrexec/policy/call_decode.c

testtools += bench_policy
bench_policy.src := tests/bench/bench_policy.c
bench_policy.libs := policy shared
