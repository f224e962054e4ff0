#include "qubesd/guest/guest.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- who we are ---------------------------------------------------------------------------- */

static void
set_user(struct guest *guest)
{
	bool is_root = strcmp(guest->conf.default_user, "root") == 0;

	guest->user.name = is_root ? "user" : guest->conf.default_user;
	guest->home = g_build_filename("/home", guest->user.name, NULL);
	guest->user.home = guest->home;
	guest->user.uid = GUEST_USER_ID;
	guest->user.gid = GUEST_USER_ID;
	guest->user.group = GUEST_QUBES_GROUP;
}

int
guest_load(struct guest *guest)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	unsigned line;
	gsize len;
	int r;

	memset(guest, 0, sizeof(*guest));
	if (!g_file_get_contents(GUEST_CONF_PATH, &text, &len, &error)) {
		log_error("%s", error->message);
		return -ENOENT;
	}
	r = guest_conf_parse(text, len, &guest->conf, &line);
	if (r < 0) {
		log_error("%s: line %u is wrong, or a key is missing", GUEST_CONF_PATH, line);
		return r;
	}
	set_user(guest);
	return 0;
}

void
guest_clear(struct guest *guest)
{
	g_free(guest->home);
	memset(guest, 0, sizeof(*guest));
}

int
guest_save_conf(const char *text)
{
	g_autoptr(GError) error = NULL;

	if (g_file_set_contents_full(
		GUEST_CONF_PATH, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error))
		return 0;
	log_error("%s", error->message);
	return -EIO;
}

/* ---- folders ------------------------------------------------------------------------------- */

void
guest_make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		log_warn("%s: %s", path, strerror(errno));
	if (chmod(path, mode) < 0)
		log_warn("%s: %s", path, strerror(errno));
	if (geteuid() == 0 && lchown(path, uid, gid) < 0)
		log_warn("%s: %s", path, strerror(errno));
}

void
guest_make_file(const char *path, const char *content, mode_t mode, uid_t uid)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

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
	guest_make_folder(user->home, 0700, user->uid, user->gid);
	for (size_t i = 0; i < G_N_ELEMENTS(home_files); i++) {
		g_autofree char *path = g_build_filename(user->home, home_files[i].name, NULL);

		guest_make_file(path, home_files[i].content, 0644, user->uid);
	}
}

/* What is switched on for this qube (qvm-service) is an empty file of that name. */
static void
make_service_flags(const struct guest *guest)
{
	g_auto(GStrv) names = g_strsplit(guest->conf.services, " ", -1);

	for (size_t i = 0; names[i] != NULL; i++) {
		g_autofree char *path = g_build_filename("/run/qubes-service", names[i], NULL);

		guest_make_file(path, "", 0644, 0);
	}
}

void
guest_make_folders(const struct guest *guest)
{
	g_autofree char *runtime = g_strdup_printf("/run/user/%d", GUEST_USER_ID);

	guest_make_folder("/run/qubes", 0775, 0, GUEST_QUBES_GROUP);
	guest_make_folder("/run/qubes-service", 0755, 0, 0);
	guest_make_folder("/run/qubes-rpc", 0755, 0, 0);
	guest_make_folder("/run/user", 0755, 0, 0);
	guest_make_folder(runtime, 0700, guest->user.uid, guest->user.gid);
	guest_make_folder("/rw/config", 0755, 0, 0);
	make_home(guest);
	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
		if (flags[i].type == NULL || strcmp(flags[i].type, guest->conf.type) == 0)
			guest_make_file(flags[i].path, "", 0644, 0);
	make_service_flags(guest);
	guest_make_file("/run/qubes-service-environment", "", 0644, 0); /* programs wait for it */
	setenv("XDG_RUNTIME_DIR", runtime, 1);
}
