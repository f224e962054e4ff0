/*
 * guest - who this qube is, and the folders that programs in it expect.
 *
 * What the host says is in guest.conf (shared/guest_conf.h); the default user is uid 1000 of group
 * qubes whatever its name is. docs/sandbox.md, "Process 1", lists the folders.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "qubesd/guest/agents.h"
#include "shared/guest_conf.h"

#define GUEST_USER_ID 1000
#define GUEST_QUBES_GROUP 98

struct guest {
	struct guest_conf conf;
	struct account user; /* points into this struct */
	char *home;          /* owned */
};

/* Reads GUEST_CONF_PATH; says on the log what is wrong with it. Returns 0, -ENOENT or -EINVAL. */
int guest_load(struct guest *guest);
void guest_clear(struct guest *guest);
/* Writes GUEST_CONF_PATH, whole or not at all; says on the log what went wrong. Returns 0 or -EIO. */
int guest_save_conf(const char *text);

/*
 * Makes the folders and flags that are not there yet, and a home when there is none; what fails is
 * logged and left out. Sets XDG_RUNTIME_DIR for all that is started after it.
 */
void guest_make_folders(const struct guest *guest);

/* One folder; one that is there gets this mode and, when we are root, this owner. */
void guest_make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid);
/* One file with this content, and this owner when we are root; one that is there stays as it is. */
void guest_make_file(const char *path, const char *content, mode_t mode, uid_t uid);

#endif
