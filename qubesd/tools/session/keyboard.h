/*
 * keyboard - the display's keyboard layout, stored as dom0's property keyboard_layout, from where
 * the qubes get it.
 */
#ifndef QUBESD_TOOLS_SESSION_KEYBOARD_H
#define QUBESD_TOOLS_SESSION_KEYBOARD_H

#include "qubesd/tools/client.h"

struct keyboard;

struct keyboard *keyboard_new(struct client *client); /* client is borrowed */
void keyboard_free(struct keyboard *keyboard);

/* This is the layout now ("layout+variant+options"). */
void keyboard_set(struct keyboard *keyboard, const char *layout);

/* Stores it if qubesd has another one; for when qubesd has become reachable. */
void keyboard_store(struct keyboard *keyboard);

#endif
