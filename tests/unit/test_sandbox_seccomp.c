/* The filter is tried for real: each call in a child of its own, with the filter on. */
#include "tests/unit/unit.h"

#include "qubesd/sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_LOAD 250
#define RETURNED 0 /* errno of a call that did not fail */

static struct sock_fprog program;

static int
load_filter(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

/* The errno of the call under the filter; RETURNED when it did not fail. */
static int
errno_of(long (*call)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (load_filter() < 0)
			_exit(CANNOT_LOAD);
		errno = 0;
		_exit(call() < 0 ? errno : RETURNED);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), CANNOT_LOAD);
	return WEXITSTATUS(status);
}

static int
export_once(void **state)
{
	struct stat st;
	int fd = memfd_create("filter", MFD_CLOEXEC);

	(void)state;
	if (fd < 0 || sandbox_seccomp_export(fd) < 0 || fstat(fd, &st) < 0)
		return -1;
	program.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	program.filter = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return program.filter == MAP_FAILED ? -1 : 0;
}

/* Arguments that would make each fail with something else than EPERM if it got through. */
#define CALL(name, ...)                                                                            \
	static long call_##name(void)                                                              \
	{                                                                                          \
		return syscall(SYS_##name, __VA_ARGS__);                                           \
	}
CALL(mount, "x", "/nowhere", "x", 0, NULL)
CALL(umount2, "/nowhere", 0)
CALL(pivot_root, "/nowhere", "/nowhere")
CALL(chroot, "/nowhere")
CALL(move_mount, -1, "", -1, "", 0)
CALL(open_tree, -1, "", 0)
CALL(fsopen, "nothing", 0)
CALL(mount_setattr, -1, "", 0, NULL, 0)
CALL(ptrace, PTRACE_TRACEME, 0, NULL, NULL)
CALL(process_vm_readv, getpid(), NULL, 0, NULL, 0, 0)
CALL(process_vm_writev, getpid(), NULL, 0, NULL, 0, 0)
CALL(kcmp, getpid(), getpid(), 0, 0, 0)
CALL(pidfd_getfd, -1, 0, 0)
CALL(add_key, "user", "x", "y", 1, -1)
CALL(request_key, "user", "x", NULL, 0)
CALL(keyctl, 0, -3, 0)
CALL(bpf, 0, NULL, 0)
CALL(perf_event_open, NULL, 0, -1, -1, 0)
CALL(userfaultfd, 0)
CALL(kexec_load, 0, 0, NULL, 0)
CALL(init_module, NULL, 0, "")
CALL(finit_module, -1, "", 0)
CALL(delete_module, "nothing", 0)
CALL(setns, -1, 0)
CALL(swapon, "/nowhere", 0)
CALL(reboot, 0, 0, 0, NULL)
CALL(syslog, 3, NULL, 0)
CALL(open_by_handle_at, -1, NULL, 0)
CALL(sethostname, "x", -1)
CALL(move_pages, 0, 0, NULL, NULL, NULL, 0)
CALL(quotactl, 0, NULL, 0, NULL)
CALL(acct, "/nowhere")

static void
filter_refuses_calls_with_eperm(void **state)
{
	static long (*const calls[])(void) = {call_mount, call_umount2, call_pivot_root,
	    call_chroot, call_move_mount, call_open_tree, call_fsopen, call_mount_setattr,
	    call_ptrace, call_process_vm_readv, call_process_vm_writev, call_kcmp, call_pidfd_getfd,
	    call_add_key, call_request_key, call_keyctl, call_bpf, call_perf_event_open,
	    call_userfaultfd, call_kexec_load, call_init_module, call_finit_module,
	    call_delete_module, call_setns, call_swapon, call_reboot, call_syslog,
	    call_open_by_handle_at, call_sethostname, call_move_pages, call_quotactl, call_acct};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_int_equal(errno_of(calls[i]), EPERM);
}

CALL(io_uring_setup, 1, NULL)
CALL(clone3, NULL, 0)

static void
filter_hides_calls_that_have_an_older_way(void **state)
{
	(void)state;
	assert_int_equal(errno_of(call_io_uring_setup), ENOSYS);
	assert_int_equal(errno_of(call_clone3), ENOSYS);
}

static unsigned long flag; /* copied into the child by fork */

static long
unshare_flag(void)
{
	return syscall(SYS_unshare, flag);
}

static long
clone_flag(void)
{
	long pid = syscall(SYS_clone, flag | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static void
filter_refuses_new_namespaces(void **state)
{
	static const unsigned long flags[] = {CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID,
	    CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		flag = flags[i];
		assert_int_equal(errno_of(unshare_flag), EPERM);
		assert_int_equal(errno_of(clone_flag), EPERM);
		flag = flags[i] | CLONE_FS; /* not by adding a harmless one either */
		assert_int_equal(errno_of(unshare_flag), EPERM);
	}
	flag = CLONE_FS;
	assert_int_equal(errno_of(unshare_flag), RETURNED);
	assert_int_equal(errno_of(clone_flag), RETURNED);
}

static long
terminal_input(void)
{
	return ioctl(-1, flag, "x");
}

static void
filter_refuses_terminal_input_also_with_high_bits(void **state)
{
	(void)state;
	flag = TIOCSTI;
	assert_int_equal(errno_of(terminal_input), EPERM);
	flag = TIOCSTI | 0xffff00000000ul; /* the kernel looks at 32 bits only */
	assert_int_equal(errno_of(terminal_input), EPERM);
	flag = TIOCLINUX;
	assert_int_equal(errno_of(terminal_input), EPERM);
	flag = TIOCGWINSZ;
	assert_int_equal(errno_of(terminal_input), EBADF);
}

static long
socket_family(void)
{
	return syscall(SYS_socket, flag, SOCK_DGRAM, 0);
}

static void
filter_leaves_four_socket_families(void **state)
{
	static const unsigned long stay[] = {AF_UNIX, AF_INET, AF_INET6};

	(void)state;
	for (unsigned long family = 0; family < AF_MAX + 3; family++) {
		bool stays = family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
			     family == AF_NETLINK;

		flag = family;
		if (!stays)
			assert_int_equal(errno_of(socket_family), EAFNOSUPPORT);
	}
	flag = AF_VSOCK | 0x100000000ul;
	assert_int_equal(errno_of(socket_family), EAFNOSUPPORT);
	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++) {
		flag = stay[i];
		assert_int_equal(errno_of(socket_family), RETURNED);
	}
}

/* -1 when the option cannot be set, else how long close() waits; 0: it does not. */
static long
linger_of_level(unsigned long level)
{
	struct linger linger = {1, 7};
	socklen_t len = sizeof(linger);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (syscall(SYS_setsockopt, fd, level, SO_LINGER, &linger, sizeof(linger)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) < 0)
		return -1;
	return linger.l_onoff != 0 ? linger.l_linger : 0;
}

static long
linger_stays_off(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (linger_of_level(SOL_SOCKET) != 0 || linger_of_level(SOL_SOCKET | 1ul << 40) != 0) {
		errno = EBUSY;
		return -1;
	}
	return setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void
vch_04_no_close_can_be_made_to_wait_for_a_peer(void **state)
{
	(void)state;
	assert_int_equal(errno_of(linger_stays_off), RETURNED);
}

static long
personality_flag(void)
{
	return syscall(SYS_personality, flag);
}

static void
filter_leaves_the_linux_personality(void **state)
{
	(void)state;
	flag = 0xffffffff; /* only asks */
	assert_int_equal(errno_of(personality_flag), RETURNED);
	flag = ADDR_NO_RANDOMIZE;
	assert_int_equal(errno_of(personality_flag), RETURNED);
	flag = PER_LINUX32;
	assert_int_equal(errno_of(personality_flag), EPERM);
	flag = PER_SVR4;
	assert_int_equal(errno_of(personality_flag), EPERM);
}

static long
ordinary_work(void)
{
	int fds[2];
	pid_t child;
	int status;

	if (pipe(fds) < 0 || write(fds[1], "x", 1) != 1)
		return -1;
	child = fork();
	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
		errno = ECHILD;
		return -1;
	}
	return 0;
}

static void
filter_lets_ordinary_programs_run(void **state)
{
	(void)state;
	assert_int_equal(errno_of(ordinary_work), RETURNED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(filter_refuses_calls_with_eperm),
	    cmocka_unit_test(filter_hides_calls_that_have_an_older_way),
	    cmocka_unit_test(filter_refuses_new_namespaces),
	    cmocka_unit_test(filter_refuses_terminal_input_also_with_high_bits),
	    cmocka_unit_test(filter_leaves_four_socket_families),
	    cmocka_unit_test(vch_04_no_close_can_be_made_to_wait_for_a_peer),
	    cmocka_unit_test(filter_leaves_the_linux_personality),
	    cmocka_unit_test(filter_lets_ordinary_programs_run),
	};

	return cmocka_run_group_tests(tests, export_once, NULL);
}
