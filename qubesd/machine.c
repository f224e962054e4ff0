#include "qubesd/machine.h"

#include "qubesd/region_file.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/text.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker_control.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "machine"

/* Over the making and removing of folders and regions. */
static GMutex mutex;

static const char *const files[] = {"port.sock", "console.sock", "conf", "facts"};

static char *
folder_of(uint32_t xid)
{
	g_autofree char *name = g_strdup_printf(FOLDER "/%" PRIu32, xid);

	return path_in_runtime_dir(name);
}

static char *
file_of(uint32_t xid, const char *name)
{
	g_autofree char *folder = folder_of(xid);

	return g_build_filename(folder, name, NULL);
}

char *
machine_port_path(uint32_t xid)
{
	return file_of(xid, "port.sock");
}

char *
machine_console_path(uint32_t xid)
{
	return file_of(xid, "console.sock");
}

enum fact {
	FACT_UUID,
	FACT_KIND,
	FACT_REGION,
	FACT_COUNT,
};

/* A line each. NULL when there are none. g_strfreev(). */
static GStrv
read_facts(uint32_t xid)
{
	g_autofree char *path = file_of(xid, "facts");
	g_autofree char *text = NULL;
	GStrv lines;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	lines = g_strsplit(text, "\n", FACT_COUNT + 1);
	if (g_strv_length(lines) == FACT_COUNT + 1 && text_is_uuid(lines[FACT_UUID]) &&
	    region_file_is_name(lines[FACT_REGION]))
		return lines;
	g_strfreev(lines);
	return NULL;
}

/* One that says nothing of itself, as when its making was cut short, is anybody's. */
static bool
is_of(uint32_t xid, const char *uuid, const char *kind)
{
	g_auto(GStrv) facts = read_facts(xid);

	return facts == NULL || ((uuid == NULL || strcmp(facts[FACT_UUID], uuid) == 0) &&
				    (kind == NULL || strcmp(facts[FACT_KIND], kind) == 0));
}

/* --- making --------------------------------------------------------------------------------- */

static bool
write_file(const char *path, const char *text)
{
	return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
}

static int
make_folder(const struct machine_spec *spec)
{
	g_autofree char *folder = folder_of(spec->xid);
	g_autofree char *facts = file_of(spec->xid, "facts");
	g_autofree char *conf = file_of(spec->xid, "conf");
	g_autofree char *text =
	    g_strconcat(spec->uuid, "\n", spec->kind, "\n", spec->region, "\n", NULL);

	/* libvirt makes the sockets, as whoever it runs as: the folder can be entered, not listed */
	if (g_mkdir_with_parents(folder, 0711) < 0)
		return -errno;
	return write_file(conf, spec->conf) && write_file(facts, text) ? 0 : -EIO;
}

static int
make_files(const struct machine_spec *spec, char **ret_error)
{
	int r = make_folder(spec);

	if (r == 0)
		return region_file_make(REGION_FILE_DIR, spec->region, spec->region_bytes,
		    spec->uid, spec->gid, ret_error);
	*ret_error = g_strdup_printf("its folder cannot be made: %s", g_strerror(-r));
	return r;
}

static int
add_to_broker(const struct machine_spec *spec)
{
	g_autofree char *port = machine_port_path(spec->xid);
	g_autofree char *region = region_file_path(spec->region);
	struct broker_control *broker;
	int r = broker_control_new(NULL, &broker);

	if (r < 0)
		return r;
	r = broker_control_add_machine(broker, spec->xid, port, region, spec->conf);
	if (r == -EEXIST) { /* from a run that nobody could clean up after */
		r = broker_control_remove(broker, spec->xid);
		if (r == 0)
			r = broker_control_add_machine(broker, spec->xid, port, region, spec->conf);
	}
	broker_control_free(broker);
	return r;
}

