#include "qubesd/system_info.h"

#include "qubesd/admin.h"
#include "qubesd/admin_methods.h"

#include <string.h>

struct entry {
	char *json;              /* owned */
	const char *power_state; /* a literal: what json says */
};

struct subscriber {
	struct system_info *info;
	struct admin_call *call;
};

struct system_info {
	struct qubes_app *app;  /* borrowed */
	GHashTable *entries;    /* struct domain * -> struct entry */
	GPtrArray *subscribers; /* struct subscriber, owned by their calls */
};

/* --- JSON ----------------------------------------------------------------------------------- */

static void
put_string(GString *out, const char *text)
{
	g_string_append_c(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			g_string_append_c(out, '\\');
		if (*text >= 0x20 && *text <= 0x7e)
			g_string_append_c(out, *text);
		else
			g_string_append_printf(out, "\\u%04x", (unsigned char)*text);
	}
	g_string_append_c(out, '"');
}

static void
put_key(GString *out, const char *key)
{
	g_string_append(out, out->str[out->len - 1] == '{' ? "\"" : ", \"");
	g_string_append(out, key);
	g_string_append(out, "\": ");
}

static void
put_text(GString *out, const char *key, const char *text)
{
	put_key(out, key);
	if (text != NULL)
		put_string(out, text);
	else
		g_string_append(out, "null");
}

static void
put_reference(GString *out, const char *key, const struct domain *domain, enum property_id id)
{
	const struct domain *other = domain_reference(domain, id);

	put_text(out, key, other != NULL ? domain_name(other) : NULL);
}

static void
put_tags(GString *out, const struct domain *domain)
{
	g_auto(GStrv) tags = domain_tags(domain);

	put_key(out, "tags");
	g_string_append_c(out, '[');
	for (char **tag = tags; *tag != NULL; tag++) {
		if (tag != tags)
			g_string_append(out, ", ");
		put_string(out, *tag);
	}
	g_string_append_c(out, ']');
}

static char *
render(const struct domain *domain)
{
	const struct label *label = domain_label(domain);
	g_autofree char *colour = label_colour_text(label != NULL ? label : &label_builtins[0]);
	g_autofree char *icon = domain_string(domain, PROPERTY_ICON);
	g_autofree char *transport = domain_string(domain, PROPERTY_TRANSPORT_RPC);
	GString *out = g_string_new("{");

	put_text(out, "internal", domain_feature(domain, FEATURE_OWN, "internal"));
	put_tags(out, domain);
	put_text(out, "type", domain_klass(domain));
	put_key(out, "template_for_dispvms");
	g_string_append(out, domain_bool(domain, PROPERTY_TEMPLATE_FOR_DISPVMS) ? "true" : "false");
	put_reference(out, "default_dispvm", domain, PROPERTY_DEFAULT_DISPVM);
	put_text(out, "icon", icon);
	put_text(out, "label", colour);
	put_reference(out, "guivm", domain, PROPERTY_GUIVM);
	put_reference(out, "relayvm", domain, PROPERTY_RELAYVM);
	put_text(out, "transport_rpc", transport[0] != '\0' ? transport : NULL);
	put_text(out, "power_state", domain_power_state(domain));
	put_text(out, "uuid", domain_uuid(domain));
	g_string_append_c(out, '}');
	return g_string_free(out, FALSE);
}

/* --- subscribers ---------------------------------------------------------------------------- */

static void
send_to_all(struct system_info *info, const char *subject, const char *name, const char *json)
{
	const char *const args[] = {"info", json, NULL};
	const char *const no_args[] = {NULL};
	g_autoptr(GByteArray) bytes = NULL;

	if (info->subscribers->len == 0)
		return;
	bytes = admin_event_encode(subject, name, json != NULL ? args : no_args);
	for (guint i = info->subscribers->len; i > 0; i--) {
		struct subscriber *subscriber = info->subscribers->pdata[i - 1];

		admin_call_send(subscriber->call, bytes->data, bytes->len);
	}
}

static void
on_stream_end(void *data)
{
	struct subscriber *subscriber = data;

	g_ptr_array_remove(subscriber->info->subscribers, subscriber);
	g_free(subscriber);
}

/* --- keeping it ready ----------------------------------------------------------------------- */

static void
entry_free(void *data)
{
	struct entry *entry = data;

	g_free(entry->json);
	g_free(entry);
}

