#include "qubesd/domain_ids.h"

#include "shared/paths.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>

#define FILE_NAME "last-xid"
#define TRIES_MAX 100000 /* more than there can be qubes */

/* 0 when none was given out yet, or nobody can tell. */
static uint32_t
read_last(const char *path)
{
	g_autofree char *text = NULL;
	guint64 last;

	if (!g_file_get_contents(path, &text, NULL, NULL) ||
	    !g_ascii_string_to_unsigned(g_strchomp(text), 10, 1, DOMAIN_IDS_LAST, &last, NULL))
		return 0;
	return (uint32_t)last;
}

/* A new file in place of the old one: a number that was given out is never forgotten by half. */
static int
write_last(const char *path, uint32_t id)
{
	g_autofree char *text = g_strdup_printf("%" PRIu32 "\n", id);
	g_autoptr(GError) error = NULL;

	if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
		return 0;
	return error->code == G_FILE_ERROR_NOSPC ? -ENOSPC : -EIO;
}

int
domain_ids_next(bool beside_xen, domain_ids_taken is_taken, void *data, uint32_t *ret)
{
	const uint32_t first = beside_xen ? DOMAIN_IDS_FIRST_BESIDE_XEN : DOMAIN_IDS_FIRST;
	g_autofree char *path = path_in_runtime_dir(FILE_NAME);
	uint32_t id = read_last(path);
	int r;

	for (int i = 0; i < TRIES_MAX; i++) {
		id = id < first || id >= DOMAIN_IDS_LAST ? first : id + 1;
		if (is_taken(id, data))
			continue;
		r = write_last(path, id);
		if (r == 0)
			*ret = id;
		return r;
	}
	return -ENOSPC;
}
