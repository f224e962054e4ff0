/*
 * event - what happened, told to the parts of the daemon first and to subscribers after them.
 *
 * Shape:  a subject (a domain, or NULL for the application), a name such as "property-set:memory",
 *         and pairs of text. Names and arguments are those of docs/admin-api.md, "Events".
 * Order:  handlers run synchronously, in the order of enum event_order, and may fire events
 *         themselves; so those of an ordinary event reach a subscriber before the event itself.
 *         For events with "-pre-" in the name the subscribers come first.
 */
#ifndef QUBESD_EVENT_H
#define QUBESD_EVENT_H

#include "qubesd/admin_error.h"

#include <glib.h>
#include <stdbool.h>

struct qubes_app;
struct domain;

struct event {
	struct domain *subject; /* borrowed; NULL: the application */
	const char *name;
	const char *const *args; /* key, value, key, value, ..., NULL */
	struct domain *about;    /* borrowed; the domain named by the argument "vm", or NULL */
};

/* The argument's text, or NULL. */
const char *event_arg(const struct event *event, const char *key);

enum event_order {
	EVENT_ORDER_CORE,
	EVENT_ORDER_STORAGE,
	EVENT_ORDER_LIFECYCLE,
	EVENT_ORDER_SYSTEM_INFO,
	EVENT_ORDER_SUBSCRIBERS,
	EVENT_ORDER_COUNT,
};

/*
 * Returns true. Only for an event fired with event_ask() may it return admin_error_set(error, ...)
 * to refuse what is about to happen; error is NULL for the others.
 */
typedef bool (*event_func)(const struct event *event, struct admin_error *error, void *data);

struct event_bus; /* one in every app */
struct event_bus *event_bus_new(void);
void event_bus_free(struct event_bus *bus);

/* At most 8 for each place in the order. data outlives the app, or its handlers are removed. */
void event_add_handler(struct qubes_app *app, enum event_order order, event_func func, void *data);
/* All handlers with that data, of one place; never from inside a handler. */
void event_remove_handlers(struct qubes_app *app, enum event_order order, const void *data);

/* Arguments are pairs of const char *, ended by NULL. */
void event_fire(struct qubes_app *app, struct domain *subject, const char *name, ...)
    __attribute__((sentinel));
/* The same for an event about another domain: argument "vm" is about's name. */
void event_fire_about(
    struct qubes_app *app, struct domain *subject, const char *name, struct domain *about);

/* Fires an event that handlers may refuse. False: refused, and *error filled by the handler. */
bool event_ask(struct qubes_app *app, struct domain *subject, struct admin_error *error,
    const char *name, ...) __attribute__((sentinel));

#endif
