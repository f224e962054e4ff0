#include "qubesd/sandbox/bwrap_args.h"
#include "qubesd/sandbox/etc_files.h"
#include "qubesd/sandbox/seccomp.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define INIT "/opt/bordure/bin/bordure-init"
#define GUEST_PATH "/opt/bordure/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"

/* Programs of the trusted side: a host that has them installed must not look like dom0 inside. */
static const char *const host_only[] = {
    "qvm-*",
    "qubes-*",
    "qubesd*",
    "qrexec-*",
    "vchan-broker",
    "bordure-sandbox",
};
static const char *const program_folders[] = {"bin", "sbin"};

/* Top level folders that are links into /usr on a merged system. */
static const char *const merged[] = {"bin", "sbin", "lib", "lib64", "lib32", "libx32"};

/* What process 1 needs to switch users, to hand over files and to end everything. */
static const char *const capabilities[] = {
    "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE", "CAP_KILL"};

static void add(struct bwrap_args *args, ...) __attribute__((sentinel));

static void
add(struct bwrap_args *args, ...)
{
	const char *word;
	va_list list;

	va_start(list, args);
	while ((word = va_arg(list, const char *)) != NULL)
		g_ptr_array_add(args->argv, g_strdup(word));
	va_end(list);
}

static void
add_number(struct bwrap_args *args, const char *option, int64_t number)
{
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);

	add(args, option, text, NULL);
}

/* A file in memory with the content, positioned at its start. */
static int
content_fd(struct bwrap_args *args, const char *content, size_t len)
{
	int fd = memfd_create("bordure-sandbox", 0);

	if (fd < 0)
		return -errno;
	g_array_append_val(args->fds, fd);
	if (write(fd, content, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)
		return -EIO;
	return fd;
}

static void
add_file(const char *path, const char *content, void *data)
{
	struct bwrap_args *args = data;
	int fd = content_fd(args, content, strlen(content));

	if (fd < 0)
		return; /* bubblewrap is out of memory too, soon */
	add(args, "--perms", "0644", NULL);
	add_number(args, "--file", fd);
	add(args, path, NULL);
}

static void
add_tmpfs(struct bwrap_args *args, const char *path, const char *mode, uint64_t bytes)
{
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, bytes);

	add(args, "--perms", mode, "--size", size, "--tmpfs", path, NULL);
}

static void
add_environment(struct bwrap_args *args)
{
	/* clang-format off */
	add(args, "--clearenv",
	    "--setenv", "PATH", GUEST_PATH,
	    "--setenv", "LANG", "C.UTF-8",
	    "--setenv", "QUBES_RPC_DIR", "/etc/qubes-rpc",
	    NULL);
	/* clang-format on */
#ifdef __SANITIZE_ADDRESS__
	/* Looking for leaks needs ptrace(), which nobody has in there. */
	add(args, "--setenv", "ASAN_OPTIONS", "detect_leaks=0", NULL);
#endif
}

static void
add_namespaces(
    struct bwrap_args *args, const struct sandbox_options *options, const struct identity *identity)
{
	/* clang-format off */
	add(args, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
	    "--unshare-cgroup-try", "--hostname", options->name,
	    "--die-with-parent", "--new-session", "--as-pid-1",
	    "--cap-drop", "ALL", NULL);
	/* clang-format on */
	if (!identity_is_privileged(identity)) {
		add(args, "--unshare-user", "--uid", "1000", "--gid", "1000", NULL);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(capabilities); i++)
		add(args, "--cap-add", capabilities[i], NULL);
}

static bool
is_host_only(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(host_only); i++)
		if (g_pattern_match_simple(host_only[i], name))
			return true;
	return false;
}

static void
add_masks(struct bwrap_args *args, const char *usr)
{
	for (size_t i = 0; i < G_N_ELEMENTS(program_folders); i++) {
		g_autofree char *folder = g_build_filename(usr, program_folders[i], NULL);
		g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
		const char *name;

		while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
			g_autofree char *inside =
			    g_build_filename("/usr", program_folders[i], name, NULL);

			if (is_host_only(name))
				add(args, "--ro-bind", "/dev/null", inside, NULL);
		}
	}
}

/* Templates are merged systems: what was beside /usr lies in it. */
static void
add_merged(struct bwrap_args *args, const char *usr)
{
	for (size_t i = 0; i < G_N_ELEMENTS(merged); i++) {
		g_autofree char *real = g_build_filename(usr, merged[i], NULL);
		g_autofree char *inside = g_build_filename("/", merged[i], NULL);
		g_autofree char *target = g_build_filename("usr", merged[i], NULL);

		if (g_file_test(real, G_FILE_TEST_IS_DIR))
			add(args, "--symlink", target, inside, NULL);
	}
}

static void
add_programs(struct bwrap_args *args, const struct stage *stage)
{
	const char *usr = stage->paths[STAGE_USR];
	g_autofree char *local = g_build_filename(usr, "local", NULL);

	add(args, "--ro-bind", usr, "/usr", NULL);
	add_masks(args, usr);
	if (g_file_test(local, G_FILE_TEST_IS_DIR))
		add(args, "--bind", stage->paths[STAGE_USRLOCAL], "/usr/local", NULL);
	add_merged(args, usr);
	add(args, "--dir", "/opt", "--ro-bind", stage->paths[STAGE_GUEST], "/opt/bordure", NULL);
}

