/*
 * boot_disk - whether firmware would find something to start on a disk.
 *
 * What QEMU's firmware starts is a first sector whose last two bytes say that it is one to be
 * started, whatever kind of partition table follows it. A file system without such a sector needs a
 * kernel from outside; firmware that finds nothing waits in silence.
 */
#ifndef QUBESD_BOOT_DISK_H
#define QUBESD_BOOT_DISK_H

#include <stdbool.h>

/* One that cannot be read may be such a disk. Blocks. */
bool boot_disk_can_start(const char *path);

#endif
