/*
 * mux_port - the descriptor at this end of a virtual machine's port.
 *
 * In the guest a character device, on the host the unix socket that QEMU listens on (in tests for
 * both). The device can be open while nobody is at the other end: it polls "hung up" then, reads as
 * ended, and may stay open.
 */
#ifndef SHARED_VCHAN_MUX_PORT_H
#define SHARED_VCHAN_MUX_PORT_H

#include <stdbool.h>

/* Returns a non-blocking descriptor or a negative errno. */
int mux_port_open(const char *path);
/* Whether it has another end. */
bool mux_port_is_connected(int fd);
/* Whether it can be used again after its end: a device, not a socket. */
bool mux_port_is_device(int fd);

#endif
