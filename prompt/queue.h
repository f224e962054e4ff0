/*
 * queue - whose question comes next: one at a time for each source in turn, so that a qube which
 * asks a lot does not keep the others waiting.
 *
 * Holds borrowed items; a source's items keep their order. Pure.
 */
#ifndef PROMPT_QUEUE_H
#define PROMPT_QUEUE_H

#include <glib.h>

struct queue;

struct queue *queue_new(void);
void queue_free(struct queue *queue); /* NULL is fine */

void queue_push(struct queue *queue, const char *source, void *item);
/* The next item, NULL when there is none. */
void *queue_pop(struct queue *queue);
/* Takes out an item that will not be popped; nothing happens when it is not there. */
void queue_remove(struct queue *queue, void *item);
guint queue_length(const struct queue *queue);

#endif
