# What process 1 of a qube does, whatever kind the qube is: a sandbox's (qubesd/sandbox/init.c) and
# a machine's.
libs += guest-init machine-init
guest-init.src := $(addprefix qubesd/guest/,agents.c guest.c keeper.c)
guest-init.pkgs := glib-2.0
machine-init.src := $(addprefix qubesd/guest/,command.c devices.c power.c private.c system.c volume.c \
	xen.c)
machine-init.pkgs := glib-2.0

guest += bordure-machine-init
bordure-machine-init.src := qubesd/guest/machine.c
bordure-machine-init.libs := machine-init guest-init shared
bordure-machine-init.pkgs := glib-2.0
