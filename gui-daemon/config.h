/*
 * config - what the command line and the configuration file say.
 *
 * Order: defaults, then the file, then the command line. The file is a libconfig file of which only
 * the group "global" is read; unknown keys are ignored.
 * Trust:  both are written by the launcher on the trusted side. They are checked like a person's
 *         mistakes: a wrong value is an error and the daemon does not start.
 * Source: docs/man/qubes-guid.1.scd.
 */
#ifndef GUI_DAEMON_CONFIG_H
#define GUI_DAEMON_CONFIG_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_DOMID_MAX INT32_MAX /* ids of the broker only grow; Xen gives out less */
#define CONFIG_MAX_PROPERTIES 10
#define CONFIG_MAX_LOCKERS 10
#define CONFIG_MAX_BORDER 64 /* pixels */
#define CONFIG_MAX_WINDOWS 1000

/* -p NAME=T:V: one more property on every window. */
struct config_property {
	char *name;        /* owned */
	char kind;         /* 's' STRING, 'a' ATOM, 'c' CARDINALs */
	char *text;        /* owned: of 's' and 'a' */
	GArray *cardinals; /* owned: uint32_t, of 'c' */
};

struct config {
	uint32_t domid;        /* the peer of the vchan */
	uint32_t target_domid; /* the qube; differs when domid is its stub domain */
	char *name;            /* owned, like all strings here */
	char *color;           /* 0xRRGGBB or an X name; main resolves it */
	uint32_t label;        /* index, for _QUBES_LABEL */
	char *icon;            /* name or path; NULL: none */
	char *config_path;     /* NULL: the default */
	bool foreground;
	bool background; /* do not wait for the agent */
	bool invisible;
	int log_level;           /* 0 errors, 1 information, 2 everything */
	int kill_on_connect_pid; /* 0: none */
	bool qrexec_clipboard;
	bool title_name;       /* "[NAME] " before every title */
	GPtrArray *properties; /* struct config_property, owned */
	GPtrArray *lockers;    /* char *: WM_CLASS instances of screen lockers */
	unsigned border;       /* pixels; 0: after the screen's density */

	bool allow_fullscreen;
	bool allow_override_redirect;
	bool protect_override_redirect; /* the 90 % rule */
	bool allow_utf8_titles;
	char *window_background_color;
	char *copy_sequence, *paste_sequence;
	char *trayicon_mode;
	unsigned max_clipboard_bytes;
	unsigned startup_timeout_s;
	unsigned events_max_delay_ms;
	unsigned max_windows;
};

/*
 * Parses argv and the file it names. Returns 0 with *ret to be freed; 1 when help or the version
 * was asked for and printed; -EINVAL after an explanation on stderr.
 */
int config_new(int argc, char **argv, struct config **ret);
void config_free(struct config *config); /* NULL is fine */

/* Fills the keys that the text of a configuration file sets; -EINVAL with *ret_error to be freed.
 */
int config_read_text(struct config *config, const char *text, char **ret_error);

/* The border in pixels on a screen of so many dots per inch: as configured, else 4 at 96 dpi. */
unsigned config_border(const struct config *config, unsigned dpi);

#endif
