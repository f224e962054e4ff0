#include "qubesd/sandbox/state.h"
#include "qubesd/sandbox/tree.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUP "sandbox"

/*
 * Field 22 of /proc/PID/stat; the name in field 2 may hold anything, so count from its end. A
 * process that is dead and only waits for its parent to notice has gone.
 */
static int
start_time_of(pid_t pid, uint64_t *ret)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;
	unsigned long long start;
	const char *rest;
	char process_state;

	if (pid <= 0 || !g_file_get_contents(path, &text, NULL, NULL))
		return -ESRCH;
	rest = strrchr(text, ')');
	if (rest == NULL ||
	    sscanf(rest + 1,
		" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		&process_state, &start) != 2 ||
	    process_state == 'Z' || process_state == 'X')
		return -ESRCH;
	*ret = start;
	return 0;
}

int
process_id_get(pid_t pid, struct process_id *ret)
{
	struct process_id id = {.pid = pid};
	int r;

	r = start_time_of(pid, &id.start_time);
	if (r < 0)
		return r;
	*ret = id;
	return 0;
}

int
process_id_open(const struct process_id *id)
{
	uint64_t start_time;
	int fd;

	if (id->pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, id->pid, 0);
	if (fd < 0)
		return -errno;
	/* Looked at after the descriptor pins the process: the number cannot change hands now. */
	if (start_time_of(id->pid, &start_time) == 0 && start_time == id->start_time)
		return fd;
	close(fd);
	return -ESRCH;
}

void
sandbox_state_clear(struct sandbox_state *state)
{
	g_free(state->uuid);
	g_free(state->name);
	g_free(state->private_dir);
	g_strfreev(state->cgroups);
	memset(state, 0, sizeof(*state));
}

static char *
sandboxes_dir(void)
{
	return path_in_runtime_dir("sandbox");
}

char *
sandbox_dir(uint32_t xid)
{
	g_autofree char *all = sandboxes_dir();

	return g_strdup_printf("%s/%u", all, xid);
}

GArray *
sandbox_state_list(void)
{
	GArray *xids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	g_autofree char *all = sandboxes_dir();
	g_autoptr(GDir) dir = g_dir_open(all, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		guint64 number;
		uint32_t xid;

		if (!g_ascii_string_to_unsigned(name, 10, 1, G_MAXINT32, &number, NULL))
			continue;
		xid = (uint32_t)number;
		g_array_append_val(xids, xid);
	}
	return xids;
}

static void
process_id_save(GKeyFile *file, const char *key, const struct process_id *id)
{
	g_autofree char *key_start = g_strconcat(key, "-start", NULL);

	g_key_file_set_integer(file, GROUP, key, (int)id->pid);
	g_key_file_set_uint64(file, GROUP, key_start, id->start_time);
}

static struct process_id
process_id_load(GKeyFile *file, const char *key)
{
	g_autofree char *key_start = g_strconcat(key, "-start", NULL);
	struct process_id id;

	id.pid = g_key_file_get_integer(file, GROUP, key, NULL);
	id.start_time = g_key_file_get_uint64(file, GROUP, key_start, NULL);
	return id;
}

int
sandbox_state_load(uint32_t xid, struct sandbox_state *ret)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autofree char *dir = sandbox_dir(xid);
	g_autofree char *path = g_build_filename(dir, "state", NULL);
	struct sandbox_state state = {.xid = xid};

	if (access(path, F_OK) < 0)
		return -ENOENT;
	if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
		return -EINVAL;
	state.uuid = g_key_file_get_string(file, GROUP, "uuid", NULL);
	state.name = g_key_file_get_string(file, GROUP, "name", NULL);
	state.private_dir = g_key_file_get_string(file, GROUP, "private", NULL);
	state.memory_mib = (uint32_t)g_key_file_get_integer(file, GROUP, "memory", NULL);
	state.started_us = g_key_file_get_int64(file, GROUP, "started", NULL);
	state.discard = g_key_file_get_boolean(file, GROUP, "discard", NULL);
	state.cgroups = g_key_file_get_string_list(file, GROUP, "cgroups", NULL, NULL);
	state.supervisor = process_id_load(file, "supervisor");
	state.init = process_id_load(file, "init");
	if (state.uuid == NULL || !text_is_uuid(state.uuid) || state.name == NULL ||
	    state.private_dir == NULL) {
		sandbox_state_clear(&state);
		return -EINVAL;
	}
	*ret = state;
	return 0;
}

static int
state_write(const struct sandbox_state *state, const char *dir)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autofree char *path = g_build_filename(dir, "state", NULL);
	g_autoptr(GError) error = NULL;

	g_key_file_set_string(file, GROUP, "uuid", state->uuid);
	g_key_file_set_string(file, GROUP, "name", state->name);
	g_key_file_set_string(file, GROUP, "private", state->private_dir);
	g_key_file_set_boolean(file, GROUP, "discard", state->discard);
	g_key_file_set_integer(file, GROUP, "memory", (int)state->memory_mib);
	g_key_file_set_int64(file, GROUP, "started", state->started_us);
	if (state->cgroups != NULL)
		g_key_file_set_string_list(file, GROUP, "cgroups",
		    (const gchar *const *)state->cgroups, g_strv_length(state->cgroups));
	process_id_save(file, "supervisor", &state->supervisor);
	process_id_save(file, "init", &state->init);
	if (!g_key_file_save_to_file(file, path, &error))
		return -EIO;
	return 0;
}

int
sandbox_state_create(const struct sandbox_state *state)
{
	g_autofree char *all = sandboxes_dir();
	g_autofree char *dir = sandbox_dir(state->xid);
	g_autofree char *fresh = g_build_filename(all, ".new-XXXXXX", NULL);
	int r;

	if (g_mkdir_with_parents(all, 0700) < 0)
		return -errno;
	if (mkdtemp(fresh) == NULL)
		return -errno;
	r = state_write(state, fresh);
	if (r == 0 && renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		tree_remove(fresh);
	return r;
}

int
sandbox_state_save(const struct sandbox_state *state)
{
	g_autofree char *dir = sandbox_dir(state->xid);

	return state_write(state, dir);
}

void
sandbox_state_remove(uint32_t xid)
{
	g_autofree char *dir = sandbox_dir(xid);

	tree_remove(dir);
}
