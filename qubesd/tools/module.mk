programs += qvm
qvm.src := $(addprefix qubesd/tools/,main.c check.c client.c create.c features.c ls.c ls_columns.c \
	options.c pause.c prefs.c properties.c remove.c run.c run_call.c show.c shutdown.c start.c \
	tags.c tool.c vmexec.c vmnames.c)
qvm.libs := shared

aliases += $(addsuffix =qvm,qubes-prefs qvm-check qvm-create qvm-features qvm-kill qvm-ls qvm-pause \
	qvm-prefs qvm-remove qvm-run qvm-service qvm-shutdown qvm-start qvm-tags qvm-unpause)
