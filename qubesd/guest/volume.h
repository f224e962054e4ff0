/*
 * volume - what is on a disk of a machine: nothing, or an ext4 file system of which size.
 */
#ifndef GUEST_VOLUME_H
#define GUEST_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VOLUME_BLANK_BYTES (10u << 20) /* zero that far: nothing was ever written there */
#define VOLUME_SUPERBLOCK_AT 1024
#define VOLUME_SUPERBLOCK_BYTES 1024

/* Returns 1 when the first VOLUME_BLANK_BYTES, or all if there are fewer, are zero; else 0, or a
 * negative errno. */
int volume_is_blank(const char *device);

/* Pure: the size in bytes of the file system with this superblock. Returns 0, or -EINVAL when it
 * is no ext file system. */
int volume_ext_bytes(const uint8_t superblock[VOLUME_SUPERBLOCK_BYTES], uint64_t *ret);

/* The device is larger than the ext file system on it by a megabyte at least. */
bool volume_can_grow(const char *device);

/*
 * Drops what the kernel has read of the device: a machine that was restored from a saved state
 * remembers blocks of the device it was saved with. Returns 0 or a negative errno, -ENOTTY when this
 * is no block device.
 */
int volume_forget(const char *device);

/* Bytes of a device or file; 0 when that cannot be told. */
uint64_t volume_bytes(const char *device);

#endif
