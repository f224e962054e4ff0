/*
 * keyboard - the display's keyboard layout, stored as the property keyboard_layout of dom0 or of
 * the GUI domain, from where its qubes get it.
 */
#ifndef QUBESD_TOOLS_SESSION_KEYBOARD_H
#define QUBESD_TOOLS_SESSION_KEYBOARD_H

#include "qubesd/tools/client.h"

struct keyboard;

/* client is borrowed; own_name: dom0 or the GUI domain. */
struct keyboard *keyboard_new(struct client *client, const char *own_name);
void keyboard_free(struct keyboard *keyboard);

/* This is the layout now ("layout+variant+options"). */
void keyboard_set(struct keyboard *keyboard, const char *layout);

/* Stores it if qubesd has another one; for when qubesd has become reachable. */
void keyboard_store(struct keyboard *keyboard);

#endif
