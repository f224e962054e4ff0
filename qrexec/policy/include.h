/*
 * include - from policy folders on disk to one struct policy.
 *
 * Order:  the ".policy" files of all folders by base name, byte order; of two with one base name
 *         the one in the folder named first. "!include..." lines are replaced by what they name.
 * Errors: anything odd (a bad line, a bad name, a folder or file that cannot be read, an include
 *         that is missing or goes round in circles) refuses the whole policy. There is no partial
 *         result, so there is never a policy with a rule missing.
 * Limits: those of parse.h; POLICY_DEPTH_MAX files inside each other; POLICY_TOTAL_FILES files and
 *         POLICY_TOTAL_BYTES read in all, so that includes cannot multiply without end.
 * Files:  only regular ones, links followed. A file that changes while it is read is read again.
 * Source: docs/policy.md, "Files", "Directives", "The old format".
 */
#ifndef QREXEC_POLICY_INCLUDE_H
#define QREXEC_POLICY_INCLUDE_H

#include "qrexec/policy/index.h"

#include <glib.h>
#include <stdbool.h>

#define POLICY_DEPTH_MAX 32
#define POLICY_TOTAL_FILES 20000
#define POLICY_TOTAL_BYTES (64u << 20)

struct policy_folder {
	char *path;    /* owned by the places */
	bool optional; /* missing is the same as empty */
};

/* Where policy lies. */
struct policy_places {
	GArray *folders;     /* struct policy_folder, the one that wins first */
	char *legacy_folder; /* for !compat-4.0; owned */
};

/*
 * folders is NULL-terminated; NULL: the volatile folder below the runtime folder, which may be
 * missing, and policy.d in the configuration folder. The legacy folder is "policy" in the folder
 * of services.
 */
struct policy_places *policy_places_new(char *const *folders);
void policy_places_free(struct policy_places *places);

struct policy_load_error {
	char *file;
	unsigned line; /* 0: the file as a whole */
	char *text;
};

void policy_load_error_clear(struct policy_load_error *error);
/* "FILE:LINE: TEXT", to be freed. */
char *policy_load_error_format(const struct policy_load_error *error);

/* What else there is to know after loading, also after a failure. */
struct policy_load_notes {
	GPtrArray *warnings; /* char *, "FILE:LINE: TEXT" */
	GHashTable *folders; /* set of char *: every folder that was looked into */
};

void policy_load_notes_init(struct policy_load_notes *notes);
void policy_load_notes_fini(struct policy_load_notes *notes);

/* Returns 0, or a negative errno with *error filled and *ret untouched. */
int policy_load(const struct policy_places *places, struct policy **ret,
    struct policy_load_error *error, struct policy_load_notes *notes);

/*
 * The rules of one text alone, without any file: directives are errors. name stands for the file in
 * rules and errors. As policy_load() otherwise.
 */
int policy_load_text(const char *name, const char *text, size_t len, struct policy **ret,
    struct policy_load_error *error);

#endif
