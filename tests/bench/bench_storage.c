/*
 * bench_storage - what it takes to prepare the root of a start: a snapshot of an image of 1.5 GiB with
 * 700 MiB of data in it, beside a bare "cp --sparse" of the same file on the same file system.
 *
 *   bench_storage DIR     the folder lies on the file system to measure
 */
#include "qubesd/storage/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((off_t)1 << 20)
#define IMAGE_MIB 1536
#define DATA_MIB 700
#define PIECE_MIB 7 /* data comes in pieces of this, evenly spread */
#define ROUNDS 7

static void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void
make_image(const char *path)
{
	g_autofree char *data = g_malloc(MIB);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int pieces = DATA_MIB / PIECE_MIB;

	if (fd < 0 || ftruncate(fd, IMAGE_MIB * MIB) < 0)
		die(path);
	for (int i = 0; i < pieces; i++) {
		for (int k = 0; k < PIECE_MIB; k++) {
			memset(data, 'a' + (i + k) % 26, MIB);
			if (pwrite(fd, data, MIB, ((off_t)i * IMAGE_MIB / pieces + k) * MIB) != MIB)
				die(path);
		}
	}
	if (fsync(fd) < 0)
		die(path);
	close(fd);
}

static double
now_ms(void)
{
	return (double)g_get_monotonic_time() / 1000;
}

static int
compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static void
report(const char *what, double *ms, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		die(path);
	qsort(ms, ROUNDS, sizeof(*ms), compare);
	printf("%-34s p50 %8.1f ms   max %8.1f ms   takes %4ld MiB   n %d\n", what, ms[ROUNDS / 2],
	    ms[ROUNDS - 1], (long)(status.st_blocks / 2048), ROUNDS);
}

static void
bench_start(const char *what, const struct volume_driver *driver, struct volume_image *image)
{
	double ms[ROUNDS];
	char *error = NULL, *path = NULL;

	for (int i = 0; i < ROUNDS; i++) {
		double began = now_ms();

		g_free(path);
		if (driver->start(image, &path, &error) < 0) {
			printf("%-34s %s\n", what, error);
			g_free(error);
			return;
		}
		ms[i] = now_ms() - began;
		if (i + 1 < ROUNDS)
			driver->stop(image, &error);
	}
	report(what, ms, path);
	driver->stop(image, &error);
	g_free(path);
}

static void
bench_cp(const char *what, const char *reflink, const char *from, const char *to)
{
	const char *argv[] = {"cp", "--sparse=always", reflink, from, to, NULL};
	double ms[ROUNDS];

	if (strcmp(reflink, "--reflink=always") == 0)
		argv[1] = "--sparse=auto"; /* cp does not take both */
	for (int i = 0; i < ROUNDS; i++) {
		double began = now_ms();
		int status;

		unlink(to);
		if (!g_spawn_sync(NULL, (char **)argv, NULL,
			G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL,
			&status, NULL) ||
		    status != 0) {
			printf("%-34s cannot\n", what);
			return;
		}
		ms[i] = now_ms() - began;
	}
	report(what, ms, to);
	unlink(to);
}

int
main(int argc, char **argv)
{
	g_autofree char *folder = NULL;
	g_autofree char *image_path = NULL;
	g_autofree char *copy = NULL;
	struct volume_image image = {
	    .dir = argc == 2 ? argv[1] : NULL,
	    .vid = (char *)"bench/root",
	    .source = (char *)"bench/base",
	    .size = (uint64_t)IMAGE_MIB * (uint64_t)MIB,
	    .snap_on_start = true,
	};

	if (argc != 2) {
		fprintf(stderr, "usage: bench_storage DIR\n");
		return 2;
	}
	folder = g_build_filename(argv[1], "bench", NULL);
	image_path = g_build_filename(folder, "base.img", NULL);
	copy = g_build_filename(folder, "copy", NULL);
	if (g_mkdir_with_parents(folder, 0700) < 0)
		die(folder);
	make_image(image_path);
	printf("image of %d MiB with %d MiB of data; blocks %s be shared here\n", IMAGE_MIB,
	    DATA_MIB, copy_can_share(folder) ? "can" : "cannot");
	image.copy = COPY_REFLINK;
	bench_start("start, shared blocks", &volume_driver_reflink, &image);
	image.copy = COPY_SPARSE;
	bench_start("start, sparse copy", &volume_driver_file, &image);
	bench_cp("bare: cp --reflink=always", "--reflink=always", image_path, copy);
	bench_cp("bare: cp --sparse=always", "--reflink=never", image_path, copy);
	unlink(image_path);
	rmdir(folder);
	return EXIT_SUCCESS;
}
