#include "qubesd/tools/clone.h"

#include "qubesd/tools/properties.h"

#include <string.h>

/* What makes a qube this qube. */
static const char *const identity[] = {
    "installed_by_rpm", "label", "name", "qid", "template", "uuid", NULL};

/* Marks that qubesd sets by itself. */
static const char *const kept_tags[] = {
    "audiovm-", "created-by-", "disp-created-by-", "guivm-", "relayvm-", NULL};

static bool
has_prefix_of(const char *text, const char *const *prefixes)
{
	for (size_t i = 0; prefixes[i] != NULL; i++) {
		if (g_str_has_prefix(text, prefixes[i]))
			return true;
	}
	return false;
}

/* The content of a reply (g_free()), or NULL with *ret_error set. */
static char *
ask(struct tool_run *run, const char *method, const char *arg, const char *dest,
    const char *payload, char **ret_error)
{
	struct client_call call = tool_call(run, method, arg, dest, payload);
	char *content = g_steal_pointer(&call.content);

	if (content == NULL)
		*ret_error = g_steal_pointer(&call.message);
	client_clear(&call, 1);
	return content;
}

/* A call that only succeeds or fails; one of the class fine is as good as a success. */
static char *
change(struct tool_run *run, const char *method, const char *arg, const char *dest,
    const char *payload, const char *fine)
{
	struct client_call call = tool_call(run, method, arg, dest, payload);
	char *error = NULL;

	if (!call.ok && (fine == NULL || !client_call_failed_with(&call, fine)))
		error = g_steal_pointer(&call.message);
	client_clear(&call, 1);
	return error;
}

static char *
clone_properties(struct tool_run *run, const char *source, const char *target)
{
	char *error = NULL;
	g_autofree char *content = ask(run, "admin.vm.property.GetAll", NULL, source, NULL, &error);
	g_autoptr(GPtrArray) properties = properties_parse(content != NULL ? content : "");

	for (guint i = 0; i < properties->len && error == NULL; i++) {
		const struct property *property = properties->pdata[i];

		/* Another class may lack it. */
		if (!property->is_default && !g_strv_contains(identity, property->name))
			error = change(run, "admin.vm.property.Set", property->name, target,
			    property->value, "QubesNoSuchPropertyError");
	}
	return error;
}

static char *
clone_tags(struct tool_run *run, const char *source, const char *target)
{
	char *error = NULL;
	g_autofree char *content = ask(run, "admin.vm.tag.List", NULL, source, NULL, &error);
	g_auto(GStrv) tags = client_lines(content != NULL ? content : "");

	for (size_t i = 0; tags[i] != NULL && error == NULL; i++) {
		if (!has_prefix_of(tags[i], kept_tags))
			error = change(run, "admin.vm.tag.Set", tags[i], target, NULL, NULL);
	}
	return error;
}

static char *
clone_features(struct tool_run *run, const char *source, const char *target)
{
	char *error = NULL;
	g_autofree char *content = ask(run, "admin.vm.feature.List", NULL, source, NULL, &error);
	g_auto(GStrv) features = client_lines(content != NULL ? content : "");

	for (size_t i = 0; features[i] != NULL && error == NULL; i++) {
		g_autofree char *value = NULL;

		if (g_str_has_prefix(features[i], "preload-dispvm") &&
		    strcmp(features[i], "preload-dispvm-max") != 0)
			continue;
		value = ask(run, "admin.vm.feature.Get", features[i], source, NULL, &error);
		if (value != NULL)
			error =
			    change(run, "admin.vm.feature.Set", features[i], target, value, NULL);
	}
	return error;
}

static char *
clone_volume(struct tool_run *run, const char *source, const char *target, const char *volume)
{
	char *error = NULL;
	g_autofree char *info = ask(run, "admin.vm.volume.Info", volume, source, NULL, &error);
	g_autofree char *token = NULL;

	if (info == NULL || strstr(info, "save_on_stop=True\n") == NULL)
		return error;
	token = ask(run, "admin.vm.volume.CloneFrom", volume, source, NULL, &error);
	if (token != NULL)
		error = change(run, "admin.vm.volume.CloneTo", volume, target, token, NULL);
	return error;
}

static char *
clone_volumes(struct tool_run *run, const char *source, const char *target, bool with_private)
{
	struct client_call list = tool_call(run, "admin.vm.volume.List", NULL, source, NULL);
	g_auto(GStrv) volumes = client_lines(list.ok ? list.content : "");
	char *error = NULL;

	if (!list.ok && !client_call_failed_with(&list, "ProtocolError"))
		error = g_strdup(list.message);
	client_clear(&list, 1);
	for (size_t i = 0; volumes[i] != NULL && error == NULL; i++) {
		if (with_private || strcmp(volumes[i], "private") != 0)
			error = clone_volume(run, source, target, volumes[i]);
	}
	return error;
}

char *
clone_contents(struct tool_run *run, const char *source, const char *target, bool with_private)
{
	char *error = clone_properties(run, source, target);

	if (error == NULL)
		error = clone_tags(run, source, target);
	if (error == NULL)
		error = clone_features(run, source, target);
	if (error == NULL)
		error = clone_volumes(run, source, target, with_private);
	return error;
}
