# What process 1 of a qube does, whatever kind the qube is: a sandbox's (qubesd/sandbox/init.c) and
# a machine's.
libs += guest-init machine-init
guest-init.src := $(addprefix qubesd/guest/,agents.c guest.c keeper.c)
guest-init.pkgs := glib-2.0
machine-init.src := $(addprefix qubesd/guest/,command.c devices.c fresh.c power.c private.c system.c volume.c \
	xen.c)
machine-init.pkgs := glib-2.0

guest += bordure-machine-init
bordure-machine-init.src := qubesd/guest/machine.c
bordure-machine-init.libs := machine-init guest-init shared
bordure-machine-init.pkgs := glib-2.0

tests += test_machine test_guest_agents
test_machine.src := tests/unit/test_machine.c
test_machine.libs := machine-init guest-init sandbox shared
test_machine.pkgs := cmocka glib-2.0
test_guest_agents.src := tests/unit/test_guest_agents.c
test_guest_agents.libs := guest-init shared
test_guest_agents.pkgs := cmocka glib-2.0
