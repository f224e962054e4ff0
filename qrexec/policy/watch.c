#include "qrexec/policy/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCH_EVENTS                                                                               \
	(IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO |        \
	    IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

/* What one inotify watch is there for: a whole folder, or certain names in it. */
struct place {
	bool whole;
	GHashTable *names; /* set of owned char * */
};

/* Which folder stood at a path when it was read; a mount over it changes that without an event. */
struct identity {
	dev_t device;
	ino_t inode;
};

struct watch {
	int fd;     /* inotify; -1 when there is none */
	bool blind; /* something could not be watched */
	bool changed;
	GHashTable *folders;  /* path (owned) -> owned struct identity */
	GHashTable *places;   /* watch descriptor -> owned struct place */
	GHashTable *writing;  /* set of owned "descriptor/name": files begun and not closed */
	gint64 writing_since; /* monotonic us, of the oldest of them */
};

static void
place_free(gpointer data)
{
	struct place *place = data;

	g_hash_table_unref(place->names);
	g_free(place);
}

struct watch *
watch_new(void)
{
	struct watch *watch = g_new0(struct watch, 1);

	watch->fd = -1;
	watch->blind = true;
	watch->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	watch->places = g_hash_table_new_full(NULL, NULL, NULL, place_free);
	watch->writing = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return watch;
}

static void
close_inotify(struct watch *watch)
{
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	close_inotify(watch);
	g_hash_table_unref(watch->folders);
	g_hash_table_unref(watch->places);
	g_hash_table_unref(watch->writing);
	g_free(watch);
}

/* --- adding --------------------------------------------------------------------------------- */

/* Watches path, for one name in it or (NULL) for everything. Returns 0 or a negative errno. */
static int
add_place(struct watch *watch, const char *path, const char *name)
{
	int descriptor = inotify_add_watch(watch->fd, path, WATCH_EVENTS | IN_ONLYDIR);
	struct place *place;

	if (descriptor < 0)
		return -errno;
	place = g_hash_table_lookup(watch->places, GINT_TO_POINTER(descriptor));
	if (place == NULL) {
		place = g_new0(struct place, 1);
		place->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		g_hash_table_insert(watch->places, GINT_TO_POINTER(descriptor), place);
	}
	if (name == NULL)
		place->whole = true;
	else
		g_hash_table_add(place->names, g_strdup(name));
	return 0;
}

static struct identity
identity_of(const char *path)
{
	struct stat state;

	if (stat(path, &state) < 0)
		return (struct identity){0};
	return (struct identity){.device = state.st_dev, .inode = state.st_ino};
}

/* The folder itself, if it is there, and its name in the nearest folder above that is. */
static void
add_folder(struct watch *watch, const char *folder)
{
	g_autofree char *path = g_strdup(folder);
	int r = add_place(watch, folder, NULL);

	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		watch->blind = true;
	do {
		g_autofree char *parent = g_path_get_dirname(path);
		g_autofree char *name = g_path_get_basename(path);

		if (strcmp(parent, path) == 0)
			return;
		r = add_place(watch, parent, name);
		g_free(path);
		path = g_steal_pointer(&parent);
	} while (r == -ENOENT || r == -ENOTDIR);
	if (r < 0)
		watch->blind = true;
}

void
watch_restart(struct watch *watch, GHashTable *folders)
{
	GHashTableIter iter;
	gpointer folder;

	close_inotify(watch);
	g_hash_table_remove_all(watch->folders);
	g_hash_table_remove_all(watch->places);
	g_hash_table_remove_all(watch->writing);
	watch->changed = false;
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch->blind = watch->fd < 0;
	g_hash_table_iter_init(&iter, folders);
	while (!watch->blind && g_hash_table_iter_next(&iter, &folder, NULL)) {
		struct identity identity = identity_of(folder);

		g_hash_table_insert(
		    watch->folders, g_strdup(folder), g_memdup2(&identity, sizeof(identity)));
		add_folder(watch, folder);
	}
}

/* --- checking ------------------------------------------------------------------------------- */

static void
take_event(struct watch *watch, const struct inotify_event *event)
{
	struct place *place = g_hash_table_lookup(watch->places, GINT_TO_POINTER(event->wd));
	const char *name = event->len > 0 ? event->name : "";
	g_autofree char *file = g_strdup_printf("%d/%s", event->wd, name);

	if (place == NULL || (event->mask & (IN_Q_OVERFLOW | IN_IGNORED))) {
		watch->changed = true;
		return;
	}
	if (!place->whole && name[0] != '\0' && !g_hash_table_contains(place->names, name))
		return;
	if ((event->mask & (IN_CREATE | IN_MODIFY)) && !(event->mask & IN_ISDIR)) {
		if (g_hash_table_size(watch->writing) == 0)
			watch->writing_since = g_get_monotonic_time();
		g_hash_table_add(watch->writing, g_steal_pointer(&file));
		return;
	}
	if (!(event->mask & IN_ATTRIB))
		g_hash_table_remove(watch->writing, file);
	watch->changed = true;
}

static void
take_events(struct watch *watch)
{
	char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len;

	while ((len = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		for (char *p = buffer; p < buffer + len;) {
			const struct inotify_event *event = (const void *)p;

			take_event(watch, event);
			p += sizeof(*event) + event->len;
		}
	}
	if (len < 0 && errno != EAGAIN && errno != EINTR)
		watch->blind = true;
}

static bool
folders_are_the_same(const struct watch *watch)
{
	GHashTableIter iter;
	gpointer folder, known;

	g_hash_table_iter_init(&iter, watch->folders);
	while (g_hash_table_iter_next(&iter, &folder, &known)) {
		const struct identity *then = known;
		struct identity now = identity_of(folder);

		if (now.device != then->device || now.inode != then->inode)
			return false;
	}
	return true;
}

enum watch_state
watch_check(struct watch *watch)
{
	gint64 writing_us;

	if (watch->fd >= 0)
		take_events(watch);
	if (watch->blind || !folders_are_the_same(watch))
		watch->changed = true;
	if (g_hash_table_size(watch->writing) > 0) {
		writing_us = g_get_monotonic_time() - watch->writing_since;
		if (writing_us < WATCH_WRITING_MS * G_TIME_SPAN_MILLISECOND)
			return WATCH_WRITING;
		g_hash_table_remove_all(watch->writing);
		watch->changed = true;
	}
	return watch->changed ? WATCH_CHANGED : WATCH_SAME;
}
