#include "qubesd/kvm_trial.h"

#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "qemu-system-x86_64"
#define DEVICE "/dev/kvm"
#define FILE_NAME "kvm-trial"
#define STATUS_WELL 33 /* of QEMU, when the guest has said that all went well */
#define GUEST_FD 3     /* in QEMU */

extern const uint8_t kvm_trial_guest[], kvm_trial_guest_end[];

/* --- one run -------------------------------------------------------------------------------- */

static int
open_guest(void)
{
	size_t len = (size_t)(kvm_trial_guest_end - kvm_trial_guest);
	int fd = memfd_create("kvm-trial", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, kvm_trial_guest, len) != (ssize_t)len) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* The status of a child, which is killed when its time is over; -1 then. */
static int
wait_for(pid_t child)
{
	struct pollfd pfd = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
	bool in_time = pfd.fd >= 0 && poll(&pfd, 1, KVM_TRIAL_LIMIT_S * 1000) == 1;
	int status;

	if (!in_time)
		(void)kill(child, SIGKILL);
	if (pfd.fd >= 0)
		close(pfd.fd);
	if (waitpid(child, &status, 0) != child)
		return -1;
	return in_time ? status : -1;
}

/* 0 and the child, or a negative errno with *ret_error. */
static int
spawn(const char *accelerator, const char *processor, pid_t *ret_child, char **ret_error)
{
	const char *argv[] = {QEMU, "-machine", "q35", "-accel", accelerator, "-cpu", processor,
	    "-m", "128", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
	    "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", "/proc/self/fd/3", NULL};
	int guest = open_guest(), target = GUEST_FD;
	g_autoptr(GError) error = NULL;
	gboolean ok;

	if (guest < 0) {
		*ret_error = g_strdup_printf("memory for its guest: %s", g_strerror(errno));
		return -ENOMEM;
	}
	ok = g_spawn_async_with_pipes_and_fds(NULL, argv, NULL,
	    G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
		G_SPAWN_STDERR_TO_DEV_NULL,
	    NULL, NULL, -1, -1, -1, &guest, &target, 1, ret_child, NULL, NULL, NULL, &error);
	close(guest);
	if (ok)
		return 0;
	*ret_error = g_strdup(error->message);
	return -ENOENT;
}

char *
kvm_trial_run(const char *accelerator, const char *processor)
{
	char *error = NULL;
	int status;
	pid_t child;

	if (spawn(accelerator, processor, &child, &error) < 0)
		return error;
	status = wait_for(child);
	if (status == -1)
		return g_strdup_printf(
		    "a small guest did not get anywhere in %d s", KVM_TRIAL_LIMIT_S);
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_WELL)
		return NULL;
	if (WIFSIGNALED(status))
		return g_strdup_printf("QEMU ended with signal %d", WTERMSIG(status));
	return g_strdup_printf("a small guest went wrong (status %d)", WEXITSTATUS(status));
}

/* --- what is remembered --------------------------------------------------------------------- */

/* The versions that the answer depends on, one line. g_free(). */
static char *
versions(void)
{
	char *argv[] = {(char *)QEMU, (char *)"--version", NULL};
	g_autofree char *text = NULL;
	struct utsname kernel;

	if (uname(&kernel) < 0 ||
	    !g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
		NULL, &text, NULL, NULL, NULL))
		return g_strdup("no " QEMU);
	text[strcspn(text, "\n")] = '\0';
	return g_strdup_printf("%s %s / %s", kernel.release, kernel.version, text);
}

/* False when nothing is known for these versions. */
static bool
recall(const char *path, const char *for_versions, bool *ret)
{
	g_autofree char *text = NULL;
	g_autofree char *yes = g_strdup_printf("%s\nyes\n", for_versions);
	g_autofree char *no = g_strdup_printf("%s\nno\n", for_versions);

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return false;
	*ret = strcmp(text, yes) == 0;
	return *ret || strcmp(text, no) == 0;
}

static void
keep(const char *path, const char *for_versions, bool works)
{
	g_autofree char *text = g_strdup_printf("%s\n%s\n", for_versions, works ? "yes" : "no");
	g_autoptr(GError) error = NULL;

	if (!g_file_set_contents(path, text, -1, &error))
		log_warn("the trial of KVM will be made again: %s", error->message);
}

bool
kvm_trial(void)
{
	g_autofree char *path = path_in_state_dir(FILE_NAME);
	g_autofree char *now = NULL, *error = NULL;
	gint64 began = g_get_monotonic_time();
	bool works;

	if (access(DEVICE, R_OK | W_OK) < 0) {
		log_info("QEMU machines are emulated: %s: %s", DEVICE, g_strerror(errno));
		return false;
	}
	now = versions();
	if (recall(path, now, &works))
		return works;
	error = kvm_trial_run("kvm", "host");
	works = error == NULL;
	if (works)
		log_info("QEMU machines run with KVM (a trial took %d ms)",
		    (int)((g_get_monotonic_time() - began) / 1000));
	else
		log_warn("QEMU machines are emulated, KVM does not work here: %s", error);
	keep(path, now, works);
	return works;
}
