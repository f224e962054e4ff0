libs += policy
policy.src := $(addprefix qrexec/policy/,eval.c include.c index.c parse.c system_info.c token.c)
policy.pkgs := glib-2.0 jansson

programs += qubes-policy
qubes-policy.src := qrexec/policy/tool_main.c qrexec/policy/batch.c
qubes-policy.libs := policy shared

testtools += policy_compare
policy_compare.src := tests/corpus/policy_compare.c
policy_compare.pkgs := glib-2.0 jansson