int
machine_make(const struct machine_spec *spec, char **ret_error)
{
	int r;

	g_mutex_lock(&mutex);
	r = make_files(spec, ret_error);
	g_mutex_unlock(&mutex);
	if (r == 0) {
		r = add_to_broker(spec);
		if (r < 0)
			*ret_error = g_strdup_printf(
			    "vchan-broker does not take it: %s: is it running?", g_strerror(-r));
	}
	if (r < 0)
		machine_remove(spec->xid, spec->uuid, spec->kind);
	return r;
}

void
machine_tell_broker_again(uint32_t xid)
{
	g_autofree char *port = machine_port_path(xid);
	g_autofree char *conf_file = file_of(xid, "conf");
	g_autofree char *region = NULL;
	g_autofree char *conf = NULL;
	g_auto(GStrv) facts = read_facts(xid);
	struct broker_control *broker;
	int r;

	if (facts == NULL || !g_file_get_contents(conf_file, &conf, NULL, NULL))
		return;
	region = region_file_path(facts[FACT_REGION]);
	r = broker_control_new(NULL, &broker);
	if (r == 0) {
		r = broker_control_add_machine(broker, xid, port, region, conf);
		broker_control_free(broker);
	}
	if (r == 0)
		log_info("vchan-broker knows machine %" PRIu32 " again", xid);
	else if (r != -EEXIST) /* the broker that it has always had */
		log_warn("vchan-broker does not take machine %" PRIu32 ": %s: kill that qube", xid,
		    g_strerror(-r));
}

/* --- the console ---------------------------------------------------------------------------- */

static void
child_setup(gpointer unused)
{
	(void)unused;
	(void)setsid(); /* it outlives us, and a Ctrl-C for us is none for it */
}

void
machine_watch_console(uint32_t xid, const char *name)
{
	g_autofree char *path = machine_console_path(xid);
	g_autofree char *program = path_program("bordure-sandbox");
	g_autofree char *option = g_strconcat("--name=", name, NULL);
	const char *argv[] = {program, "console", option, NULL};
	g_autoptr(GError) error = NULL;
	int fd = unix_socket_dial(path, SOCK_STREAM);

	if (fd < 0) {
		log_warn("%s: no log of its console: %s", name, g_strerror(-fd));
		return;
	}
	if (!g_spawn_async_with_fds(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, child_setup, NULL,
		NULL, fd, -1, -1, &error))
		log_warn("%s: no log of its console: %s", name, error->message);
	close(fd);
}

/* --- removing ------------------------------------------------------------------------------- */

static void
remove_from_broker(uint32_t xid)
{
	int r = broker_control_forget(xid);

	if (r < 0)
		log_warn("vchan-broker keeps domain %" PRIu32 ": %s", xid, g_strerror(-r));
}

static void
remove_files(uint32_t xid)
{
	g_autofree char *folder = folder_of(xid);

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_build_filename(folder, files[i], NULL);

		(void)unlink(path);
	}
	if (rmdir(folder) < 0 && errno != ENOENT)
		log_warn("%s stays: %s", folder, g_strerror(errno));
}

/* The region and the folder. */
static void
remove_rest(uint32_t xid)
{
	g_auto(GStrv) facts = read_facts(xid);

	if (facts != NULL)
		region_file_remove(REGION_FILE_DIR, facts[FACT_REGION]);
	remove_files(xid);
}

void
machine_remove(uint32_t xid, const char *uuid, const char *kind)
{
	g_autofree char *folder = folder_of(xid);
	bool ours;

	g_mutex_lock(&mutex);
	ours = access(folder, F_OK) == 0 && is_of(xid, uuid, kind);
	g_mutex_unlock(&mutex);
	if (!ours)
		return;
	remove_from_broker(xid);
	g_mutex_lock(&mutex);
	remove_rest(xid);
	g_mutex_unlock(&mutex);
}

GArray *
machine_list(const char *kind)
{
	g_autofree char *path = path_in_runtime_dir(FOLDER);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	GArray *xids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		guint64 number;
		uint32_t xid;

		if (!g_ascii_string_to_unsigned(name, 10, 1, INT32_MAX, &number, NULL))
			continue;
		xid = (uint32_t)number;
		if (is_of(xid, NULL, kind))
			g_array_append_val(xids, xid);
	}
	return xids;
}
