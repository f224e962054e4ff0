/*
 * machine_fixture - a virtual machine for the broker: the real program a second time, as the broker
 * of the guest, and between the two a relay that is QEMU.
 *
 * The relay listens on two sockets, as the port on the host and as the device in the guest. Like a
 * port it is no connection: one side does not learn that the other has gone, and what was sent to
 * nobody waits, to surprise who comes next.
 */
#ifndef TESTS_UNIT_MACHINE_FIXTURE_H
#define TESTS_UNIT_MACHINE_FIXTURE_H

#include <glib.h>
#include <stdint.h>

#define MACHINE 7
#define MACHINE_CONF                                                                               \
	"name=work\nuuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\ntype=AppVM\nxid=7\n"                \
	"default-user=user\n"

struct machine {
	char *dir;          /* owned; the runtime folder of the guest */
	char *port_path;    /* owned; where the host connects */
	char *device_path;  /* owned; what the guest opens */
	char *conf_path;    /* owned */
	char *region_path;  /* owned; an empty file of 1 MiB */
	char *spec;         /* owned; the transport of programs in the guest */
	GPid relay, broker; /* 0: not running */
	int ready_fd;       /* of the guest's broker, -1: none */
};

struct machine *machine_new(void);
/* Ends what runs. */
void machine_free(struct machine *machine);

void machine_start_relay(struct machine *machine);
void machine_stop_relay(struct machine *machine); /* at once: a QEMU that was killed */
void machine_start_broker(struct machine *machine);
void machine_end_broker(struct machine *machine, int signal);
/* Waits for the next line on ready_fd. */
void machine_wait_ready(struct machine *machine);

#endif
