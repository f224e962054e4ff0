/*
 * store - qubes.xml: read once, written again after every change, never half.
 *
 * Shape:  docs/qubesd.md, "The store". UTF-8, at most 64 MiB, elements at most 16 deep, no
 *         document type, no entities, no network.
 * Trust:  the file is ours, but may be damaged, older, newer, or edited by hand: see "Damage".
 * Damage: a domain that cannot be used is kept as a broken one, an unusable value falls back to its
 *         default, unknown elements and attributes are kept verbatim. Refused as a whole: not well
 * formed, no dom0, duplicate name, qid or UUID, unknown root. A refusal names line and column and
 * the newest copy in backup/ that loads, and changes nothing. Saving: all changes made while a
 * write is under way go into the next one; whoever waits is told after the write that contains his
 * change is durable: new file, fsync, rename, fsync of the folder, in a worker thread. When a write
 * fails, every change that is not on disk is taken back and every waiter is told. Lock:   one
 * daemon per store, held as long as the object lives (qubes.xml.lock beside the file).
 */
#ifndef QUBESD_STORE_H
#define QUBESD_STORE_H

#include "qubesd/qubes_app.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define STORE_MAX_BYTES (64u << 20)
#define STORE_MAX_DEPTH 16
#define STORE_GENERATIONS 5

/*
 * Pure: builds an app from the bytes of a qubes.xml. Returns 0, or -EPROTO with a sentence for
 * people in *ret_message (g_free()). Log lines tell of what was mended.
 */
int store_parse(const void *bytes, size_t len, struct qubes_app **ret, char **ret_message);
/* The whole text as it would be written. */
GBytes *store_render(struct qubes_app *app);

struct store;

/*
 * Takes the lock and reads; a missing or empty state folder becomes a fresh store, written at once.
 * Returns 0 or a negative errno with a sentence in *ret_message: -EBUSY when another daemon has it,
 * -EPROTO when the file is refused.
 */
int store_open(const char *path, struct store **ret, char **ret_message);
/*
 * Reads without taking the lock and changes nothing. Returns 0 with the app, to be freed, or a
 * negative errno with a sentence.
 */
int store_check(const char *path, struct qubes_app **ret, char **ret_message);
/* Waits for the write under way and writes what is dirty; then frees the app too. */
void store_free(struct store *store);
struct qubes_app *store_app(const struct store *store); /* borrowed */

/* error is NULL when the change is on disk, else a sentence. */
typedef void (*store_done)(const char *error, void *data);
/*
 * Calls done after every change made so far is durable, on the main loop, never before this
 * returns. Cheap when nothing is dirty.
 */
void store_commit(struct store *store, store_done done, void *data);

#endif
