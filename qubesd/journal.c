#include "qubesd/journal.h"

#include <glib.h>

struct note {
	journal_undo undo;
	journal_drop drop;
	void *data; /* drop() frees it */
};

struct journal {
	GArray *notes; /* struct note, oldest first */
};

struct journal *
journal_new(void)
{
	struct journal *journal = g_new0(struct journal, 1);

	journal->notes = g_array_new(FALSE, FALSE, sizeof(struct note));
	return journal;
}

static void
drop_all(struct journal *journal, bool kept)
{
	for (guint i = 0; i < journal->notes->len; i++) {
		struct note *note = &g_array_index(journal->notes, struct note, i);

		note->drop(note->data, kept);
	}
	g_array_unref(journal->notes);
	g_free(journal);
}

void
journal_free(struct journal *journal)
{
	if (journal != NULL)
		drop_all(journal, false);
}

void
journal_keep(struct journal *journal)
{
	drop_all(journal, true);
}

void
journal_note(struct journal *journal, journal_undo undo, journal_drop drop, void *data)
{
	struct note note = {undo, drop, data};

	g_array_append_val(journal->notes, note);
}

bool
journal_is_empty(const struct journal *journal)
{
	return journal->notes->len == 0;
}

void
journal_take_back(struct journal *journal)
{
	for (guint i = journal->notes->len; i > 0; i--) {
		struct note *note = &g_array_index(journal->notes, struct note, i - 1);

		note->undo(note->data);
	}
}
