#include "qrexec/policy/gui_message.h"

#include <jansson.h>
#include <string.h>

#define ICON_UNKNOWN "appvm-black"

static char *
dump(json_t *object)
{
	char *dumped = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	char *text = g_strdup(dumped != NULL ? dumped : "{}");

	free(dumped);
	json_decref(object);
	return text;
}

/* "appvm-red" -> "dispvm-red" */
static char *
disposable_icon(const char *icon)
{
	g_auto(GStrv) parts = g_strsplit(icon, "app", -1);

	return g_strjoinv("disp", parts);
}

static void
add_qube(json_t *icons, json_t *colors, const struct qube_info *qube)
{
	const char *icon = qube->icon != NULL ? qube->icon : ICON_UNKNOWN;
	g_autofree char *disposable = NULL, *base_icon = NULL;

	json_object_set_new(icons, qube->name, json_string(icon));
	if (qube->label != NULL)
		json_object_set_new(colors, qube->name, json_string(qube->label));
	if (!qube->template_for_dispvms)
		return;
	disposable = g_strconcat("@dispvm:", qube->name, NULL);
	base_icon = disposable_icon(icon);
	json_object_set_new(icons, disposable, json_string(base_icon));
	if (qube->label != NULL)
		json_object_set_new(colors, disposable, json_string(qube->label));
}

char *
gui_message_ask(
    const struct system_info *info, const struct call *call, const struct policy_decision *asked)
{
	g_autoptr(GPtrArray) qubes = system_info_all(info);
	json_t *icons = json_object(), *colors = json_object(), *targets = json_array();
	json_t *request;

	for (guint i = 0; i < qubes->len; i++)
		add_qube(icons, colors, g_ptr_array_index(qubes, i));
	for (guint i = 0; i < asked->choices->len; i++)
		json_array_append_new(targets,
		    json_string(g_array_index(asked->choices, struct policy_choice, i).target));
	request = json_pack("{s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:s}", "source", asked->source,
	    "service", call->service, "argument", call->argument, "targets", targets,
	    "default_target", asked->default_target != NULL ? asked->default_target : "", "icons",
	    icons, "colors", colors, "requested_target", asked->requested_target);
	if (strcmp(asked->source, call->source) != 0)
		json_object_set_new(request, "relay", json_string(call->source));
	return dump(request);
}

char *
gui_message_notify(const struct gui_notice *notice)
{
	json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:s}", "resolution", notice->resolution,
	    "service", notice->service, "argument", notice->argument, "source", notice->source,
	    "target", notice->target);

	if (notice->count > 1)
		json_object_set_new(request, "count", json_integer(notice->count));
	if (notice->message != NULL)
		json_object_set_new(request, "message", json_string(notice->message));
	return dump(request);
}
