#include "qubesd/guest/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CHUNK_BYTES 65536
#define GROW_BYTES (1u << 20)

/* Where the fields lie in a superblock, little endian. */
#define AT_BLOCKS_LOW 0x04
#define AT_BLOCK_SHIFT 0x18
#define AT_MAGIC 0x38
#define AT_INCOMPATIBLE 0x60
#define AT_BLOCKS_HIGH 0x150
#define MAGIC 0xef53
#define INCOMPATIBLE_64BIT 0x80
#define BLOCK_SHIFT_MAX 6 /* 64 KiB */

static bool
is_zero(const char *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

int
volume_is_blank(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	g_autofree char *chunk = g_malloc(CHUNK_BYTES);
	size_t done = 0;
	ssize_t n = 1;
	int r = 1;

	if (fd < 0)
		return -errno;
	while (r == 1 && n > 0 && done < VOLUME_BLANK_BYTES) {
		n = read(fd, chunk, MIN(CHUNK_BYTES, VOLUME_BLANK_BYTES - done));
		if (n < 0)
			r = -errno;
		else if (!is_zero(chunk, (size_t)n))
			r = 0;
		done += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return r;
}

int
volume_forget(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = ioctl(fd, BLKFLSBUF, 0) < 0 ? -errno : 0;
	close(fd);
	return r;
}

static uint32_t
field(const uint8_t *superblock, size_t at)
{
	uint32_t raw;

	memcpy(&raw, superblock + at, sizeof(raw));
	return GUINT32_FROM_LE(raw);
}

int
volume_ext_bytes(const uint8_t superblock[VOLUME_SUPERBLOCK_BYTES], uint64_t *ret)
{
	uint64_t blocks = field(superblock, AT_BLOCKS_LOW);
	uint32_t shift = field(superblock, AT_BLOCK_SHIFT);

	if ((field(superblock, AT_MAGIC) & 0xffff) != MAGIC || shift > BLOCK_SHIFT_MAX)
		return -EINVAL;
	if ((field(superblock, AT_INCOMPATIBLE) & INCOMPATIBLE_64BIT) != 0)
		blocks |= (uint64_t)field(superblock, AT_BLOCKS_HIGH) << 32;
	if (blocks > UINT64_MAX >> (10 + shift))
		return -EINVAL;
	*ret = blocks << (10 + shift);
	return 0;
}

uint64_t
volume_bytes(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	off_t end;

	if (fd < 0)
		return 0;
	end = lseek(fd, 0, SEEK_END);
	close(fd);
	return end > 0 ? (uint64_t)end : 0;
}

bool
volume_can_grow(const char *device)
{
	uint8_t superblock[VOLUME_SUPERBLOCK_BYTES];
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	uint64_t now;
	ssize_t n;

	if (fd < 0)
		return false;
	n = pread(fd, superblock, sizeof(superblock), VOLUME_SUPERBLOCK_AT);
	close(fd);
	return n == sizeof(superblock) && volume_ext_bytes(superblock, &now) == 0 &&
	       now <= UINT64_MAX - GROW_BYTES && volume_bytes(device) >= now + GROW_BYTES;
}
