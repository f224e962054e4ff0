#include "prompt/request_decode.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define NAME_MAX_BYTES 63
#define ICON_MAX_BYTES 64
#define TEXT_MAX_BYTES 65536
#define MESSAGE_MAX_BYTES 512
#define COUNT_MAX 1000000

#define SERVICE_EXTRA "@_.-+"
#define NAME_EXTRA "@_.-"
#define TARGET_EXTRA "@_.-:"

#define DISPVM_PREFIX "@dispvm:"

/* --- freeing -------------------------------------------------------------------------------- */

static void
target_clear(gpointer data)
{
	struct request_target *target = data;

	g_free(target->name);
	g_free(target->text);
	g_free(target->look.icon);
}

static void
ask_clear(struct ask_request *ask)
{
	g_free(ask->source);
	g_free(ask->service);
	g_free(ask->argument);
	g_free(ask->relay);
	g_free(ask->requested_target);
	g_free(ask->source_look.icon);
	g_clear_pointer(&ask->targets, g_array_unref);
	g_free(ask->problem);
}

static void
notify_clear(struct notify_request *notify)
{
	g_free(notify->resolution);
	g_free(notify->service);
	g_free(notify->argument);
	g_free(notify->source);
	g_free(notify->target);
	g_free(notify->message);
}

void
request_clear(struct request *request)
{
	if (request->kind == REQUEST_ASK)
		ask_clear(&request->ask);
	else
		notify_clear(&request->notify);
	*request = (struct request){0};
}

/* --- checked texts -------------------------------------------------------------------------- */

static bool
is_text(const char *text, const char *extra, size_t max)
{
	size_t len = strlen(text);

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!g_ascii_isalnum(text[i]) && strchr(extra, text[i]) == NULL)
			return false;
	}
	return true;
}

/* NULL when the key is absent or not such a text. */
static char *
read_text(json_t *object, const char *key, const char *extra, size_t max)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL && is_text(text, extra, max) ? g_strdup(text) : NULL;
}

static char *
read_argument(json_t *object)
{
	char *argument = read_text(object, "argument", SERVICE_EXTRA, TEXT_MAX_BYTES);

	if (argument != NULL && argument[0] != '+')
		g_clear_pointer(&argument, g_free);
	return argument;
}

static bool
read_color(json_t *colors, const char *name, uint32_t *ret)
{
	const char *text = json_string_value(json_object_get(colors, name));
	guint64 value;

	if (text == NULL || strlen(text) != 8 || !g_str_has_prefix(text, "0x") ||
	    !g_ascii_string_to_unsigned(text + 2, 16, 0, 0xffffff, &value, NULL))
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* False when the qube has no icon: then it is not there as far as we are concerned. */
static bool
read_look(json_t *object, const char *name, struct request_look *ret)
{
	json_t *icons = json_object_get(object, "icons");

	ret->icon = read_text(icons, name, "_.-", ICON_MAX_BYTES);
	ret->has_color = read_color(json_object_get(object, "colors"), name, &ret->color);
	return ret->icon != NULL;
}

/* --- policy.Ask ----------------------------------------------------------------------------- */

/* NULL when there is no way to show name. */
static char *
display_text(const char *name)
{
	if (!is_text(name, TARGET_EXTRA, NAME_MAX_BYTES))
		return NULL;
	if (name[0] != '@')
		return g_strdup(name);
	if (!g_str_has_prefix(name, DISPVM_PREFIX) || name[strlen(DISPVM_PREFIX)] == '\0')
		return NULL;
	return g_strdup_printf("Disposable VM (%s)", name + strlen(DISPVM_PREFIX));
}

static bool
has_target(const GArray *targets, const char *name)
{
	for (guint i = 0; i < targets->len; i++) {
		if (strcmp(g_array_index(targets, struct request_target, i).name, name) == 0)
			return true;
	}
	return false;
}

static void
add_target(GArray *targets, json_t *object, json_t *item)
{
	const char *name = json_string_value(item);
	struct request_target target = {0};

	if (name == NULL || has_target(targets, name))
		return;
	target.text = display_text(name);
	target.name = g_strdup(name);
	if (target.text != NULL && read_look(object, name, &target.look))
		g_array_append_val(targets, target);
	else
		target_clear(&target);
}

static int
compare_targets(gconstpointer a, gconstpointer b)
{
	return strcmp(
	    ((const struct request_target *)a)->text, ((const struct request_target *)b)->text);
}

static int
read_targets(json_t *object, struct ask_request *ask)
{
	json_t *items = json_object_get(object, "targets");
	json_t *item;
	size_t i;

	ask->targets = g_array_new(FALSE, FALSE, sizeof(struct request_target));
	g_array_set_clear_func(ask->targets, target_clear);
	if (json_array_size(items) > REQUEST_TARGETS_MAX)
		return -EPROTO;
	json_array_foreach(items, i, item) add_target(ask->targets, object, item);
	g_array_sort(ask->targets, compare_targets);
	return ask->targets->len > 0 ? 0 : -EPROTO;
}

static void
read_default_target(json_t *object, struct ask_request *ask)
{
	const char *name = json_string_value(json_object_get(object, "default_target"));

	ask->default_target = -1;
	if (name == NULL || name[0] == '\0')
		return;
	for (guint i = 0; i < ask->targets->len; i++) {
		if (strcmp(g_array_index(ask->targets, struct request_target, i).name, name) == 0)
			ask->default_target = (int)i;
	}
	if (strcmp(name, ask->source) == 0) {
		ask->problem =
		    g_strdup("The policy preselects the calling qube itself, which is no target.");
		ask->default_target = -1;
	} else if (ask->default_target < 0) {
		ask->problem =
		    g_strdup("The policy preselects a target that is not among those it allows.");
	}
}

static int
read_ask(json_t *object, struct ask_request *ask)
{
	ask->source = read_text(object, "source", NAME_EXTRA, NAME_MAX_BYTES);
	ask->service = read_text(object, "service", SERVICE_EXTRA, TEXT_MAX_BYTES);
	ask->argument = read_argument(object);
	ask->relay = read_text(object, "relay", NAME_EXTRA, NAME_MAX_BYTES);
	ask->requested_target = read_text(object, "requested_target", TARGET_EXTRA, NAME_MAX_BYTES);
	if (ask->requested_target == NULL)
		ask->requested_target = g_strdup("");
	if (ask->source == NULL || ask->service == NULL || ask->argument == NULL)
		return -EPROTO;
	read_look(object, ask->source, &ask->source_look);
	if (read_targets(object, ask) < 0)
		return -EPROTO;
	read_default_target(object, ask);
	return 0;
}

/* --- policy.Notify -------------------------------------------------------------------------- */

static char *
read_message(json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "message"));

	if (text == NULL || text[0] == '\0' || strlen(text) > MESSAGE_MAX_BYTES)
		return NULL;
	for (const char *p = text; *p != '\0'; p++) {
		if (!g_ascii_isprint(*p))
			return NULL;
	}
	return g_strdup(text);
}

