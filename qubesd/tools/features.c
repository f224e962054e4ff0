/*
 * qvm-features and qvm-service - features of a qube, and those of them that switch services.
 */
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <string.h>

#define SERVICE_PREFIX "service."

struct features_options {
	int unset;
};

static const struct option features_options[] = {
    {'D', "unset", OPTION_FLAG, offsetof(struct features_options, unset), 1, NULL,
	"remove the feature"},
    {0, "default", OPTION_FLAG, offsetof(struct features_options, unset), 1, NULL, NULL},
    {0, "delete", OPTION_FLAG, offsetof(struct features_options, unset), 1, NULL, NULL},
    {0},
};

struct service_options {
	int enable, disable, unset, list;
};

static const struct option service_options[] = {
    {'e', "enable", OPTION_FLAG, offsetof(struct service_options, enable), 1, NULL, "switch on"},
    {'d', "disable", OPTION_FLAG, offsetof(struct service_options, disable), 1, NULL, "switch off"},
    {'D', "unset", OPTION_FLAG, offsetof(struct service_options, unset), 1, NULL,
	"leave it to the qube"},
    {0, "default", OPTION_FLAG, offsetof(struct service_options, unset), 1, NULL, NULL},
    {0, "delete", OPTION_FLAG, offsetof(struct service_options, unset), 1, NULL, NULL},
    {'l', "list", OPTION_FLAG, offsetof(struct service_options, list), 1, NULL,
	"list the services (default)"},
    {0},
};

/*
 * Features whose names start with prefix, in the qube's order: rows of name (without the prefix)
 * and value. One that vanishes meanwhile is left out.
 */
static int
read_features(struct tool_run *run, const char *vm, const char *prefix, GPtrArray **ret)
{
	struct client_call list = tool_call(run, "admin.vm.feature.List", NULL, vm, NULL);
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_autofree struct client_call *calls = NULL;
	g_auto(GStrv) names = NULL;
	guint count = 0;
	int status = list.ok ? 0 : tool_error(run, "%s", list.message);

	names = client_lines(list.ok ? list.content : "");
	client_clear(&list, 1);
	calls = g_new0(struct client_call, g_strv_length(names));
	for (size_t i = 0; names[i] != NULL; i++) {
		if (g_str_has_prefix(names[i], prefix))
			calls[count++] = (struct client_call){
			    .method = "admin.vm.feature.Get", .arg = names[i], .dest = vm};
	}
	client_run(run->client, calls, count);
	for (guint i = 0; i < count; i++) {
		char **row;

		if (!calls[i].ok)
			continue;
		row = g_new0(char *, 3);
		row[0] = g_strdup(calls[i].arg + strlen(prefix));
		row[1] = g_steal_pointer(&calls[i].content);
		g_ptr_array_add(rows, row);
	}
	client_clear(calls, count);
	if (status == 0)
		*ret = g_steal_pointer(&rows);
	return status;
}

static void
show_rows(const struct tool_run *run, const GPtrArray *rows)
{
	static const char *const keys[] = {"name", "value", NULL};

	if (run->json)
		show_json_rows(stdout, keys, rows);
	else
		show_table(stdout, rows);
}

static int
list_features(struct tool_run *run, const char *vm)
{
	g_autoptr(GPtrArray) rows = NULL;
	int status = read_features(run, vm, "", &rows);

	if (status == 0)
		show_rows(run, rows);
	return status;
}

static const char *
on_or_off(const char *value)
{
	return value[0] != '\0' ? "on" : "off";
}

static int
list_services(struct tool_run *run, const char *vm)
{
	g_autoptr(GPtrArray) rows = NULL;
	int status = read_features(run, vm, SERVICE_PREFIX, &rows);

	if (status != 0)
		return status;
	for (guint i = 0; i < rows->len; i++) {
		char **row = rows->pdata[i];
		const char *shown = on_or_off(row[1]);

		g_free(row[1]);
		row[1] = g_strdup(shown);
	}
	show_rows(run, rows);
	return 0;
}

