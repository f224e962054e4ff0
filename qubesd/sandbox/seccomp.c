#include "qubesd/sandbox/seccomp.h"

#include <errno.h>
#include <glib.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define PER_LAST 0x1f /* PER_OSF4 is 0x0f, PER_HPUX 0x10 */
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	    CLONE_NEWPID | CLONE_NEWNET)

struct refusal {
	const char *syscall; /* one that this kernel's headers do not know is skipped */
	int error;
};

/* clang-format off */
static const struct refusal refusals[] = {
	/* mounting and roots: the file system is what was given */
	{ "mount", EPERM }, { "umount", EPERM }, { "umount2", EPERM }, { "pivot_root", EPERM },
	{ "chroot", EPERM }, { "move_mount", EPERM }, { "open_tree", EPERM }, { "fsopen", EPERM },
	{ "fsconfig", EPERM }, { "fsmount", EPERM }, { "fspick", EPERM }, { "mount_setattr", EPERM },
	{ "swapon", EPERM }, { "swapoff", EPERM }, { "quotactl", EPERM }, { "quotactl_fd", EPERM },
	{ "name_to_handle_at", EPERM }, { "open_by_handle_at", EPERM }, { "fanotify_init", EPERM },
	{ "sysfs", EPERM }, { "ustat", EPERM },
	/* other processes' memory, descriptors and secrets */
	{ "ptrace", EPERM }, { "process_vm_readv", EPERM }, { "process_vm_writev", EPERM },
	{ "process_madvise", EPERM }, { "kcmp", EPERM }, { "pidfd_getfd", EPERM },
	{ "add_key", EPERM }, { "request_key", EPERM }, { "keyctl", EPERM },
	/* parts of the kernel with a long history of holes and no use for a desktop program */
	{ "bpf", EPERM }, { "perf_event_open", EPERM }, { "userfaultfd", EPERM },
	{ "io_uring_setup", ENOSYS }, { "io_uring_enter", ENOSYS }, { "io_uring_register", ENOSYS },
	{ "move_pages", EPERM }, { "migrate_pages", EPERM }, { "mbind", EPERM },
	{ "set_mempolicy", EPERM }, { "set_mempolicy_home_node", EPERM },
	{ "vhangup", EPERM }, { "uselib", EPERM }, { "nfsservctl", EPERM },
	{ "lookup_dcookie", EPERM }, { "_sysctl", EPERM }, { "remap_file_pages", EPERM },
	/* namespaces: none new, none of others */
	{ "setns", EPERM }, { "clone3", ENOSYS },
	/* the machine itself */
	{ "kexec_load", EPERM }, { "kexec_file_load", EPERM }, { "init_module", EPERM },
	{ "finit_module", EPERM }, { "delete_module", EPERM }, { "create_module", EPERM },
	{ "get_kernel_syms", EPERM }, { "query_module", EPERM }, { "reboot", EPERM },
	{ "syslog", EPERM }, { "acct", EPERM }, { "iopl", EPERM }, { "ioperm", EPERM },
	{ "modify_ldt", EPERM }, { "sethostname", EPERM }, { "setdomainname", EPERM },
	{ "settimeofday", EPERM }, { "clock_settime", EPERM }, { "clock_settime64", EPERM },
	{ "adjtimex", EPERM }, { "clock_adjtime", EPERM }, { "clock_adjtime64", EPERM },
	{ "stime", EPERM },
};

/* Socket families that stay; there is no network, so they reach nobody outside. */
static const unsigned families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
/* clang-format on */

static int
refuse_calls(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		int nr = seccomp_syscall_resolve_name(refusals[i].syscall);
		int r;

		if (nr == __NR_SCMP_ERROR)
			continue;
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)refusals[i].error), nr, 0);
		if (r < 0 && r != -EDOM) /* not a call of this architecture */
			return r;
	}
	return 0;
}

/* clone and unshare with any flag for a new namespace. One rule a flag: a rule is a conjunction. */
static int
refuse_namespaces(scmp_filter_ctx filter)
{
	int r;

	for (unsigned bit = 0; bit < 32; bit++) {
		uint64_t flag = UINT64_C(1) << bit;

		if ((flag & NEW_NAMESPACES) != 0) {
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			    SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
			if (r < 0)
				return r;
		}
		/* For clone the low byte is a signal, so CLONE_NEWTIME is one of unshare only. */
		if ((flag & (NEW_NAMESPACES | CLONE_NEWTIME)) != 0) {
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
			    SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* Pushing characters into the input of a terminal that somebody else reads. */
static int
refuse_terminal_input(scmp_filter_ctx filter)
{
	static const uint64_t requests[] = {TIOCSTI, TIOCLINUX};
	int r;

	for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
		/* The kernel looks at 32 bits only. */
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, requests[i]));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Families such as AF_VSOCK reach past the network namespace. */
static int
refuse_families(scmp_filter_ctx filter)
{
	unsigned last = families[G_N_ELEMENTS(families) - 1];
	int r;

	for (unsigned family = 0; family <= last; family++) {
		bool stays = false;

		for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
			stays = stays || families[i] == family;
		if (stays)
			continue;
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, family));
		if (r < 0)
			return r;
	}
	r = seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_GT, last));
	return r;
}

/*
 * Waiting in close() until the peer has read everything. A descriptor that is sent over a socket is
 * closed by whoever throws it away, and then the waiting would be done by the broker, by a daemon
 * or by another qube. The call succeeds and changes nothing: the data is sent all the same.
 */
static int
ignore_linger(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(0), SCMP_SYS(setsockopt), 2,
	    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, SOL_SOCKET),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, 0xffffffff, SO_LINGER));
}

/*
 * The system calls as other systems of old had them: code that nobody looks after. The low byte
 * names the system; 0xff is in the value that only asks.
 */
static int
refuse_personalities(scmp_filter_ctx filter)
{
	int r;

	for (uint64_t system = PER_LINUX + 1; system <= PER_LAST; system++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, 0xff, system));
		if (r < 0)
			return r;
	}
	return 0;
}

int
sandbox_seccomp_export(int fd)
{
	static int (*const steps[])(scmp_filter_ctx) = {
	    refuse_calls,
	    refuse_namespaces,
	    refuse_terminal_input,
	    refuse_families,
	    ignore_linger,
	    refuse_personalities,
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (filter == NULL)
		return -ENOMEM;
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; r == 0 && i < G_N_ELEMENTS(steps); i++)
		r = steps[i](filter);
	if (r == 0)
		r = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	return r;
}
