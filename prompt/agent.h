/*
 * agent - serves policy.Ask and policy.Notify on a socket: one dialog on the screen at a time, the
 * other questions wait in a queue, and a second of nothing lies between two dialogs.
 *
 * A request that is not well formed is answered with "deny". A caller that hangs up takes its
 * question with it, whether it waits or is on the screen.
 * Limits: AGENT_CLIENTS_MAX connections, AGENT_REQUEST_MS for a request to come whole.
 */
#ifndef PROMPT_AGENT_H
#define PROMPT_AGENT_H

#define AGENT_CLIENTS_MAX 2048
#define AGENT_REQUEST_MS 5000
#define AGENT_GAP_MS 1000

struct agent;

/* Returns 0, -EADDRINUSE when somebody answers at path, or another negative errno. */
int agent_new(const char *path, struct agent **ret);
void agent_free(struct agent *agent); /* NULL is fine; denies whatever is open */

#endif
