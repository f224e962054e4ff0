#include "qubesd/storage/driver.h"

#include <string.h>

const struct volume_driver *const volume_drivers[] = {
    &volume_driver_file,
    &volume_driver_reflink,
    &volume_driver_kernel,
    NULL,
};

const struct volume_driver *
volume_driver_find(const char *name)
{
	for (size_t i = 0; volume_drivers[i] != NULL; i++) {
		if (strcmp(volume_drivers[i]->name, name) == 0)
			return volume_drivers[i];
	}
	return NULL;
}

struct volume_image *
volume_image_copy(const struct volume_image *image)
{
	struct volume_image *copy = g_new0(struct volume_image, 1);

	*copy = *image;
	copy->dir = g_strdup(image->dir);
	copy->vid = g_strdup(image->vid);
	copy->source = g_strdup(image->source);
	return copy;
}

void
volume_image_free(struct volume_image *image)
{
	if (image == NULL)
		return;
	g_free(image->dir);
	g_free(image->vid);
	g_free(image->source);
	g_free(image);
}

void
volume_status_clear(struct volume_status *status)
{
	g_clear_pointer(&status->path, g_free);
	g_clear_pointer(&status->revisions, g_ptr_array_unref);
}
