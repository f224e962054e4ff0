# What serves calls inside a qube: decoders in a library, programs and service files of the guest kit.
services := qrexec/services/

libs += qrexec_services
qrexec_services.src := $(addprefix $(services),crc32.c move.c qfile_decode.c safe_name.c tree.c tree_check.c \
	unpack.c vm_exec_decode.c)
qrexec_services.pkgs := glib-2.0

guest += qfile-agent qfile-unpacker qubes-fs-tree-check qvm-copy start-app vm-exec wait-for-session
qfile-agent.src := $(services)qfile_agent.c
qfile-agent.libs := qrexec_services shared
qfile-unpacker.src := $(services)qfile_unpacker.c
qfile-unpacker.libs := qrexec_services shared
qubes-fs-tree-check.src := $(services)tree_check_main.c
qubes-fs-tree-check.libs := qrexec_services shared
qvm-copy.src := $(services)qvm_copy.c
qvm-copy.libs := qrexec_services shared
start-app.src := $(services)start_app.c
start-app.pkgs := gio-unix-2.0
vm-exec.src := $(services)vm_exec.c
vm-exec.libs := qrexec_services
wait-for-session.src := $(services)wait_for_session.c
wait-for-session.libs := shared

guest_aliases += qvm-move=qvm-copy qvm-copy-to-vm=qvm-copy qvm-move-to-vm=qvm-copy

guest_files += $(foreach s,$(notdir $(wildcard $(services)qubes-rpc/*)),$(services)qubes-rpc/$(s)=qubes-rpc/$(s))
# The same programs under names that a policy can tell apart.
guest_files += $(services)qubes-rpc/qubes.VMShell=qubes-rpc/qubes.VMRootShell \
	$(services)qubes-rpc/qubes.VMExec=qubes-rpc/qubes.VMExecGUI \
	$(services)qubes-rpc/qubes.VMExec=qubes-rpc/qubes.VMRootExec
guest_files += $(foreach s,$(notdir $(wildcard $(services)rpc-config/*)),$(services)rpc-config/$(s)=rpc-config/$(s))

tests += test_qfile test_vm_exec
test_qfile.src := tests/unit/test_qfile.c
test_qfile.libs := qrexec_services shared
test_qfile.pkgs := cmocka
test_vm_exec.src := tests/unit/test_vm_exec.c
test_vm_exec.libs := qrexec_services
test_vm_exec.pkgs := cmocka

fuzzers += fuzz_qfile
fuzz_qfile.src := tests/fuzz/fuzz_qfile.c
fuzz_qfile.libs := qrexec_services
integration += file_copy
