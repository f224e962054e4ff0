#include "qubesd/tools/properties.h"

#include <errno.h>
#include <string.h>

void
property_free(struct property *property)
{
	if (property == NULL)
		return;
	g_free(property->name);
	g_free(property->type);
	g_free(property->value);
	g_free(property);
}

struct property *
property_parse(const char *name, const char *text)
{
	static const char default_true[] = "default=True type=";
	static const char default_false[] = "default=False type=";
	struct property *property;
	const char *type, *blank;
	bool is_default = g_str_has_prefix(text, default_true);

	if (!is_default && !g_str_has_prefix(text, default_false))
		return NULL;
	type = text + (is_default ? strlen(default_true) : strlen(default_false));
	blank = strchr(type, ' ');
	if (blank == NULL)
		return NULL;
	property = g_new0(struct property, 1);
	property->name = g_strdup(name);
	property->is_default = is_default;
	property->type = g_strndup(type, (size_t)(blank - type));
	property->value = g_strdup(blank + 1);
	return property;
}

/* GetAll writes a backslash as two and a line feed as backslash n. */
static char *
unescape(const char *text)
{
	GString *out = g_string_new(NULL);

	for (const char *p = text; *p != '\0'; p++) {
		if (p[0] == '\\' && (p[1] == '\\' || p[1] == 'n'))
			g_string_append_c(out, *++p == 'n' ? '\n' : '\\');
		else
			g_string_append_c(out, *p);
	}
	return g_string_free(out, FALSE);
}

static GPtrArray *
properties_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)property_free);
}

/* One line of GetAll, without its line feed. */
static struct property *
parse_line(const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);
	g_autofree char *name = NULL;
	g_autofree char *escaped = NULL;
	g_autofree char *text = NULL;

	if (blank == NULL)
		return NULL;
	name = g_strndup(line, (size_t)(blank - line));
	escaped = g_strndup(blank + 1, len - (size_t)(blank + 1 - line));
	text = unescape(escaped);
	return property_parse(name, text);
}

GPtrArray *
properties_parse(const char *content)
{
	GPtrArray *properties = properties_new();

	for (const char *line = content; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		struct property *property = parse_line(line, len);

		if (property != NULL)
			g_ptr_array_add(properties, property);
		line += len + (line[len] == '\n');
	}
	return properties;
}

struct property *
properties_pick(const char *content, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *line = content; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len > name_len && strncmp(line, name, name_len) == 0 && line[name_len] == ' ')
			return parse_line(line, len);
		line += len + (line[len] == '\n');
	}
	return NULL;
}

char
property_flag(const struct property *property)
{
	bool may_be_empty = strcmp(property->type, "str") == 0 || strcmp(property->type, "vm") == 0;

	if (property->value[0] == '\0' && !may_be_empty)
		return 'U';
	return property->is_default ? 'D' : '-';
}

bool
property_is_none(const struct property *property)
{
	return property->value[0] == '\0' && strcmp(property->type, "vm") == 0;
}

const char *
property_method(const char *dest, const char *vm_method, const char *global_method)
{
	return dest != NULL ? vm_method : global_method;
}

const char *
property_destination(const char *dest)
{
	return dest != NULL ? dest : "dom0";
}

/* List, then each with a Get of its own; what is refused is left out. */
static int
read_one_by_one(struct tool_run *run, const char *dest, GPtrArray **ret)
{
	struct client_call list =
	    tool_call(run, PROPERTY_METHOD(dest, "List"), NULL, property_destination(dest), NULL);
	g_autoptr(GPtrArray) properties = properties_new();
	g_autofree struct client_call *calls = NULL;
	g_auto(GStrv) names = NULL;
	guint count;
	int status;

	if (!list.ok) {
		status = tool_error(run, "%s", list.message);
		client_clear(&list, 1);
		return status;
	}
	names = client_lines(list.content);
	client_clear(&list, 1);
	count = g_strv_length(names);
	calls = g_new0(struct client_call, count);
	for (guint i = 0; i < count; i++)
		calls[i] = (struct client_call){.method = PROPERTY_METHOD(dest, "Get"),
		    .arg = names[i],
		    .dest = property_destination(dest)};
	client_run(run->client, calls, count);
	for (guint i = 0; i < count; i++) {
		struct property *property =
		    calls[i].ok ? property_parse(names[i], calls[i].content) : NULL;

		if (property != NULL)
			g_ptr_array_add(properties, property);
	}
	client_clear(calls, count);
	*ret = g_steal_pointer(&properties);
	return 0;
}

int
properties_read(struct tool_run *run, const char *dest, GPtrArray **ret)
{
	struct client_call call =
	    tool_call(run, PROPERTY_METHOD(dest, "GetAll"), NULL, property_destination(dest), NULL);
	int status = 0;

	if (call.ok)
		*ret = properties_parse(call.content);
	else if (call.error == -EACCES || client_call_failed_with(&call, "PermissionDenied") ||
		 client_call_failed_with(&call, "ProtocolError"))
		status = read_one_by_one(run, dest, ret);
	else
		status = tool_error(run, "%s", call.message);
	client_clear(&call, 1);
	return status;
}

const char *
property_set_value(struct tool_run *run, const char *dest, const char *name, const char *value)
{
	struct client_call call;
	struct property *property = NULL;
	bool holds_qube;

	if (strcmp(value, "none") != 0)
		return value;
	call = tool_call(run, PROPERTY_METHOD(dest, "Get"), name, property_destination(dest), NULL);
	if (call.ok)
		property = property_parse(name, call.content);
	holds_qube = property != NULL && strcmp(property->type, "vm") == 0;
	property_free(property);
	client_clear(&call, 1);
	return holds_qube ? "" : value;
}
