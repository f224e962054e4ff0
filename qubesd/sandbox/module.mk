# What a sandbox is made of: bordure-sandbox makes one and stays with it, bordure-init is process 1
# inside; and the hypervisors and the lifecycle that qubesd links.
libs += sandbox hypervisor
sandbox.src := qubesd/region_bytes.c $(addprefix qubesd/sandbox/,bwrap_args.c cgroup.c console.c etc_files.c identity.c \
	options.c pidns.c private.c seccomp.c stage.c state.c tree.c)
sandbox.pkgs := glib-2.0 libseccomp

programs += bordure-sandbox
bordure-sandbox.src := qubesd/region_bytes.c $(addprefix qubesd/sandbox/,main.c check.c child.c sandbox.c)
bordure-sandbox.libs := sandbox vchan shared
bordure-sandbox.pkgs := glib-2.0 jansson

guest += bordure-init
bordure-init.src := qubesd/sandbox/init.c
bordure-init.libs := guest-init shared
bordure-init.pkgs := glib-2.0

hypervisor.src := $(addprefix qubesd/,domain_ids.c domain_xml.c domain_xml_qemu.c domain_xml_xen.c \
	boot_disk.c gui_access.c hypervisor.c hypervisor_libvirt.c hypervisor_sandbox.c kvm_trial.c kvm_trial_guest.S \
	libvirt_connection.c libvirt_jobs.c libvirt_maker.c libvirt_making.c libvirt_saved.c libvirt_work.c libvirt_worker.c \
	lifecycle.c lifecycle_calls.c lifecycle_gui.c lifecycle_kill.c lifecycle_reach.c lifecycle_start.c machine.c \
	qrexec_child.c region_file.c run_kind.c sandbox_qube.c saved_image.c saved_machine.c saved_states.c \
	storage/copy.c)
hypervisor.pkgs := glib-2.0 libxml-2.0 libvirt

tests += test_region_file
test_region_file.src := tests/unit/test_region_file.c qubesd/region_file.c
test_region_file.libs := shared
test_region_file.pkgs := cmocka glib-2.0

tests += test_kvm_trial
test_kvm_trial.src := tests/unit/test_kvm_trial.c qubesd/kvm_trial.c qubesd/kvm_trial_guest.S
test_kvm_trial.libs := shared
test_kvm_trial.pkgs := cmocka glib-2.0

integration_qemu += libvirt_qemu
testtools += tiny_guest_file
tiny_guest_file.src := tests/integration/tiny_guest_file.c tests/integration/tiny_guest.S

tests += test_domain_ids
test_domain_ids.src := tests/unit/test_domain_ids.c qubesd/domain_ids.c
test_domain_ids.libs := shared
test_domain_ids.pkgs := cmocka glib-2.0

tests += test_sandbox_seccomp test_sandbox_tree test_domain_xml
test_sandbox_seccomp.src := tests/unit/test_sandbox_seccomp.c
test_sandbox_seccomp.libs := sandbox
test_sandbox_seccomp.pkgs := cmocka
test_sandbox_tree.src := tests/unit/test_sandbox_tree.c
test_sandbox_tree.libs := sandbox
test_sandbox_tree.pkgs := cmocka glib-2.0
test_domain_xml.src := tests/unit/test_domain_xml.c
test_domain_xml.libs := hypervisor sandbox vchan shared
test_domain_xml.pkgs := cmocka glib-2.0 libxml-2.0
tests += test_saved_image test_saved_states
test_saved_states.src := tests/unit/test_saved_states.c
test_saved_states.libs := hypervisor sandbox vchan shared
test_saved_states.pkgs := cmocka glib-2.0 libvirt libxml-2.0
test_saved_image.src := tests/unit/test_saved_image.c
test_saved_image.libs := hypervisor sandbox vchan shared
test_saved_image.pkgs := cmocka glib-2.0 libxml-2.0

tests += test_sandbox_args test_sandbox_console
test_sandbox_args.src := tests/unit/test_sandbox_args.c
test_sandbox_args.libs := sandbox shared
test_sandbox_args.pkgs := cmocka glib-2.0
test_sandbox_console.src := tests/unit/test_sandbox_console.c
test_sandbox_console.libs := sandbox shared
test_sandbox_console.pkgs := cmocka glib-2.0

tests += test_machine_host
test_machine_host.src := tests/unit/test_machine_host.c
test_machine_host.libs := hypervisor sandbox vchan shared
test_machine_host.pkgs := cmocka glib-2.0 libvirt libxml-2.0

tests += test_hypervisor_libvirt
test_hypervisor_libvirt.src := tests/unit/test_hypervisor_libvirt.c
test_hypervisor_libvirt.libs := hypervisor sandbox vchan shared
test_hypervisor_libvirt.pkgs := cmocka glib-2.0 libvirt libxml-2.0

tests += test_lifecycle
test_lifecycle.src := tests/unit/test_lifecycle.c tests/unit/hypervisor_double.c \
	qubesd/domain_ids.c qubesd/lifecycle.c \
	qubesd/lifecycle_calls.c qubesd/lifecycle_gui.c qubesd/lifecycle_kill.c qubesd/lifecycle_reach.c qubesd/lifecycle_start.c \
	qubesd/qrexec_child.c qubesd/run_kind.c shared/vchan/spec.c
test_lifecycle.libs := qubesd-core sandbox shared
test_lifecycle.pkgs := cmocka glib-2.0

testtools += sandbox_probe
sandbox_probe.src := tests/integration/sandbox_probe.c
integration += sandbox_isolation sandbox_lifecycle
