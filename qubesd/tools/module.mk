programs += qvm
qvm.src := $(addprefix qubesd/tools/,main.c check.c client.c clone.c create.c features.c import.c ls.c ls_columns.c \
	options.c pause.c pool.c prefs.c properties.c remove.c run.c run_call.c run_service.c show.c shutdown.c start.c \
	tags.c tool.c vmexec.c vmnames.c volume.c) $(addprefix qubesd/storage/,copy.c import_lock.c)
qvm.libs := shared

aliases += $(addsuffix =qvm,qubes-prefs qvm-check qvm-create qvm-features qvm-kill qvm-ls qvm-pause \
	qvm-pool qvm-prefs qvm-remove qvm-run qvm-service qvm-shutdown qvm-start qvm-tags qvm-unpause qvm-volume)

programs += qubes-volume-import
qubes-volume-import.src := $(addprefix qubesd/tools/,import.c import_service.c client.c options.c tool.c) \
	$(addprefix qubesd/storage/,copy.c import_lock.c volume.c volume_decode.c)
qubes-volume-import.libs := shared

programs += qvm-start-daemon
qvm-start-daemon.src := $(addprefix qubesd/tools/,client.c options.c properties.c tool.c) \
	$(addprefix qubesd/tools/session/,main.c backoff.c child.c daemons.c display.c display_layout.c \
	feed.c guid_conf.c keyboard.c wanted.c)
qvm-start-daemon.libs := shared
qvm-start-daemon.pkgs := xcb
aliases += qvm-start-gui=qvm-start-daemon

tests += test_tool_options test_tool_values test_session
test_session.src := tests/unit/test_session.c $(addprefix qubesd/tools/session/,backoff.c \
	display_layout.c guid_conf.c wanted.c)
test_session.libs := shared
test_session.pkgs := cmocka
test_tool_options.src := tests/unit/test_tool_options.c qubesd/tools/options.c
test_tool_options.pkgs := cmocka glib-2.0
test_tool_values.src := tests/unit/test_tool_values.c $(addprefix qubesd/tools/,client.c options.c \
	properties.c run_call.c run_service.c show.c tool.c vmexec.c)
test_tool_values.libs := shared
test_tool_values.pkgs := cmocka

testtools += scripted_qubesd
scripted_qubesd.src := tests/integration/scripted_qubesd.c
scripted_qubesd.libs := shared
scripted_qubesd.pkgs := glib-2.0

integration += session_daemon tools_errors tools_session

# What a qube needs to be the GUI domain of others, beside what every qube has: the trusted side's own
# programs, the same files.
guest += bordure-gui-session
bordure-gui-session.src := $(addprefix qubesd/tools/session/,gui_session.c backoff.c child.c wm_probe.c)
bordure-gui-session.libs := shared
bordure-gui-session.pkgs := xcb
guest_files += $(foreach p,qubes-guid qrexec-policy-agent qvm qvm-start-daemon,$(BUILD)/bin/$(p)=bin/$(p))
guest_aliases += $(addsuffix =qvm,qvm-check qvm-features qvm-kill qvm-ls qvm-pause qvm-prefs qvm-run \
	qvm-shutdown qvm-start qvm-tags qvm-unpause)
guest_links += $(foreach s,policy.Ask policy.Notify,qubes-rpc/$(s)=/run/qubes/policy-agent.sock)
testtools += region_probe
region_probe.src := tests/integration/region_probe.c
region_probe.libs := vchan shared
region_probe.pkgs := glib-2.0
integration += gui_domain
