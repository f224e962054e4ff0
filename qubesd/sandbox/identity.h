/*
 * identity - which host uids a sandbox runs as, and how a process comes to have them.
 *
 * RANGE   started as root: the qube's own 16384 host ids from 0x70000000 + qid * 0x4000 on, inside
 *         0..16383. Inside there is a root (for services that ask for another user) that is nobody
 *         outside. The user namespace is made here and entered before bubblewrap starts.
 * SINGLE  started as root where the kernel refuses ranges: one host id of its own, inside 1000.
 * OWN     started by an ordinary user (or by a root who has no other ids): that user's id, inside
 *         1000. All qubes share it.
 *
 * The ids lie above those that systemd gives to containers, and below 2^31.
 */
#ifndef SANDBOX_IDENTITY_H
#define SANDBOX_IDENTITY_H

#include "qubesd/sandbox/tree.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_FIRST 0x70000000u
#define IDENTITY_COUNT 0x4000u
#define IDENTITY_SINGLE_FIRST 20000u /* plus qid: where the high ids do not exist */
#define IDENTITY_INSIDE_USER 1000u

enum identity_kind {
	IDENTITY_RANGE,
	IDENTITY_SINGLE,
	IDENTITY_OWN,
};

struct identity {
	enum identity_kind kind;
	struct tree_owner owner; /* host ids of the inside ones */
	uid_t user;              /* host id of the inside user 1000 */
};

/* Chooses for a qube; tries a range once, in a child that ends again. */
void identity_choose(uint32_t qid, struct identity *ret);

/* Services can have another user than 1000. */
bool identity_is_privileged(const struct identity *identity);

/*
 * RANGE, in two halves around a fork. The child drops its ids, makes the user namespace, says so
 * and waits; the parent writes the maps and lets it go on; then the child is root inside.
 * identity_enter() is also right for the other kinds, and needs no parent there. Both return 0 or
 * a negative errno.
 */
int identity_enter(const struct identity *identity, int ready_fd, int go_fd);
int identity_map(const struct identity *identity, pid_t child, int ready_fd, int go_fd);

#endif
