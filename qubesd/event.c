#include "qubesd/event.h"

#include "qubesd/qubes_app.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define EVENT_HANDLERS_MAX 8 /* for each place in the order */
#define EVENT_ARGS_MAX 16    /* keys and values */

struct handler {
	event_func func;
	void *data; /* borrowed from who added it */
};

struct event_bus {
	struct handler handlers[EVENT_ORDER_COUNT][EVENT_HANDLERS_MAX];
	unsigned counts[EVENT_ORDER_COUNT];
};

struct event_bus *
event_bus_new(void)
{
	return g_new0(struct event_bus, 1);
}

void
event_bus_free(struct event_bus *bus)
{
	g_free(bus);
}

void
event_add_handler(struct qubes_app *app, enum event_order order, event_func func, void *data)
{
	struct event_bus *bus = qubes_app_event_bus(app);
	unsigned n = bus->counts[order]++;

	assert(n < EVENT_HANDLERS_MAX);
	bus->handlers[order][n] = (struct handler){func, data};
}

void
event_remove_handlers(struct qubes_app *app, enum event_order order, const void *data)
{
	struct event_bus *bus = qubes_app_event_bus(app);
	struct handler *handlers = bus->handlers[order];
	unsigned kept = 0;

	for (unsigned i = 0; i < bus->counts[order]; i++) {
		if (handlers[i].data != data)
			handlers[kept++] = handlers[i];
	}
	bus->counts[order] = kept;
}

const char *
event_arg(const struct event *event, const char *key)
{
	for (const char *const *arg = event->args; arg[0] != NULL; arg += 2) {
		if (strcmp(arg[0], key) == 0)
			return arg[1];
	}
	return NULL;
}

static bool
run_handlers(struct event_bus *bus, enum event_order order, const struct event *event,
    struct admin_error *error)
{
	for (unsigned i = 0; i < bus->counts[order]; i++) {
		const struct handler *handler = &bus->handlers[order][i];

		if (!handler->func(event, error, handler->data) && error != NULL)
			return false;
	}
	return true;
}

/* Subscribers come last, but hear of what is about to happen before anybody acts on it. */
static bool
deliver(struct qubes_app *app, const struct event *event, struct admin_error *error)
{
	struct event_bus *bus = qubes_app_event_bus(app);
	bool pre = strstr(event->name, "-pre-") != NULL;

	if (pre)
		run_handlers(bus, EVENT_ORDER_SUBSCRIBERS, event, NULL);
	for (int order = 0; order < EVENT_ORDER_SUBSCRIBERS; order++) {
		if (!run_handlers(bus, (enum event_order)order, event, error))
			return false;
	}
	if (!pre)
		run_handlers(bus, EVENT_ORDER_SUBSCRIBERS, event, NULL);
	return true;
}

static void
collect_args(const char *args[static EVENT_ARGS_MAX + 1], va_list list)
{
	unsigned count = 0;
	const char *arg;

	while ((arg = va_arg(list, const char *)) != NULL) {
		assert(count < EVENT_ARGS_MAX);
		args[count++] = arg;
	}
	assert(count % 2 == 0);
	args[count] = NULL;
}

void
event_fire(struct qubes_app *app, struct domain *subject, const char *name, ...)
{
	const char *args[EVENT_ARGS_MAX + 1];
	struct event event = {.subject = subject, .name = name, .args = args};
	va_list list;

	va_start(list, name);
	collect_args(args, list);
	va_end(list);
	deliver(app, &event, NULL);
}

void
event_fire_about(
    struct qubes_app *app, struct domain *subject, const char *name, struct domain *about)
{
	const char *args[] = {"vm", domain_name(about), NULL};
	struct event event = {.subject = subject, .name = name, .args = args, .about = about};

	deliver(app, &event, NULL);
}

bool
event_ask(
    struct qubes_app *app, struct domain *subject, struct admin_error *error, const char *name, ...)
{
	struct admin_error ignored = {0};
	const char *args[EVENT_ARGS_MAX + 1];
	struct event event = {.subject = subject, .name = name, .args = args};
	va_list list;
	bool ok;

	va_start(list, name);
	collect_args(args, list);
	va_end(list);
	ok = deliver(app, &event, error != NULL ? error : &ignored);
	admin_error_clear(&ignored);
	return ok;
}
