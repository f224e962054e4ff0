#include "qubesd/sandbox/private.h"

#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {"rw", "home", "usrlocal"};

static bool
owner_load(const char *dir, struct tree_owner *ret)
{
	g_autofree char *path = g_build_filename(dir, "owner", NULL);
	g_autofree char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) &&
	       sscanf(text, "%u %u", &ret->first, &ret->count) == 2 && ret->count > 0;
}

static int
owner_save(const char *dir, const struct tree_owner *owner)
{
	g_autofree char *path = g_build_filename(dir, "owner", NULL);
	g_autofree char *text = g_strdup_printf("%u %u\n", owner->first, owner->count);

	return g_file_set_contents(path, text, -1, NULL) ? 0 : -EIO;
}

static bool
owner_equal(const struct tree_owner *a, const struct tree_owner *b)
{
	return a->first == b->first && a->count == b->count;
}

/* The inside root owns the three, and others may look; what lies in them has its own modes. */
static int
make_folder(const char *path, const struct tree_owner *owner)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (geteuid() == 0 && lchown(path, owner->first, owner->first) < 0)
		return -errno;
	return chmod(path, 0755) < 0 ? -errno : 0;
}

/* Files whose owners nobody wrote down belong to whoever: they become the inside user's. */
static const struct tree_owner unknown_owner = {0, 1};

static int
copy_from(const char *source, const char *dir, const struct identity *identity)
{
	struct tree_owner from = unknown_owner;
	bool shifts = identity->kind != IDENTITY_OWN;

	(void)owner_load(source, &from);
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *in = g_build_filename(source, folders[i], NULL);
		g_autofree char *out = g_build_filename(dir, folders[i], NULL);
		int r = tree_copy(in, out, shifts ? &from : NULL, shifts ? &identity->owner : NULL);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

static int
give_to(const char *dir, const struct identity *identity)
{
	struct tree_owner from = unknown_owner;

	if (owner_load(dir, &from) && owner_equal(&from, &identity->owner))
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_build_filename(dir, folders[i], NULL);
		int r = tree_shift(path, &from, &identity->owner);

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* *ret_copied: whether it was the copy that failed. */
static int
prepare(const char *dir, const char *source, bool fresh, const struct identity *identity,
    bool *ret_copied)
{
	bool is_new;
	int r = fresh ? tree_remove(dir) : 0;

	if (r < 0)
		return r;
	is_new = g_access(dir, F_OK) < 0;
	if (g_mkdir_with_parents(dir, 0700) < 0 || chmod(dir, 0700) < 0)
		return -errno;
	*ret_copied = is_new && source != NULL;
	if (*ret_copied)
		r = copy_from(source, dir, identity);
	else if (!is_new)
		r = give_to(dir, identity);
	if (r < 0)
		return r;
	*ret_copied = false;
	for (size_t i = 0; r == 0 && i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *path = g_build_filename(dir, folders[i], NULL);

		r = make_folder(path, &identity->owner);
	}
	return r < 0 ? r : owner_save(dir, &identity->owner);
}

int
private_prepare(const char *dir, const char *source, bool fresh, const struct identity *identity,
    char **ret_error)
{
	bool copied = false;
	int r = prepare(dir, source, fresh, identity, &copied);

	if (r < 0 && copied)
		*ret_error = g_strdup_printf(
		    "a copy of the private folder %s cannot be made: %s", source, g_strerror(-r));
	else if (r == -EPERM || r == -EACCES)
		*ret_error = g_strdup_printf("the private folder %s belongs to somebody else (used "
					     "as root before?): give it back with chown -R",
		    dir);
	else if (r < 0)
		*ret_error = g_strdup_printf("the private folder %s: %s", dir, g_strerror(-r));
	return r;
}
