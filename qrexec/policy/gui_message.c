#include "qrexec/policy/gui_message.h"

#include <jansson.h>
#include <string.h>

#define ICON_UNKNOWN "appvm-black"
#define DISPVM "@dispvm:"

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

static bool
is_offered(const struct policy_decision *asked, const char *name)
{
	for (guint i = 0; i < asked->choices->len; i++) {
		const char *target = g_array_index(asked->choices, struct policy_choice, i).target;
		size_t skip = g_str_has_prefix(target, DISPVM) ? strlen(DISPVM) : 0;

		if (strcmp(target + skip, name) == 0)
			return true;
	}
	return false;
}

/* dom0 knows all qubes; another GUI domain is shown those that the question is about. */
static bool
may_show(const struct call *call, const struct policy_decision *asked, const char *name)
{
	return g_strcmp0(asked->guivm, "dom0") == 0 || strcmp(name, asked->source) == 0 ||
	       strcmp(name, call->source) == 0 || is_offered(asked, name);
}

char *
gui_message_ask(
    const struct system_info *info, const struct call *call, const struct policy_decision *asked)
{
	g_autoptr(GPtrArray) qubes = system_info_all(info);
	json_t *icons = json_object(), *colors = json_object(), *targets = json_array();
	json_t *request;

	for (guint i = 0; i < qubes->len; i++) {
		const struct qube_info *qube = g_ptr_array_index(qubes, i);

		if (may_show(call, asked, qube->name))
			add_qube(icons, colors, qube);
	}
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
