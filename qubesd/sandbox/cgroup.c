#include "qubesd/sandbox/cgroup.h"
#include "shared/io.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PARENT "bordure"
#define STALE_S 60

/* A mounted hierarchy: where, and which controllers (version 1) it has. */
struct hierarchy {
	char *mount;   /* owned */
	char *options; /* owned: "rw,memory"; version 2: NULL */
};

static void
hierarchy_free(gpointer data)
{
	struct hierarchy *hierarchy = data;

	g_free(hierarchy->mount);
	g_free(hierarchy->options);
	g_free(hierarchy);
}

/* Lines of mountinfo: "... root mount-point ... - type source super-options". */
static GPtrArray *
hierarchies_find(void)
{
	GPtrArray *found = g_ptr_array_new_with_free_func(hierarchy_free);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
		return found;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		g_auto(GStrv) words = g_strsplit(*line, " ", -1);
		guint count = g_strv_length(words);
		bool v1 = count > 6 && strcmp(words[count - 3], "cgroup") == 0;
		bool v2 = count > 6 && strcmp(words[count - 3], "cgroup2") == 0;
		struct hierarchy *hierarchy;

		if (!v1 && !v2)
			continue;
		hierarchy = g_new0(struct hierarchy, 1);
		hierarchy->mount = g_strdup(words[4]);
		hierarchy->options = v1 ? g_strdup(words[count - 1]) : NULL;
		g_ptr_array_add(found, hierarchy);
	}
	return found;
}

static bool
hierarchy_has(const struct hierarchy *hierarchy, const char *controller)
{
	g_auto(GStrv) words = NULL;

	if (hierarchy->options == NULL)
		return false;
	words = g_strsplit(hierarchy->options, ",", -1);
	return g_strv_contains((const gchar *const *)words, controller);
}

static int
write_file(const char *folder, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	return io_write_file(path, text);
}

static int
write_number(const char *folder, const char *name, uint64_t number)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

	return write_file(folder, name, text);
}

/* Our own group of version 2: "0::/path" in /proc/self/cgroup. */
static char *
own_group_v2(void)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents("/proc/self/cgroup", &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL; line++)
		if (g_str_has_prefix(*line, "0::"))
			return g_strdup(*line + strlen("0::"));
	return NULL;
}

struct making {
	const char *uuid;
	const struct cgroup_limits *limits;
	GPtrArray *folders;
	bool memory, pids; /* limits that are set */
};

/*
 * Groups of sandboxes that lost everybody who knew of them. Only empty ones can be removed, and a
 * young one may be empty because its sandbox is just being made.
 */
static void
remove_stale(const char *parent)
{
	g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *folder = g_build_filename(parent, name, NULL);
		struct stat st;

		if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
		    st.st_mtime + STALE_S < time(NULL))
			(void)rmdir(folder);
	}
}

/* The parent may be removed by the end of another sandbox between the two steps: again then. */
static char *
make_folder(const char *parent, const char *uuid)
{
	char *folder = g_build_filename(parent, uuid, NULL);

	remove_stale(parent);
	for (int i = 0; i < 3; i++) {
		if (g_mkdir(parent, 0755) < 0 && errno != EEXIST)
			break;
		if (g_mkdir(folder, 0755) == 0 || errno == EEXIST)
			return folder;
	}
	g_free(folder);
	return NULL;
}

static void
make_v2(struct making *making, const struct hierarchy *hierarchy)
{
	g_autofree char *own = geteuid() == 0 ? g_strdup("/") : own_group_v2();
	g_autofree char *base = NULL;
	g_autofree char *parent = NULL;
	char *folder;

	if (own == NULL)
		return;
	base = g_build_filename(hierarchy->mount, own, NULL);
	parent = g_build_filename(base, PARENT, NULL);
	folder = make_folder(parent, making->uuid);
	if (folder == NULL)
		return;
	/* Where they are on already this changes nothing; where they cannot be had, no harm. */
	(void)write_file(base, "cgroup.subtree_control", "+memory");
	(void)write_file(base, "cgroup.subtree_control", "+pids");
	(void)write_file(parent, "cgroup.subtree_control", "+memory");
	(void)write_file(parent, "cgroup.subtree_control", "+pids");
	g_ptr_array_add(making->folders, folder);
	if (write_number(folder, "memory.max", making->limits->memory_bytes) == 0)
		making->memory = true;
	if (write_number(folder, "pids.max", making->limits->pids) == 0)
		making->pids = true;
}

