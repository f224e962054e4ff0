/*
 * io - whole writes: what write() leaves over is written, too.
 *
 * Blocks as long as the descriptor does. Each returns 0 or a negative errno; what was written until
 * then stays.
 */
#ifndef SHARED_IO_H
#define SHARED_IO_H

#include <stddef.h>
#include <sys/types.h>

int io_write(int fd, const void *bytes, size_t len);
int io_write_at(int fd, const void *bytes, size_t len, off_t offset);

/* Into a file that is there, in one write: for files of the kernel, which each write means something to. */
int io_write_file(const char *path, const char *text);

#endif
