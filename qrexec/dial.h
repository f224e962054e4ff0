/*
 * dial - connects to what serves calls on a socket, without waiting.
 *
 * A socket whose owner has too many callers waiting is tried again for a while; ten seconds are the
 * limit of everything here. No name is ever looked up.
 */
#ifndef QREXEC_DIAL_H
#define QREXEC_DIAL_H

struct dial;

/* From the loop, once: a descriptor for the callee, or a negative errno. The dial is to be freed. */
typedef void (*dial_done)(int fd, void *data);

struct dial *dial_socket(const char *path, dial_done done, void *data);
/* link and argument as in service_tcp_parse(). */
struct dial *dial_tcp(const char *link, const char *argument, dial_done done, void *data);
void dial_free(struct dial *dial); /* gives up; NULL is fine */

#endif
