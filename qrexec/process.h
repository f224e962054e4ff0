/*
 * process - a service as a process: started without a shell, watched without SIGCHLD, reaped
 * always.
 *
 * A *supervised* process gets a parent of its own between itself and us. That parent carries the
 * session (user, groups, session leader) and receives the SIGUSR1 by which a service says "from
 * now on both directions use my stdin": its pid is the service's QREXEC_AGENT_PID, so that one
 * event loop can serve many calls and still knows which of them a signal was for.
 *
 * The service sees descriptors 0, 1 and 2 only (and those it is given on purpose), an empty signal
 * mask and default actions.
 * Blocks: never. Not for programs with threads: the child runs our code between fork and exec.
 */
#ifndef QREXEC_PROCESS_H
#define QREXEC_PROCESS_H

#include "qrexec/process_user.h"

#include <stdbool.h>
#include <sys/types.h>

struct process_spec {
	char *const *argv;        /* argv[0] is what the program is told; borrowed as all here */
	const char *path;         /* what is executed */
	char *const *environment; /* QREXEC_AGENT_PID is set in it by us when supervised */
	int in_fd, out_fd;        /* -1: /dev/null */
	int err_fd;               /* -1: our own */
	const int *extra;         /* become 3, 4, ...; each above all of these; NULL: none */
	int extra_count;
	bool supervised;
	const struct process_user *become; /* NULL: stay who we are */
	const char *folder;                /* NULL: stay where we are; failure is ignored */
};

struct process;

/* Each may be NULL. on_exit comes last; the process is to be freed then or later. */
struct process_events {
	/* The exit code; 128 + the signal's number after one. */
	void (*on_exit)(struct process *process, int code, void *data);
	/* SIGUSR1 arrived, for the first time. */
	void (*on_one_socket)(struct process *process, void *data);
	/* The answer to process_confirm(): every SIGUSR1 sent before it has been reported. */
	void (*on_confirmed)(struct process *process, void *data);
};

/*
 * Returns 0 or a negative errno; *ret is the caller's. A program that cannot be executed ends with
 * 127 when there is none and 125 otherwise.
 */
int process_start(const struct process_spec *spec, const struct process_events *events, void *data,
    struct process **ret);

pid_t process_pid(const struct process *process);

/* Asks for on_confirmed; comes from the loop, once for each call. */
void process_confirm(struct process *process);

/* Forgets it: no more events. It is neither ended nor left a zombie. NULL is fine. */
void process_free(struct process *process);

#endif
