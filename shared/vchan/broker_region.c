#include "shared/vchan/broker_region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_size(uint64_t size_bytes)
{
	return size_bytes >= BROKER_REGION_MIN_BYTES && size_bytes <= BROKER_REGION_MAX_BYTES &&
	       (size_bytes & (size_bytes - 1)) == 0;
}

/* A second open file on the same memory; the mode keeps others from opening a third, writable. */
static int
reopen_read_only(int fd)
{
	char path[32];
	int read_only_fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only_fd = open(path, O_RDONLY | O_CLOEXEC);
	return read_only_fd < 0 ? -errno : read_only_fd;
}

static int
prepare(int fd, uint64_t size_bytes)
{
	if (fchmod(fd, 0400) < 0 || ftruncate(fd, (off_t)size_bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return reopen_read_only(fd);
}

int
broker_region_init(struct broker_region *region, uint64_t size_bytes)
{
	int fd, read_only_fd;

	if (!is_size(size_bytes))
		return -EINVAL;
	fd = memfd_create("qube-region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	read_only_fd = prepare(fd, size_bytes);
	if (read_only_fd < 0) {
		close(fd);
		return read_only_fd;
	}
	region->writable_fd = fd;
	region->read_only_fd = read_only_fd;
	return 0;
}

int
broker_region_open(struct broker_region *region, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	region->read_only_fd = fd;
	return 0;
}

int
broker_region_open_own(struct broker_region *region, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	region->writable_fd = fd;
	return 0;
}

void
broker_region_fini(struct broker_region *region)
{
	if (region->writable_fd >= 0)
		close(region->writable_fd);
	if (region->read_only_fd >= 0)
		close(region->read_only_fd);
	region->writable_fd = region->read_only_fd = -1;
}
