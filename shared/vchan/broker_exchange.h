/*
 * broker_exchange - one question to the broker and its answer, for callers who may wait a moment.
 */
#ifndef SHARED_VCHAN_BROKER_EXCHANGE_H
#define SHARED_VCHAN_BROKER_EXCHANGE_H

#include <stddef.h>
#include <sys/types.h>

#define BROKER_EXCHANGE_TIMEOUT_S 5

/* Connects to the broker's socket at path. Returns a descriptor, or a negative errno. */
int broker_exchange_connect(const char *path);

/*
 * Connects, sends one message, waits for one. Returns the length of the answer, at least
 * min_reply_len, or a negative errno: -ETIMEDOUT after 5 seconds, -EPROTO for an answer of another
 * length. *ret_fd is the descriptor that came with it, or -1, the caller's.
 */
ssize_t broker_exchange(const char *path, const void *request, size_t request_len, void *reply,
    size_t min_reply_len, size_t max_reply_len, int *ret_fd);

#endif