/* Shows one feature's value; as_service: as on or off. Absent: status 1, without a word. */
static int
show_feature(struct tool_run *run, const char *vm, const char *feature, bool as_service)
{
	struct client_call call = tool_call(run, "admin.vm.feature.Get", feature, vm, NULL);
	int status = 0;

	if (call.ok)
		show_line(stdout, as_service ? on_or_off(call.content) : call.content);
	else if (client_call_failed_with(&call, "QubesFeatureNotFoundError"))
		status = TOOL_FAILED;
	else
		status = tool_error(run, "%s", call.message);
	client_clear(&call, 1);
	return status;
}

static int
remove_feature(struct tool_run *run, const char *vm, const char *feature)
{
	struct client_call call = tool_call(run, "admin.vm.feature.Remove", feature, vm, NULL);
	int status = 0;

	if (!call.ok && !client_call_failed_with(&call, "QubesFeatureNotFoundError"))
		status = tool_error(run, "%s", call.message);
	client_clear(&call, 1);
	return status;
}

static int
set_feature(struct tool_run *run, const char *vm, const char *feature, const char *value)
{
	return tool_do(run, "admin.vm.feature.Set", feature, vm, value);
}

static int
features_main(struct tool_run *run, void *data)
{
	const struct features_options *options = data;
	const char *feature = tool_word(run, 1);
	const char *value = tool_word(run, 2);
	g_autofree char *vm = NULL;
	int status;

	if (run->words->len < 1 || run->words->len > 3)
		return tool_usage_error(run, "name a qube, a feature, and a value");
	if (options->unset && (feature == NULL || value != NULL))
		return tool_usage_error(run, "--unset needs a feature and no value");
	status = vmnames_one(run, tool_word(run, 0), &vm);
	if (status != 0)
		return status;
	if (feature == NULL)
		return list_features(run, vm);
	if (options->unset)
		return remove_feature(run, vm, feature);
	if (value != NULL)
		return set_feature(run, vm, feature, value);
	return show_feature(run, vm, feature, false);
}

/* Sets the feature of a service: to on or off by an option or by a word, or removes it. */
static int
change_service(struct tool_run *run, const struct service_options *options, const char *vm,
    const char *feature)
{
	const char *word = tool_word(run, 2);
	bool on = options->enable;

	if (options->unset)
		return remove_feature(run, vm, feature);
	if (word != NULL && !tool_parse_bool(word, &on))
		return tool_error(run, "neither on nor off: '%s'", word);
	return set_feature(run, vm, feature, on ? "1" : "");
}

static int
service_main(struct tool_run *run, void *data)
{
	const struct service_options *options = data;
	int changes = options->enable + options->disable + options->unset;
	const char *service = tool_word(run, 1);
	g_autofree char *feature = NULL;
	g_autofree char *vm = NULL;
	int status;

	if (run->words->len < 1 || run->words->len > 3)
		return tool_usage_error(run, "name a qube and a service");
	if (changes + options->list > 1)
		return tool_usage_error(run, "only one of --enable, --disable, --unset, --list");
	if (changes == 1 && (service == NULL || tool_word(run, 2) != NULL))
		return tool_usage_error(run, "this option needs a service and no value");
	status = vmnames_one(run, tool_word(run, 0), &vm);
	if (status != 0)
		return status;
	if (service == NULL || options->list)
		return list_services(run, vm);
	feature = g_strconcat(SERVICE_PREFIX, service, NULL);
	if (changes == 0 && tool_word(run, 2) == NULL)
		return show_feature(run, vm, feature, true);
	return change_service(run, options, vm, feature);
}

const struct tool tool_features = {
    "qvm-features",
    "VMNAME [FEATURE [VALUE]]\n--unset VMNAME FEATURE",
    "Lists, shows, sets and removes the features of a qube.",
    features_options,
    sizeof(struct features_options),
    features_main,
};

const struct tool tool_service = {
    "qvm-service",
    "VMNAME [SERVICE [on|off]]\n--enable|--disable|--unset VMNAME SERVICE",
    "Lists and switches the services of a qube.",
    service_options,
    sizeof(struct service_options),
    service_main,
};
