/*
 * devices - where the host's devices are in a machine: the port of the broker, the memory region,
 * the volumes. All are found by what they say of themselves, never by their place on a bus.
 *
 * sys is the folder of sysfs, "/sys" but in tests.
 */
#ifndef GUEST_DEVICES_H
#define GUEST_DEVICES_H

#include <stdbool.h>

#define DEVICES_PORT_NAME "org.bordure.vchan"

/* The hypervisor is Xen. */
bool devices_on_xen(const char *sys);

/* The virtio-serial port of this name: *ret is its device ("/dev/vport0p1"). Returns 0 or -ENODEV. */
int devices_find_port(const char *sys, const char *name, char **ret);

/*
 * The shared memory of the first ivshmem device: *ret is the file to map, write-combined where the
 * kernel offers that (no line of it is cached, and single writes would be slow). Switches the
 * device on. Returns 0 or -ENODEV.
 */
int devices_find_region(const char *sys, char **ret);

/*
 * A volume by its name (docs/lifecycle.md: root, private, volatile, kernel): a virtio disk with
 * that serial number, or Xen's disk in that place. *ret is its device. Returns 0 or -ENODEV.
 */
int devices_find_volume(const char *sys, const char *name, char **ret);

#endif
