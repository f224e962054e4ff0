# What process 1 of a qube does, whatever kind the qube is: a sandbox's (qubesd/sandbox/init.c) and a
# machine's.
libs += guest-init
guest-init.src := $(addprefix qubesd/guest/,agents.c guest.c keeper.c)
guest-init.pkgs := glib-2.0
