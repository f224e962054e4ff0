/*
 * sandbox_probe - what a program inside a sandbox gets from the kernel. Prints lines "what=errno
 * name" ("ok" when it was granted); the test that starts it knows what should come.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long
try_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long
try_clone_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long
try_mount(void)
{
	return mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static long
try_remount_usr(void)
{
	return mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static long
try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long
try_keyring(void)
{
	return syscall(SYS_keyctl, 0, -3, 0);
}

static long
try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long
try_device(void)
{
	return mknod("/tmp/device", S_IFBLK | 0600, 0);
}

static long
try_terminal_input(void)
{
	return ioctl(0, TIOCSTI, "x");
}

static long
try_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static long
try_packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long
try_hostname(void)
{
	return sethostname("other", 5);
}

static long
try_write_usr(void)
{
	return open("/usr/bordure-was-here", O_WRONLY | O_CREAT, 0600);
}

static long
try_write_root(void)
{
	return open("/bordure-was-here", O_WRONLY | O_CREAT, 0600);
}

static long
try_sysctl(void)
{
	return open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static const struct {
	const char *name;
	long (*call)(void);
} tries[] = {
    {"user_namespace", try_user_namespace},
    {"clone_namespace", try_clone_namespace},
    {"mount", try_mount},
    {"remount_usr", try_remount_usr},
    {"ptrace", try_ptrace},
    {"keyring", try_keyring},
    {"bpf", try_bpf},
    {"device", try_device},
    {"terminal_input", try_terminal_input},
    {"vsock", try_vsock},
    {"packets", try_packets},
    {"hostname", try_hostname},
    {"write_usr", try_write_usr},
    {"write_root", try_write_root},
    {"sysctl", try_sysctl},
};

/* In a child: some of them would change what the next one gets. */
static int
result_of(long (*call)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(call() < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return ECHILD;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int error = result_of(tries[i].call);

		printf("%s=%s\n", tries[i].name, error == 0 ? "ok" : strerrorname_np(error));
	}
	return 0;
}
