#include "shared/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

int
io_write(int fd, const void *bytes, size_t len)
{
	const uint8_t *rest = bytes;

	while (len > 0) {
		ssize_t n = write(fd, rest, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		rest += n;
		len -= (size_t)n;
	}
	return 0;
}

int
io_write_at(int fd, const void *bytes, size_t len, off_t offset)
{
	const uint8_t *rest = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, rest, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		rest += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

int
io_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}
