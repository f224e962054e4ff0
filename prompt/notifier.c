#include "prompt/notifier.h"

#include "shared/log.h"

#include <gio/gio.h>
#include <string.h>

#define BUS_NAME "org.freedesktop.Notifications"
#define BUS_PATH "/org/freedesktop/Notifications"
#define TIMEOUT_MS 5000

static const struct kind {
	const char *resolution, *title, *icon;
} kinds[] = {
    {"allow", "Allowed", ""},
    {"deny", "Denied", "dialog-error"},
    {"fail", "Failed", "dialog-warning"},
};

static const struct kind *
kind_of(const struct notify_request *request)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (strcmp(kinds[i].resolution, request->resolution) == 0)
			return &kinds[i];
	}
	return &kinds[G_N_ELEMENTS(kinds) - 1];
}

/* The service, and its argument unless that is empty. */
static char *
service_text(const struct notify_request *request)
{
	g_autofree char *argument = request_shorten(request->argument);

	return g_strconcat(
	    request->service, strcmp(request->argument, "+") != 0 ? argument : "", NULL);
}

char *
notifier_title(const struct notify_request *request)
{
	g_autofree char *service = service_text(request);

	return g_strdup_printf("%s: %s", kind_of(request)->title, service);
}

char *
notifier_body(const struct notify_request *request)
{
	g_autofree char *service = service_text(request);
	g_autofree char *first = g_markup_printf_escaped(
	    "<b>%s</b> from <b>%s</b> to <b>%s</b>", service, request->source, request->target);
	g_autofree char *more =
	    request->count > 1
		? g_strdup_printf("\nand %u more calls of that qube", request->count - 1)
		: g_strdup("");
	g_autofree char *message = request->message != NULL
				       ? g_markup_printf_escaped("\n%s", request->message)
				       : g_strdup("");

	return g_strconcat(first, more, message, NULL);
}

static void
on_shown(GObject *bus, GAsyncResult *result, gpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) reply =
	    g_dbus_connection_call_finish(G_DBUS_CONNECTION(bus), result, &error);

	(void)data;
	if (reply == NULL)
		log_info("no notification could be shown: %s", error->message);
}

static void
on_bus(GObject *source, GAsyncResult *result, gpointer data)
{
	g_autoptr(GVariant) call = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &error);

	(void)source;
	if (bus == NULL) {
		log_info("no notification could be shown: %s", error->message);
		return;
	}
	g_dbus_connection_call(bus, BUS_NAME, BUS_PATH, BUS_NAME, "Notify", call,
	    G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, TIMEOUT_MS, NULL, on_shown, NULL);
}

/* Without an address GLib would start a bus of its own, which nobody watches. */
static bool
has_bus(void)
{
	const char *runtime = g_getenv("XDG_RUNTIME_DIR");
	g_autofree char *socket = g_build_filename(runtime != NULL ? runtime : "/", "bus", NULL);

	return g_getenv("DBUS_SESSION_BUS_ADDRESS") != NULL ||
	       (runtime != NULL && g_file_test(socket, G_FILE_TEST_EXISTS));
}

void
notifier_show(const struct notify_request *request)
{
	g_autofree char *title = notifier_title(request);
	g_autofree char *body = notifier_body(request);
	GVariantBuilder actions, hints;
	GVariant *call;

	log_info("%s (%s -> %s)", title, request->source, request->target);
	if (!has_bus())
		return;
	g_variant_builder_init(&actions, G_VARIANT_TYPE("as"));
	g_variant_builder_init(&hints, G_VARIANT_TYPE("a{sv}"));
	g_variant_builder_add(&hints, "{sv}", "urgency", g_variant_new_byte(1));
	call = g_variant_new("(susssasa{sv}i)", "qrexec", 0u, kind_of(request)->icon, title, body,
	    &actions, &hints, -1);
	g_bus_get(G_BUS_TYPE_SESSION, NULL, on_bus, g_variant_ref_sink(call));
}
