/*
 * guest_conf - /run/qubes/guest.conf: what the host tells the guest at each start.
 *
 * Shape:  lines "key=value"; the keys are those of docs/architecture.md, "What a sandbox sees".
 *         Required: name, uuid, type, xid, default-user. The others have the defaults below. A key
 *         that is not known is skipped, so that an older kit runs under a newer host; a key that
 *         comes twice, a line without '=', a value that does not fit, or a NUL is an error.
 * Trust:  written by the host, so this guards against mistakes and not against attackers.
 */
#ifndef SHARED_GUEST_CONF_H
#define SHARED_GUEST_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_CONF_MAX 4096 /* bytes of the file */
#define GUEST_CONF_PATH "/run/qubes/guest.conf"

/* What qubesd writes leaves this much for what the broker adds. */
#define GUEST_CONF_FRESH_MAX 256
#define GUEST_CONF_FORMAT_MAX (GUEST_CONF_MAX - GUEST_CONF_FRESH_MAX)
#define GUEST_CONF_SEED_BYTES 64

#define GUEST_CONF_GUI_LATER (-2)
#define GUEST_CONF_SERVICE_MAX 64 /* bytes of a service's name */

/*
 * What is another each time a machine hears from its host, because a machine that was restored from
 * a saved state knows neither. The seed is a secret of the two.
 */
struct guest_conf_fresh {
	bool has_time, has_seed;
	uint32_t time_s, time_ns; /* CLOCK_REALTIME; time_ns < 1000000000 */
	uint8_t seed[GUEST_CONF_SEED_BYTES];
};

struct guest_conf {
	char name[32];
	char uuid[37];
	char type[32];
	char default_user[32];
	char keyboard_layout[256]; /* default "" */
	uint32_t xid;
	/* default -1: there is none; GUEST_CONF_GUI_LATER: it does not run yet ("later") */
	int64_t gui_domain;
	char services[1024]; /* names that are switched on, a blank between them; default "" */
	bool debug;          /* default false */
	bool privileged;     /* default false */
	struct guest_conf_fresh fresh;
};

/* The same as the host has it; all borrowed. */
struct guest_conf_facts {
	const char *name, *uuid, *type, *default_user, *keyboard_layout;
	uint32_t xid; /* 0: left out, for guests that learn their number elsewhere */
	int64_t gui_domain;
	const char *services; /* NULL: none */
	bool debug, privileged;
};

/*
 * The text that says this, each key once, at most GUEST_CONF_FORMAT_MAX bytes. Pure. Returns 0 with
 * *ret (g_free()), or -EINVAL when a value would not come back as it is: a line feed in it, too
 * long, no such name.
 */
int guest_conf_format(const struct guest_conf_facts *facts, char **ret);

/* The text and the lines for this, at most GUEST_CONF_FRESH_MAX bytes more. Pure; g_free(). */
char *guest_conf_with_fresh(const char *text, const struct guest_conf_fresh *fresh);
/* The text without such lines: what everybody in the guest may read. Pure; g_free(). */
char *guest_conf_without_fresh(const char *text);

/* Pure, and leaves no copy of the seed but in *ret. Returns 0, or -EINVAL with *ret_line the number
 * of the line that is wrong (0: a key is missing, or the file is too long); *ret is untouched then. */
int guest_conf_parse(const char *bytes, size_t len, struct guest_conf *ret, unsigned *ret_line);

/* Is the service switched on? Pure. */
bool guest_conf_has_service(const struct guest_conf *conf, const char *name);
/* May that be a service's name: letters, digits, '.', '_' and '-', the first a letter or a digit? */
bool guest_conf_is_service(const char *name);

#endif