static void
make_v1(struct making *making, const struct hierarchy *hierarchy)
{
	bool memory = hierarchy_has(hierarchy, "memory");
	bool pids = hierarchy_has(hierarchy, "pids");
	g_autofree char *parent = g_build_filename(hierarchy->mount, PARENT, NULL);
	char *folder;

	if (!memory && !pids && !hierarchy_has(hierarchy, "freezer") &&
	    !hierarchy_has(hierarchy, "cpuacct"))
		return;
	folder = make_folder(parent, making->uuid);
	if (folder == NULL)
		return;
	g_ptr_array_add(making->folders, folder);
	if (memory &&
	    write_number(folder, "memory.limit_in_bytes", making->limits->memory_bytes) == 0)
		making->memory = true;
	if (pids && write_number(folder, "pids.max", making->limits->pids) == 0)
		making->pids = true;
}

void
cgroup_new(
    const char *uuid, const struct cgroup_limits *limits, char ***ret_folders, char **ret_missing)
{
	g_autoptr(GPtrArray) hierarchies = hierarchies_find();
	struct making making = {uuid, limits, g_ptr_array_new(), false, false};

	for (guint i = 0; i < hierarchies->len; i++) {
		const struct hierarchy *hierarchy = hierarchies->pdata[i];

		if (hierarchy->options == NULL)
			make_v2(&making, hierarchy);
		else
			make_v1(&making, hierarchy);
	}
	g_ptr_array_add(making.folders, NULL);
	*ret_folders = (char **)g_ptr_array_free(making.folders, FALSE);
	*ret_missing =
	    making.memory && making.pids
		? NULL
		: g_strdup_printf("%s%s%s", making.memory ? "" : "memory",
		      making.memory || making.pids ? "" : ", ", making.pids ? "" : "processes");
}

int
cgroup_add(char *const *folders, pid_t pid)
{
	int r = 0;

	for (; *folders != NULL; folders++) {
		int one = write_number(*folders, "cgroup.procs", (uint64_t)pid);

		if (r == 0)
			r = one;
	}
	return r;
}

static void
kill_inside(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "cgroup.procs", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		gint64 pid = g_ascii_strtoll(*line, NULL, 10);

		if (pid > 1 && pid != getpid())
			kill((pid_t)pid, SIGKILL);
	}
}

void
cgroup_free(char *const *folders)
{
	for (; folders != NULL && *folders != NULL; folders++) {
		g_autofree char *parent = g_path_get_dirname(*folders);

		/* The last process may still be on its way out: 1 second, mostly none. */
		for (int i = 0; i < 100 && rmdir(*folders) < 0 && errno == EBUSY; i++) {
			(void)cgroup_freeze((char *const[]){*folders, NULL}, false);
			kill_inside(*folders);
			g_usleep(10000);
		}
		(void)rmdir(parent); /* fails while others have one there */
	}
}

int
cgroup_freeze(char *const *folders, bool on)
{
	int r = -ENOTSUP;

	for (; folders != NULL && *folders != NULL; folders++) {
		int one = write_file(*folders, "freezer.state", on ? "FROZEN" : "THAWED");

		if (one == -ENOENT)
			one = write_file(*folders, "cgroup.freeze", on ? "1" : "0");
		if (one == 0)
			return 0;
		if (one != -ENOENT)
			r = one;
	}
	return r;
}

static bool
file_starts_with(const char *folder, const char *name, const char *prefix)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) && g_str_has_prefix(text, prefix);
}

bool
cgroup_is_frozen(char *const *folders)
{
	for (; folders != NULL && *folders != NULL; folders++)
		if (file_starts_with(*folders, "freezer.state", "FR") ||
		    file_starts_with(*folders, "cgroup.freeze", "1"))
			return true;
	return false;
}

static bool
read_number(const char *folder, const char *name, uint64_t *ret)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);
	g_autofree char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return false;
	g_strstrip(text);
	return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret, NULL);
}

bool
cgroup_memory_kib(char *const *folders, uint64_t *ret)
{
	uint64_t bytes;

	for (; folders != NULL && *folders != NULL; folders++)
		if (read_number(*folders, "memory.usage_in_bytes", &bytes) ||
		    read_number(*folders, "memory.current", &bytes)) {
			*ret = bytes / 1024;
			return true;
		}
	return false;
}

bool
cgroup_cpu_ns(char *const *folders, uint64_t *ret)
{
	for (; folders != NULL && *folders != NULL; folders++) {
		g_autofree char *path = g_build_filename(*folders, "cpu.stat", NULL);
		g_autofree char *text = NULL;
		unsigned long long us;

		if (read_number(*folders, "cpuacct.usage", ret))
			return true;
		if (!g_file_get_contents(path, &text, NULL, NULL))
			continue;
		if (sscanf(text, "usage_usec %llu", &us) == 1) {
			*ret = us * 1000;
			return true;
		}
	}
	return false;
}
