/* The pool of kernels: DIR/VERSION/modules.img, read-only and everybody's. */
#include "qubesd/storage/driver.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char *const parameters[] = {"dir_path*", NULL};

static char *
modules_path(const struct volume_image *image)
{
	return g_build_filename(image->dir, image->vid, "modules.img", NULL);
}

static int
verify(const struct volume_image *image, char **ret_error)
{
	g_autofree char *path = g_build_filename(image->dir, image->vid, "vmlinuz", NULL);

	if (image->vid[0] == '\0' || g_file_test(path, G_FILE_TEST_EXISTS))
		return 0;
	*ret_error = g_strdup_printf("there is no kernel %s", image->vid);
	return -ENOENT;
}

static int
start(const struct volume_image *image, char **ret_path, char **ret_error)
{
	g_autofree char *path = modules_path(image);

	(void)ret_error;
	*ret_path = image->vid[0] != '\0' && g_file_test(path, G_FILE_TEST_IS_REGULAR)
			? g_steal_pointer(&path)
			: NULL;
	return 0;
}

static int
nothing(const struct volume_image *image, char **ret_error)
{
	(void)image, (void)ret_error;
	return 0;
}

static int
status(const struct volume_image *image, struct volume_status *ret, char **ret_error)
{
	struct stat file;

	*ret = (struct volume_status){.is_outdated = -1};
	ret->revisions = g_ptr_array_new_with_free_func(g_free);
	start(image, &ret->path, ret_error);
	if (ret->path != NULL && stat(ret->path, &file) == 0) {
		ret->size = (uint64_t)file.st_size;
		ret->usage = (uint64_t)file.st_blocks * 512;
	}
	return 0;
}

const struct volume_driver volume_driver_kernel = {
    .name = "linux-kernel",
    .parameters = parameters,
    .remove = nothing,
    .verify = verify,
    .start = start,
    .stop = nothing,
    .recover = nothing,
    .status = status,
};
