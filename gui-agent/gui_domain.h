/*
 * gui_domain - which domain shows the windows of this qube, as the host has told since it started.
 *
 * guest.conf says it at the start; a GUI domain that is started later, or again, has another number,
 * and the host tells it through the service bordure.SetGuiDomain. The service puts it into
 * the file gui-domain in the runtime folder: a decimal number, or "none".
 */
#ifndef GUI_AGENT_GUI_DOMAIN_H
#define GUI_AGENT_GUI_DOMAIN_H

#include <stdint.h>

#define GUI_DOMAIN_NONE (-1)
#define GUI_DOMAIN_MAX INT32_MAX

struct gui_domain;

/* domain: a number or GUI_DOMAIN_NONE. */
typedef void (*gui_domain_func)(int64_t domain, void *data);

/*
 * on_change is called when the file has been replaced, and not for what it holds now. Returns never
 * NULL; without inotify changes go unnoticed, which is logged.
 */
struct gui_domain *gui_domain_watch(gui_domain_func on_change, void *data);
void gui_domain_unwatch(struct gui_domain *watch); /* NULL is fine */

/* What the file says now; otherwise when there is none, or it makes no sense. */
int64_t gui_domain_read(int64_t otherwise);

#endif
