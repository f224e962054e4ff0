/*
 * tool - what every tool has in common: its row in the table of main.c, the options that all of
 * them take, and the forms of their errors.
 *
 * Exit status: 0, 1 for a failure that the daemon reported, 2 for wrong usage; more in
 * the man pages. Text in errors is made harmless (text_utf8), on terminals and off them.
 */
#ifndef QUBESD_TOOLS_TOOL_H
#define QUBESD_TOOLS_TOOL_H

#include "qubesd/tools/client.h"
#include "qubesd/tools/options.h"

#define TOOL_VERSION "0.1.0"

#define TOOL_FAILED 1
#define TOOL_USAGE 2

struct tool_run;

struct tool {
	const char *name;             /* "qvm-ls" */
	const char *usage;            /* what follows "[OPTIONS]"; several forms: lines */
	const char *summary;          /* a sentence for the help */
	const struct option *options; /* its own */
	size_t options_size;          /* of the struct they fill, which starts as zeros */
	int (*main)(struct tool_run *run, void *options); /* returns the exit status */
};

/* One run of a tool. */
struct tool_run {
	const struct tool *tool; /* borrowed from the table */
	struct client *client;   /* owned by main.c, as is the rest */
	GPtrArray *words;        /* what was not an option */
	int verbosity;           /* -v minus -q */
	bool json;
};

extern const struct tool tool_check, tool_create, tool_features, tool_kill, tool_ls, tool_pause,
    tool_prefs, tool_qubes_prefs, tool_remove, tool_run_, tool_service, tool_shutdown, tool_start,
    tool_tags, tool_unpause, tool_pool, tool_volume;

/* The n-th word, or NULL. */
const char *tool_word(const struct tool_run *run, guint n);

/* Usage and "TOOL: error: TEXT"; returns TOOL_USAGE. */
int tool_usage_error(const struct tool_run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* "TOOL: error: TEXT"; returns TOOL_FAILED. */
int tool_error(const struct tool_run *run, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A line on stderr as it is, "Error: ..." or a note. */
void tool_say(const char *format, ...) G_GNUC_PRINTF(1, 2);

void tool_print_usage(const struct tool *tool, FILE *stream);

/* One call, waited for. To be cleared with client_clear(&call, 1). */
struct client_call tool_call(const struct tool_run *run, const char *method, const char *arg,
    const char *dest, const char *payload);

/* The same for calls that only succeed or fail; a failure is said with tool_error(). */
int tool_do(const struct tool_run *run, const char *method, const char *arg, const char *dest,
    const char *payload);

/* Asks on the terminal; true when the answer is the wanted word (case does not matter). */
bool tool_confirm(const char *question, const char *wanted);

/* 0/no/false/off and 1/yes/true/on in any case. */
bool tool_parse_bool(const char *text, bool *ret);

#endif
