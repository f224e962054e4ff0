/*
 * request_decode - what the policy daemon wants of the user's session.
 *
 * Shape:  "SERVICE SOURCE TYPE TARGET" NUL, then one JSON object; SERVICE is policy.Ask or
 *         policy.Notify. From it come checked texts that may be shown as they are.
 * Trust:  the daemon is trusted; names, services and arguments in its words were chosen by qubes.
 *         Only dom0 asks: another caller is refused.
 *         A source, service or argument with any byte outside A-Z a-z 0-9 @ _ . - + is refused.
 * Limits: REQUEST_MAX bytes, REQUEST_TARGETS_MAX choices.
 * Pure:   no GTK, no X, no globals.
 * Source: docs/policy.md, "Asking", "Notifying".
 */
#ifndef PROMPT_REQUEST_DECODE_H
#define PROMPT_REQUEST_DECODE_H

#include "shared/untrusted.h"

#include <glib.h>
#include <stdbool.h>

#define REQUEST_MAX (1u << 20)
#define REQUEST_TARGETS_MAX 4096

/* How a qube looks. */
struct request_look {
	char *icon;     /* owned; the name of a theme's icon, such as "appvm-red" */
	bool has_color; /* false: take it from the icon's name */
	uint32_t color; /* 0xRRGGBB */
};

/* One choice. */
struct request_target {
	char *name; /* owned; for the answer: a qube's name, "dom0" or "@dispvm:NAME" */
	char *text; /* owned; for people: the name, or "Disposable VM (NAME)" */
	struct request_look look;
};

struct ask_request {
	char *source;           /* owned */
	char *service;          /* owned */
	char *argument;         /* owned; begins with "+" */
	char *relay;            /* owned; the qube that calls for source, NULL: source itself */
	char *requested_target; /* owned; what the caller asked for, "" when that is not known */
	struct request_look source_look; /* icon NULL when there is none */
	GArray *targets;                 /* struct request_target by text, byte order; not empty */
	int default_target;              /* number within targets, -1: none */
	char *problem; /* owned; a sentence for the person, NULL when all is well */
};

struct notify_request {
	char *resolution; /* owned, like all: "allow", "deny" or "fail" */
	char *service, *argument, *source, *target;
	char *message; /* NULL: nothing more to say; printable ASCII */
	unsigned count;
};

enum request_kind { REQUEST_ASK, REQUEST_NOTIFY };

struct request {
	enum request_kind kind;
	struct ask_request ask;       /* REQUEST_ASK */
	struct notify_request notify; /* REQUEST_NOTIFY */
};

/* Returns 0, or -EPROTO with *ret untouched: then nothing is shown and nothing allowed. */
int request_decode(struct untrusted_bytes untrusted_request, struct request *ret);
void request_clear(struct request *request);

/*
 * The argument as people see it: whole up to REQUEST_ARGUMENT_SHOWN characters, else its beginning
 * and its end. To be freed.
 */
#define REQUEST_ARGUMENT_SHOWN 200
char *request_shorten(const char *argument);

#endif
