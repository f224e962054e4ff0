/*
 * admin_decode - from the bytes of a request to checked values. Pure: no app, no logging.
 *
 * Shape:  METHOD "+" ARG SP SOURCE SP "name" SP DEST NUL PAYLOAD, at most ADMIN_REQUEST_MAX bytes.
 * Trust:  SOURCE was put there by qrexec or by a program of dom0; everything else is whatever the
 *         caller chose. What exists is not looked at here.
 * Source: docs/admin-api.md, "Request".
 */
#ifndef QUBESD_ADMIN_DECODE_H
#define QUBESD_ADMIN_DECODE_H

#include "qubesd/admin_error.h"
#include "shared/untrusted.h"

#include <stdbool.h>
#include <stdint.h>

#define ADMIN_REQUEST_MAX 65536 /* bytes, head and payload */

/* The strings are owned and hold no NUL, but any other byte unless it says otherwise. */
struct admin_request {
	char *method, *arg;
	char *source, *dest;
	bool ascii;                               /* method and arg are 0x01..0x7f */
	struct untrusted_bytes untrusted_payload; /* borrowed from the request */
};

/* Returns 0; -EPROTO when the frame is broken, *ret untouched. */
int admin_decode_request(struct untrusted_bytes untrusted_request, struct admin_request *ret);
void admin_request_clear(struct admin_request *request);

/* What SOURCE and DEST may be. */
enum admin_name {
	ADMIN_NAME_BAD,      /* not the name of a qube */
	ADMIN_NAME_BAD_UUID, /* "uuid:" and not a UUID */
	ADMIN_NAME_QUBE,
	ADMIN_NAME_UUID, /* *ret_name points behind the "uuid:" */
};
enum admin_name admin_decode_name(const char *untrusted_name, const char **ret_name);

/* Payload of admin.vm.Create and CreateInPool. Pools are NULL where none was given. */
enum admin_volume {
	ADMIN_VOLUME_ROOT,
	ADMIN_VOLUME_PRIVATE,
	ADMIN_VOLUME_VOLATILE,
	ADMIN_VOLUME_KERNEL,
	ADMIN_VOLUME_COUNT,
};
extern const char *const admin_volume_names[ADMIN_VOLUME_COUNT];

struct admin_create {
	char *name;                             /* a qube's name */
	char *label;                            /* a label's name */
	char *pool;                             /* printable */
	char *volume_pools[ADMIN_VOLUME_COUNT]; /* printable */
};
/* Returns true, or false with *error filled and *ret untouched. */
bool admin_decode_create(struct untrusted_bytes untrusted_payload, bool in_pool,
    struct admin_create *ret, struct admin_error *error);
void admin_create_clear(struct admin_create *create);

/* 0x20..0x7e, at most GRAMMAR_FEATURE_VALUE_MAX bytes. */
bool admin_decode_feature_value(
    struct untrusted_bytes untrusted_payload, char **ret, struct admin_error *error);
/* "0x" and six hexadecimal digits. */
bool admin_decode_colour(
    struct untrusted_bytes untrusted_payload, uint32_t *ret, struct admin_error *error);
/* UTF-8 text; what could harm a display becomes '_', line ends and tabs stay. */
char *admin_decode_notes(struct untrusted_bytes untrusted_payload);
/* "force", "wait", both joined by '+', or nothing. */
bool admin_decode_shutdown(
    const char *untrusted_arg, bool *ret_force, bool *ret_wait, struct admin_error *error);
/* True when the payload is exactly the word. */
bool admin_payload_is(struct untrusted_bytes untrusted_payload, const char *word);

#endif