static void
refresh(struct system_info *info, struct domain *domain)
{
	struct entry *entry = g_hash_table_lookup(info->entries, domain);
	char *json = render(domain);

	if (entry != NULL && strcmp(entry->json, json) == 0) {
		g_free(json);
		return;
	}
	if (entry == NULL) {
		entry = g_new0(struct entry, 1);
		g_hash_table_insert(info->entries, domain, entry);
	}
	g_free(entry->json);
	entry->json = json;
	entry->power_state = domain_power_state(domain);
	send_to_all(info, domain_name(domain), "system-info-set", json);
}

static void
forget(struct system_info *info, struct domain *domain)
{
	if (g_hash_table_remove(info->entries, domain))
		send_to_all(info, domain_name(domain), "system-info-remove", NULL);
}

/*
 * Whatever happened to a qube, its object is rendered again and compared: that costs microseconds,
 * and no list of events can be incomplete. Derived changes of other qubes have events of their own.
 */
static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	struct system_info *info = data;

	(void)error;
	if (event->about != NULL && strcmp(event->name, "domain-delete") == 0)
		forget(info, event->about);
	else if (event->about != NULL && strcmp(event->name, "domain-add") == 0)
		refresh(info, event->about);
	else if (event->subject != NULL && !domain_is_removed(event->subject))
		refresh(info, event->subject);
	return true;
}

/* A power state may move on without an event of its own. */
static void
refresh_power_states(struct system_info *info)
{
	const GPtrArray *domains = qubes_app_domains(info->app);

	for (guint i = 0; i < domains->len; i++) {
		struct entry *entry = g_hash_table_lookup(info->entries, domains->pdata[i]);

		if (entry == NULL ||
		    strcmp(entry->power_state, domain_power_state(domains->pdata[i])) != 0)
			refresh(info, domains->pdata[i]);
	}
}

struct system_info *
system_info_new(struct qubes_app *app)
{
	struct system_info *info = g_new0(struct system_info, 1);

	info->app = app;
	info->entries = g_hash_table_new_full(NULL, NULL, NULL, entry_free);
	info->subscribers = g_ptr_array_new();
	refresh_power_states(info);
	event_add_handler(app, EVENT_ORDER_SYSTEM_INFO, on_event, info);
	return info;
}

void
system_info_free(struct system_info *info)
{
	if (info == NULL)
		return;
	event_remove_handlers(info->app, EVENT_ORDER_SYSTEM_INFO, info);
	g_ptr_array_unref(info->subscribers);
	g_hash_table_unref(info->entries);
	g_free(info);
}

/* --- methods -------------------------------------------------------------------------------- */

void
admin_get_system_info(struct admin_call *call)
{
	struct system_info *info = admin_system_info(admin_call_admin(call));
	const GPtrArray *domains = qubes_app_domains(info->app);
	g_autoptr(GString) out = g_string_sized_new(512 * (domains->len + 1));

	refresh_power_states(info);
	g_string_append(out, "{\"domains\": {");
	for (guint i = 0; i < domains->len; i++) {
		const struct entry *entry = g_hash_table_lookup(info->entries, domains->pdata[i]);

		put_key(out, domain_name(domains->pdata[i]));
		g_string_append(out, entry->json);
	}
	g_string_append(out, "}}");
	admin_call_reply_bytes(call, out->str, out->len);
}

static bool
send_event(struct admin_call *call, const char *subject, const char *name, const char *json)
{
	const char *const args[] = {"info", json, NULL};
	const char *const no_args[] = {NULL};
	g_autoptr(GByteArray) bytes =
	    admin_event_encode(subject, name, json != NULL ? args : no_args);

	return admin_call_send(call, bytes->data, bytes->len);
}

void
admin_system_info_events(struct admin_call *call)
{
	struct system_info *info = admin_system_info(admin_call_admin(call));
	const GPtrArray *domains = qubes_app_domains(info->app);
	struct subscriber *subscriber = g_new0(struct subscriber, 1);

	refresh_power_states(info);
	subscriber->info = info;
	subscriber->call = call;
	g_ptr_array_add(info->subscribers, subscriber);
	admin_call_stream(call, on_stream_end, subscriber);
	for (guint i = 0; i < domains->len; i++) {
		const struct entry *entry = g_hash_table_lookup(info->entries, domains->pdata[i]);

		if (!send_event(
			call, domain_name(domains->pdata[i]), "system-info-set", entry->json))
			return;
	}
	send_event(call, "", "system-info-complete", NULL);
}
