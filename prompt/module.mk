# The pure parts, for the program and for their tests.
libs += prompt
prompt.src := $(addprefix prompt/,arming.c clean_env.c queue.c request_decode.c)
prompt.pkgs := glib-2.0 jansson

# The layout travels inside the program: nobody can put another one in its place.
prompt_layout := $(BUILD)/generated/ask_dialog_layout.c
$(prompt_layout): prompt/ask_dialog.gresource.xml prompt/ask_dialog.ui
	@mkdir -p $(@D)
	glib-compile-resources --sourcedir=prompt --generate-source --target=$@ $<

programs += qrexec-policy-agent
qrexec-policy-agent.src := $(addprefix prompt/,agent.c ask_dialog.c label_icon.c main.c notifier.c \
	stacking.c) $(prompt_layout)
qrexec-policy-agent.libs := prompt shared
qrexec-policy-agent.pkgs := gtk+-3.0 x11-xcb xcb x11 xcomposite

testtools += prompt_cover
prompt_cover.src := tests/integration/prompt_cover.c
prompt_cover.pkgs := x11
integration += prompt_dialog

tests += test_prompt
test_prompt.src := tests/unit/test_prompt.c
test_prompt.libs := prompt shared
test_prompt.pkgs := cmocka

fuzzers += fuzz_ask_request
fuzz_ask_request.src := tests/fuzz/fuzz_ask_request.c prompt/request_decode.c
fuzz_ask_request.pkgs := jansson
