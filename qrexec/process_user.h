/*
 * process_user - whom a process runs as: what the account database says, looked up before the fork.
 */
#ifndef QREXEC_PROCESS_USER_H
#define QREXEC_PROCESS_USER_H

#include <sys/types.h>

struct process_user {
	char *name, *home, *shell; /* owned */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned */
	int group_count;
};

/* Returns 0, -ENOENT for an unknown name, or another negative errno. */
int process_user_lookup(const char *name, struct process_user *ret);
void process_user_clear(struct process_user *user);

/* In a child, before exec: becomes the user for good. Returns 0 or a negative errno. */
int process_user_become(const struct process_user *user);

#endif
