/*
 * journal - how to take back what was changed: one note per change, oldest first.
 *
 * undo(data) is called at most once, newest note first; drop(data, kept) exactly once, where kept says
 * that the change is on disk to stay.
 */
#ifndef QUBESD_JOURNAL_H
#define QUBESD_JOURNAL_H

#include <stdbool.h>

typedef void (*journal_undo)(void *data);
typedef void (*journal_drop)(void *data, bool kept);

struct journal;

struct journal *journal_new(void);
/* Drops every note as not kept. NULL is fine. */
void journal_free(struct journal *journal);
void journal_note(struct journal *journal, journal_undo undo, journal_drop drop, void *data);
bool journal_is_empty(const struct journal *journal);
/* Runs every undo; the notes stay, for journal_free(). */
void journal_take_back(struct journal *journal);
/* Drops every note as kept, and frees. */
void journal_keep(struct journal *journal);

#endif
