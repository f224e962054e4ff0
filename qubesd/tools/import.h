/*
 * import - content into a volume, from the trusted side or from inside a qube.
 *
 * On the trusted side the file is copied straight into the pool: shared blocks where the file system
 * can, else the data and not the holes. Inside a qube it goes through the service
 * admin.vm.volume.Import.
 */
#ifndef QUBESD_TOOLS_IMPORT_H
#define QUBESD_TOOLS_IMPORT_H

#include "qubesd/tools/tool.h"

#include <stdint.h>

struct import {
	const char *vm, *volume; /* borrowed */
	int fd;                  /* borrowed; a file, or anything that is read to its end */
	uint64_t size;           /* of the volume afterwards; 0: as large as it is */
};

struct import_lock;
/* How it begins, for internal.vm.volume.ImportBegin; size 0: that of the volume. g_free() */
char *import_begin_payload(uint64_t size, const struct import_lock *lock);

/* NULL: it is there. Else a sentence (g_free()), and the old content has been kept. */
char *import_run(struct tool_run *run, const struct import *import);

/* Size of a regular file in bytes; 0 for what is none, or empty. */
uint64_t import_file_size(int fd);

/* Exactly size bytes from fd to the file; -EMSGSIZE when there are more, -ENODATA when fewer. */
int import_copy(int fd, int to, uint64_t size);

#endif
