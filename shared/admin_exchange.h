/*
 * admin_exchange - one call to qubesd in flight on the GLib main loop, for callers that have other
 * things to do meanwhile or many calls to make at once.
 *
 * Shape:  the request goes out, the write side ends, the reply is read to end of file.
 * Limits: a reply has at most ADMIN_REPLY_MAX bytes. No time limit: a start may take minutes;
 *         whoever wants one frees the exchange.
 * Source: docs/admin-api.md.
 */
#ifndef SHARED_ADMIN_EXCHANGE_H
#define SHARED_ADMIN_EXCHANGE_H

#include "shared/admin_client.h"

struct admin_exchange;

/*
 * The end, exactly once, never before the function that made the exchange has returned. error is 0
 * when a well-formed reply came (also an error reply), -ENODATA when the other side ended without a
 * byte, -EPROTO, or another negative errno. reply is borrowed for the time of the callback; its
 * strings may be moved out. The exchange is gone when the callback returns.
 */
typedef void (*admin_exchange_done)(int error, struct admin_reply *reply, void *data);

/*
 * As admin_call(), without waiting. Returns 0 or a negative errno of the connecting: -EAGAIN when
 * too many others wait to be let in.
 */
int admin_exchange_new(const char *socket, const char *method, const char *arg, const char *dest,
    const void *payload, size_t payload_len, admin_exchange_done done, void *data,
    struct admin_exchange **ret);

/*
 * Over a stream socket that somebody else connected, such as one to a program that makes the call;
 * fd is taken over.
 */
struct admin_exchange *admin_exchange_new_on(
    int fd, const void *request, size_t request_len, admin_exchange_done done, void *data);

/* Gives up: done is not called. Not to be used after done was called. */
void admin_exchange_free(struct admin_exchange *exchange);

#endif
