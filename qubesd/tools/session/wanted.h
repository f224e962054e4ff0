/*
 * wanted - which qube gets a qubes-guid, and with which words. Pure.
 *
 * What a daemon is given stands in one struct, read in one go: a daemon's name and label always
 * belong together. A qube whose label cannot be read gets no daemon.
 */
#ifndef QUBESD_TOOLS_SESSION_WANTED_H
#define QUBESD_TOOLS_SESSION_WANTED_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What qubesd says of a qube. All strings are owned. */
struct wanted_qube {
	char *name, *klass, *label, *icon;
	char *guivm;     /* "": none */
	char *colour;    /* "0xRRGGBB"; NULL: could not be read */
	int label_index; /* -1: could not be read */
	int64_t xid;     /* -1: off */
	bool gui;        /* feature gui is not false */
	bool debug, is_preload, qrexec_clipboard;
};

void wanted_qube_free(struct wanted_qube *qube);
struct wanted_qube *wanted_qube_copy(const struct wanted_qube *qube);

/* True when the two would get daemons that differ in nothing. */
bool wanted_is_same(const struct wanted_qube *a, const struct wanted_qube *b);

enum wanted_verdict {
	WANTED_NO,
	WANTED_DAEMON,
	WANTED_REFUSED, /* it should have one, but something needed is not known */
};

/* own_name: the GUI domain that asks, "dom0" on the trusted side. */
enum wanted_verdict wanted_verdict(const struct wanted_qube *qube, const char *own_name);

/*
 * The command line of the qube's daemon; to be freed with g_strfreev(). foreground: it stays a
 * child of its starter. kde: window titles and colours for KDE's window manager.
 */
char **wanted_argv(const struct wanted_qube *qube, const char *program, const char *conf_path,
    bool foreground, bool kde);

#endif
