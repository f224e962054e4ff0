/*
 * agents - the programs that process 1 keeps running, and when one that died comes back.
 *
 * A dead agent is started again after a pause that doubles from AGENT_PAUSE_FIRST_MS to
 * AGENT_PAUSE_LAST_MS; one that lived for AGENT_STABLE_MS starts from the first pause again.
 */
#ifndef GUEST_AGENTS_H
#define GUEST_AGENTS_H

#include "shared/guest_conf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define AGENT_PAUSE_FIRST_MS 100
#define AGENT_PAUSE_LAST_MS 10000
#define AGENT_STABLE_MS 30000
#define AGENTS_MAX 4

/* Who a program runs as. */
struct account {
	const char *name, *home; /* borrowed */
	uid_t uid;
	gid_t gid;
	gid_t group; /* of qubes */
};

struct agent {
	const char *const *argv;    /* absolute path first, NULL at the end; borrowed */
	const struct account *user; /* borrowed; NULL: as we are */
	int pass_fd;                /* one that it inherits; -1: none; borrowed */
	pid_t pid;                  /* 0: it does not run */
	int64_t started_ms;
	int64_t due_ms; /* when to start it; INT64_MAX: it runs */
	int64_t pause_ms;
};

/* All zero: none. */
struct agents {
	struct agent list[AGENTS_MAX];
	size_t count;
};

/* One more, due at now; argv, user and pass_fd as in struct agent. At most AGENTS_MAX. */
void agents_add(struct agents *agents, const char *const *argv, const struct account *user,
    int pass_fd, int64_t now_ms);
/*
 * The agents of every qube: qrexec-agent, as root where the qube has one (privileged) and else as
 * the user; and as the user qubes-gui, when the qube has a GUI domain, or bordure-gui-session, when
 * it has none and is one itself (service guivm). The user must live as long as agents.
 */
void agents_add_all(struct agents *agents, const struct guest_conf *conf,
    const struct account *user, int64_t now_ms);
/* Starts those that are due. */
void agents_start_due(struct agents *agents, int64_t now_ms);
/* A child has gone: if it is an agent it becomes due again. */
void agents_on_exit(struct agents *agents, pid_t pid, int status, int64_t now_ms);
/* Milliseconds until one is due; -1: none is. */
int agents_timeout(const struct agents *agents, int64_t now_ms);

#endif
