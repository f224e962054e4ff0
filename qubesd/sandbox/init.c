/*
 * bordure-init - process 1 of a sandbox.
 *
 * It runs inside: as the inside root where there is one (guest.conf: privileged=1), else as the
 * user, like everything else there. It holds no secret and no right that the qube should not have;
 * what keeps the qube in is around it and was there before it. Its work: make the folders that a
 * guest expects (docs/sandbox.md), keep the agents running, reap, and end in order on SIGTERM.
 */
#include "qubesd/sandbox/agents.h"
#include "shared/guest_conf.h"
#include "shared/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USER_ID 1000
#define QUBES_GROUP 98
#define END_MS 5000 /* from TERM to KILL */

struct guest {
	struct guest_conf conf;
	struct account user;
	char *home; /* owned */
	struct agent agents[AGENT_COUNT];
	int signals; /* signalfd */
	bool ending;
	int64_t kill_ms; /* when patience is over; while ending */
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the folders of a guest ---------------------------------------------------------------- */

static void
make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		log_warn("%s: %s", path, strerror(errno));
	if (chmod(path, mode) < 0)
		log_warn("%s: %s", path, strerror(errno));
	if (geteuid() == 0 && lchown(path, uid, gid) < 0)
		log_warn("%s: %s", path, strerror(errno));
}

/* A file that is there already stays as it is. */
static void
make_file(const char *path, const char *content, uid_t uid)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	if (write(fd, content, strlen(content)) < 0 || (geteuid() == 0 && fchown(fd, uid, uid) < 0))
		log_warn("%s: %s", path, strerror(errno));
	close(fd);
}

struct flag {
	const char *type; /* class; NULL: every one */
	const char *path; /* an empty file */
};

static const struct flag flags[] = {
    {"AppVM", "/run/qubes/this-is-appvm"},
    {"StandaloneVM", "/run/qubes/this-is-appvm"},
    {"TemplateVM", "/run/qubes/this-is-templatevm"},
    {"AppVM", "/run/qubes/persistent-rw-only"},
    {"StandaloneVM", "/run/qubes/persistent-rw-only"},
    {"TemplateVM", "/run/qubes/persistent-rw-only"},
    {"DispVM", "/run/qubes/persistent-none"},
    {NULL, "/run/qubes-service/software-rendering"},
    /* last: programs wait for it */
    {NULL, "/run/qubes-service-environment"},
};

static const struct {
	const char *name, *content;
} home_files[] = {
    {".profile", "# Read by login shells.\n"
		 "[ -n \"$BASH_VERSION\" ] && [ -f \"$HOME/.bashrc\" ] && . \"$HOME/.bashrc\"\n"},
    {".bashrc", "# Read by interactive shells.\n"
		"case $- in *i*) ;; *) return ;; esac\n"
		"PS1='[\\u@\\h \\W]\\$ '\n"
		"alias ls='ls --color=auto'\n"},
};

static void
make_home(const struct guest *guest)
{
	const struct account *user = &guest->user;

	if (access(user->home, F_OK) == 0)
		return;
	make_folder(user->home, 0700, user->uid, user->gid);
	for (size_t i = 0; i < G_N_ELEMENTS(home_files); i++) {
		g_autofree char *path = g_build_filename(user->home, home_files[i].name, NULL);

		make_file(path, home_files[i].content, user->uid);
	}
}

static void
make_folders(const struct guest *guest)
{
	g_autofree char *runtime = g_strdup_printf("/run/user/%d", USER_ID);

	make_folder("/run/qubes", 0775, 0, QUBES_GROUP);
	make_folder("/run/qubes-service", 0755, 0, 0);
	make_folder("/run/qubes-rpc", 0755, 0, 0);
	make_folder("/run/user", 0755, 0, 0);
	make_folder(runtime, 0700, guest->user.uid, guest->user.gid);
	make_folder("/rw/config", 0755, 0, 0);
	make_home(guest);
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
		if (flags[i].type == NULL || strcmp(flags[i].type, guest->conf.type) == 0)
			make_file(flags[i].path, "", 0);
	setenv("XDG_RUNTIME_DIR", runtime, 1);
}