static void
add_etc(struct bwrap_args *args, const struct sandbox_options *options, const struct stage *stage)
{
	add_tmpfs(args, "/etc", "0755", 16 << 20);
	/* Parents that are not asked for would be 0700. */
	add(args, "--dir", "/etc/ssl", "--dir", "/etc/pam.d", "--dir", "/etc/qubes", NULL);
	for (const char *const *name = etc_files_bound; *name != NULL; name++) {
		g_autofree char *outside = g_build_filename(stage->paths[STAGE_ETC], *name, NULL);
		g_autofree char *inside = g_build_filename("/etc", *name, NULL);
		g_autofree char *target = g_file_read_link(outside, NULL);

		/* A link (localtime, os-release) means the same inside; its target is in /usr. */
		if (target != NULL)
			add(args, "--symlink", target, inside, NULL);
		else
			add(args, "--ro-bind-try", outside, inside, NULL);
	}
	etc_files_each(options, add_file, args);
	add(args, "--symlink", "/proc/self/mounts", "/etc/mtab", NULL);
	add(args, "--symlink", "/opt/bordure/qubes-rpc", "/etc/qubes-rpc", NULL);
	add(args, "--symlink", "/opt/bordure/rpc-config", "/etc/qubes/rpc-config", NULL);
}

static void
add_system(struct bwrap_args *args, const struct sandbox_options *options)
{
	uint64_t half = ((uint64_t)options->memory_mib << 20) / 2;

	add(args, "--proc", "/proc", "--dev", "/dev", NULL);
	add_tmpfs(args, "/dev/shm", "1777", half);
	add_tmpfs(args, "/tmp", "1777", half);
	add_tmpfs(args, "/run", "0755", 64 << 20);
	add_tmpfs(args, "/var", "0755", 64 << 20);
	add_tmpfs(args, "/root", "0700", 64 << 20);
	/* clang-format off */
	add(args,
	    "--perms", "1777", "--dir", "/tmp/.X11-unix",
	    "--perms", "1777", "--dir", "/tmp/.ICE-unix",
	    "--perms", "1777", "--dir", "/run/lock",
	    "--perms", "1777", "--dir", "/var/tmp",
	    "--dir", "/var/log", "--dir", "/var/cache", "--dir", "/var/lib",
	    "--perms", "1777", "--dir", "/var/lib/xkb",
	    "--ro-bind-try", "/var/cache/fontconfig", "/var/cache/fontconfig",
	    "--symlink", "/run", "/var/run", "--symlink", "/run/lock", "/var/lock",
	    "--dir", "/mnt", "--dir", "/media", "--dir", "/srv",
	    NULL);
	/* clang-format on */
}

static int
add_qube(struct bwrap_args *args, const struct sandbox_options *options,
    const struct identity *identity, const struct stage *stage)
{
	g_autofree char *conf = NULL;
	int r = etc_files_guest_conf(options, identity_is_privileged(identity), &conf);

	if (r < 0)
		return r;
	add(args, "--bind", stage->paths[STAGE_RW], "/rw", NULL);
	add(args, "--bind", stage->paths[STAGE_HOME], "/home", NULL);
	add(args, "--dir", "/run/qubes", NULL);
	add_file("/run/qubes/guest.conf", conf, args);
	add(args, "--bind", stage->paths[STAGE_VCHAN], "/run/qubes/vchan.sock", NULL);
	/* The root folder itself is a tmpfs without a limit: nobody writes there. */
	add(args, "--remount-ro", "/", "--chdir", "/", NULL);
	return 0;
}

static int
add_seccomp(struct bwrap_args *args)
{
	int fd = content_fd(args, "", 0);
	int r;

	if (fd < 0)
		return fd;
	r = sandbox_seccomp_export(fd);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) != 0)
		return -errno;
	add_number(args, "--seccomp", fd);
	return 0;
}

int
bwrap_args_new(const char *program, const struct sandbox_options *options,
    const struct identity *identity, const struct stage *stage, int info_fd, int ready_fd,
    struct bwrap_args *ret)
{
	struct bwrap_args args = {
	    .argv = g_ptr_array_new_with_free_func(g_free),
	    .fds = g_array_new(FALSE, FALSE, sizeof(int)),
	};
	int r;

	add(&args, program, NULL);
	add_namespaces(&args, options, identity);
	r = add_seccomp(&args);
	if (r == 0) {
		add_number(&args, "--info-fd", info_fd);
		add_environment(&args);
		add_programs(&args, stage);
		add_etc(&args, options, stage);
		add_system(&args, options);
		r = add_qube(&args, options, identity, stage);
	}
	if (r < 0) {
		bwrap_args_clear(&args);
		return r;
	}
	add(&args, "--", INIT, NULL);
	add_number(&args, "--ready-fd", ready_fd);
	g_ptr_array_add(args.argv, NULL);
	*ret = args;
	return 0;
}

void
bwrap_args_clear(struct bwrap_args *args)
{
	for (guint i = 0; i < args->fds->len; i++)
		close(g_array_index(args->fds, int, i));
	g_array_unref(args->fds);
	g_ptr_array_unref(args->argv);
	memset(args, 0, sizeof(*args));
}