static int
read_notify(json_t *object, struct notify_request *notify)
{
	static const char *const resolutions[] = {"allow", "deny", "fail", NULL};
	json_int_t count = json_integer_value(json_object_get(object, "count"));

	notify->resolution = read_text(object, "resolution", "", NAME_MAX_BYTES);
	notify->service = read_text(object, "service", SERVICE_EXTRA, TEXT_MAX_BYTES);
	notify->argument = read_argument(object);
	notify->source = read_text(object, "source", NAME_EXTRA, NAME_MAX_BYTES);
	notify->target = read_text(object, "target", TARGET_EXTRA, NAME_MAX_BYTES);
	notify->message = read_message(object);
	notify->count = count > 1 ? (unsigned)MIN(count, COUNT_MAX) : 1;
	if (notify->resolution == NULL || !g_strv_contains(resolutions, notify->resolution) ||
	    notify->service == NULL || notify->argument == NULL || notify->source == NULL ||
	    notify->target == NULL)
		return -EPROTO;
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* rest: "", in the shortest form, or " CALLER..." */
static bool
is_from_dom0(const char *rest)
{
	size_t len = rest[0] != '\0' ? strcspn(rest + 1, " ") : 0;

	return rest[0] == '\0' || (len == strlen("dom0") && strncmp(rest + 1, "dom0", len) == 0);
}

/*
 * The descriptor's first word must be one of the two services, with no argument; the second one, the
 * caller, dom0: in a GUI domain another qube, whose call some rule allowed, has nothing to ask.
 */
static int
read_kind(const char *descriptor, enum request_kind *ret)
{
	static const char *const services[] = {
	    [REQUEST_ASK] = "policy.Ask", [REQUEST_NOTIFY] = "policy.Notify"};
	size_t len = strcspn(descriptor, " ");

	if (len > 0 && descriptor[len - 1] == '+')
		len--; /* the form without an argument may be spelled so */
	for (enum request_kind kind = REQUEST_ASK; kind <= REQUEST_NOTIFY; kind++) {
		if (strlen(services[kind]) == len &&
		    strncmp(descriptor, services[kind], len) == 0 &&
		    is_from_dom0(strchrnul(descriptor, ' '))) {
			*ret = kind;
			return 0;
		}
	}
	return -EPROTO;
}

int
request_decode(struct untrusted_bytes untrusted_request, struct request *ret)
{
	const uint8_t *bytes = untrusted_request.raw;
	size_t len = untrusted_request.len;
	const uint8_t *nul = len > 0 && len <= REQUEST_MAX ? memchr(bytes, '\0', len) : NULL;
	struct request request = {0};
	size_t head;
	json_t *object;
	int r;

	if (nul == NULL || read_kind((const char *)bytes, &request.kind) < 0)
		return -EPROTO;
	head = (size_t)(nul - bytes) + 1;
	object = json_loadb((const char *)bytes + head, len - head, JSON_REJECT_DUPLICATES, NULL);
	r = !json_is_object(object)       ? -EPROTO
	    : request.kind == REQUEST_ASK ? read_ask(object, &request.ask)
					  : read_notify(object, &request.notify);
	json_decref(object);
	if (r < 0) {
		request_clear(&request);
		return r;
	}
	*ret = request;
	return 0;
}

char *
request_shorten(const char *argument)
{
	const size_t part = (REQUEST_ARGUMENT_SHOWN - 10) / 2;
	size_t len = strlen(argument);

	if (len <= REQUEST_ARGUMENT_SHOWN)
		return g_strdup(argument);
	return g_strdup_printf("%.*s \xe2\x80\xa6 %s", (int)part, argument, argument + len - part);
}