/* ---- start --------------------------------------------------------------------------------- */

static int
read_conf(struct guest_conf *ret)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	unsigned line;
	gsize len;
	int r;

	if (!g_file_get_contents(GUEST_CONF_PATH, &text, &len, &error)) {
		log_error("%s", error->message);
		return -ENOENT;
	}
	r = guest_conf_parse(text, len, ret, &line);
	if (r < 0)
		log_error("%s: line %u is wrong, or a key is missing", GUEST_CONF_PATH, line);
	return r;
}

static void
set_user(struct guest *guest)
{
	bool is_root = strcmp(guest->conf.default_user, "root") == 0;

	guest->user.name = is_root ? "user" : guest->conf.default_user;
	guest->home = g_build_filename("/home", guest->user.name, NULL);
	guest->user.home = guest->home;
	guest->user.uid = USER_ID;
	guest->user.gid = USER_ID;
	guest->user.group = QUBES_GROUP;
}

/* Signals come through a descriptor, so none is handled in the middle of something. */
static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Tells the host that the sandbox stands: one byte. */
static void
say_ready(int argc, char **argv)
{
	guint64 fd;

	if (argc != 3 || strcmp(argv[1], "--ready-fd") != 0 ||
	    !g_ascii_string_to_unsigned(argv[2], 10, 3, 1024, &fd, NULL))
		return;
	if (write((int)fd, "+", 1) != 1)
		log_warn("the host does not listen");
}

/* Nothing of what made the sandbox is handed on. */
static void
close_inherited(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

/* ---- run ----------------------------------------------------------------------------------- */

static void
end_begin(struct guest *guest)
{
	if (guest->ending)
		return;
	guest->ending = true;
	guest->kill_ms = now_ms() + END_MS;
	kill(-1, SIGTERM);
	kill(-1, SIGCONT); /* what was stopped must hear it too */
}

/* Returns false when there is no child any more. */
static bool
reap(struct guest *guest)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!guest->ending)
			agents_on_exit(guest->agents, pid, status, now_ms());
	return pid == 0;
}

static void
read_signals(struct guest *guest)
{
	struct signalfd_siginfo info;

	while (read(guest->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			end_begin(guest);
}

static int
next_timeout(const struct guest *guest)
{
	int64_t left;

	if (!guest->ending)
		return agents_timeout(guest->agents, now_ms());
	left = guest->kill_ms - now_ms();
	return left > 0 ? (int)left : 0;
}

static void
run(struct guest *guest)
{
	for (;;) {
		struct pollfd pfd = {.fd = guest->signals, .events = POLLIN};
		bool children;

		if (!guest->ending)
			agents_start_due(
			    guest->agents, &guest->user, guest->conf.privileged, now_ms());
		poll(&pfd, 1, next_timeout(guest));
		read_signals(guest);
		children = reap(guest);
		if (guest->ending && !children)
			return;
		if (guest->ending && now_ms() >= guest->kill_ms) {
			kill(-1, SIGKILL);
			return; /* with us the kernel ends what is still there */
		}
	}
}

int
main(int argc, char **argv)
{
	struct guest guest = {0};

	log_init("bordure-init");
	umask(0022);
	if (getpid() != 1) {
		log_error("this is process 1 of a sandbox, not a program to start by hand");
		return 2;
	}
	guest.signals = -1;
	say_ready(argc, argv);
	close_inherited();
	guest.signals = open_signals();
	if (guest.signals < 0 || read_conf(&guest.conf) < 0)
		return 1;
	log_set_debug(guest.conf.debug);
	set_user(&guest);
	make_folders(&guest);
	agents_init(guest.agents, &guest.conf, now_ms());
	run(&guest);
	g_free(guest.home);
	return 0;
}
