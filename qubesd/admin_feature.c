/* Methods about features and tags. */
#include "qubesd/admin.h"
#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/grammar.h"
#include "qubesd/permission.h"

#include <string.h>

#define FEATURES_MAX 256 /* for each qube */
#define TAGS_MAX 256     /* for each qube; all of them are in its system information */
#define MEMINFO_WRITER "service.meminfo-writer"
#define KEY_MAX 63 /* bytes of a key that a guest sees, prefix included */

/* --- features that mean something to the daemon --------------------------------------------- */

static bool
refuse(struct admin_error *error, const char *why)
{
	return admin_error_set(error, "QubesValueError", "%s", why);
}

static bool
check_service(const char *name, const char *value, struct admin_error *error)
{
	(void)value;
	if (name[0] == '\0')
		return refuse(error, "The name of a service cannot be empty");
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return refuse(error, "Not the name of a service");
	if (strlen(name) > 48 && !g_str_has_prefix(name, "app-dispvm."))
		return refuse(error, "The name of a service must not exceed 48 bytes");
	return true;
}

static bool
check_vm_config(const char *name, const char *value, struct admin_error *error)
{
	(void)value;
	if (!g_ascii_isalpha(name[0]))
		return refuse(error, "The name of a setting begins with a letter");
	if (strlen(name) > KEY_MAX - strlen("/vm-config/"))
		return refuse(error, "The name of a setting is too long");
	return true;
}

/* "/path", or "file:USER:GROUP:MODE:/path", or "dir:..." likewise. */
static bool
is_persist_rule(const char *value)
{
	g_auto(GStrv) parts = NULL;

	if (value[0] == '/')
		return true;
	parts = g_strsplit(value, ":", 5);
	return g_strv_length(parts) == 5 &&
	       (strcmp(parts[0], "file") == 0 || strcmp(parts[0], "dir") == 0) &&
	       grammar_is_user(parts[1]) && grammar_is_user(parts[2]) && parts[3][0] != '\0' &&
	       parts[3][strspn(parts[3], "01234567")] == '\0' && strlen(parts[3]) <= 4 &&
	       parts[4][0] == '/';
}

static bool
check_custom_persist(const char *name, const char *value, struct admin_error *error)
{
	if (name[0] == '\0' || strlen(name) > KEY_MAX - strlen("/persist/"))
		return refuse(error, "The name after custom-persist. is empty or too long");
	if (value[0] != '\0' && !is_persist_rule(value))
		return refuse(error, "Not a path, nor file:USER:GROUP:MODE:PATH or dir:...");
	return true;
}

static bool
check_address(const char *name, const char *value, struct admin_error *error)
{
	static const char *const names[] = {"ip", "gateway", "netmask"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		if (strcmp(name, names[i]) == 0 && value[0] != '\0' && !grammar_is_ipv4(value))
			return refuse(error, "Not an IPv4 address");
	}
	return true;
}

/* "max", "threshold": digits; "delay": any number. Other names have no rule of their own. */
static bool
check_preload(const char *name, const char *value, struct admin_error *error)
{
	bool any = strcmp(name, "delay") == 0;
	char *end;

	if (value[0] == '\0' ||
	    (!any && strcmp(name, "max") != 0 && strcmp(name, "threshold") != 0))
		return true;
	(void)g_ascii_strtod(value, &end);
	if (*end != '\0' || value[strspn(value, any ? "-.0123456789" : "0123456789")] != '\0')
		return refuse(error, "Not a number");
	return true;
}

/* The name begins with the prefix "hypervisor", which nobody owns: only it alone has a meaning. */
static bool
check_hypervisor(const char *name, const char *value, struct admin_error *error)
{
	if (name[0] == '\0' && value[0] != '\0' && !grammar_is_hypervisor(value))
		return refuse(error, "Not a kind of hypervisor that a qube may choose");
	return true;
}

/* name is what stands behind the prefix. */
static const struct {
	const char *prefix;
	bool (*check)(const char *name, const char *value, struct admin_error *error);
} special_features[] = {
    {"service.", check_service},
    {"vm-config.", check_vm_config},
    {"custom-persist.", check_custom_persist},
    {"net.fake-", check_address},
    {"preload-dispvm-", check_preload},
    {"hypervisor", check_hypervisor},
};

static bool
check_special(const char *name, const char *value, struct admin_error *error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(special_features); i++) {
		const char *prefix = special_features[i].prefix;

		if (g_str_has_prefix(name, prefix))
			return special_features[i].check(name + strlen(prefix), value, error);
	}
	return true;
}

/* --- features ------------------------------------------------------------------------------- */

static bool
check_name(const struct admin_call *call, struct admin_error *error)
{
	if (!grammar_is_feature_name(admin_call_arg(call)))
		return admin_error_set(error, "ProtocolError", "Not the name of a feature");
	return true;
}

static bool
not_found(const struct admin_call *call, struct admin_error *error)
{
	return admin_error_set(error, "QubesFeatureNotFoundError",
	    "Feature not set for domain %s: %s", domain_name(admin_call_dest(call)),
	    admin_call_arg(call));
}

static void
append_name(const char *name, const char *value, void *data)
{
	(void)value;
	g_string_append_printf(data, "%s\n", name);
}

void
admin_feature_list(struct admin_call *call)
{
	g_autoptr(GString) lines = g_string_new(NULL);

	domain_each_feature(admin_call_dest(call), append_name, lines);
	admin_call_reply(call, lines->str);
}

void
admin_feature_get(struct admin_call *call)
{
	enum feature_chain chain = (enum feature_chain)admin_call_method(call)->variant;
	struct admin_error error = {0};
	const char *value = NULL;

	if (check_name(call, &error)) {
		value = domain_feature(admin_call_dest(call), chain, admin_call_arg(call));
		if (value == NULL)
			not_found(call, &error);
	}
	if (value != NULL)
		admin_call_reply(call, value);
	else
		admin_call_fail(call, &error);
}

/* The memory manager's service is not stored: it is another name for maxmem. */
static bool
set_meminfo_writer(struct domain *domain, bool on, struct admin_error *error)
{
	struct property_owner owner = domain_owner(domain);
	const struct property *maxmem = &property_domain_table[PROPERTY_MAXMEM];
	struct property_value zero = {0};

	if (!property_applies(&owner, maxmem))
		return true;
	return on ? property_reset(&owner, maxmem, error)
		  : property_set(&owner, maxmem, &zero, error);
}

/* A qube that runs under one kind would not be found again, and be started a second time. */
static bool
may_change(const struct admin_call *call, struct admin_error *error)
{
	const struct domain *domain = admin_call_dest(call);
	const char *name = admin_call_arg(call);

	if (!permission_to_change_feature(admin_call_source(call), name, error))
		return false;
	if (strcmp(name, "hypervisor") == 0 && !domain_is_dom0(domain) && !domain_is_halted(domain))
		return admin_error_set(
		    error, "QubesVMNotHaltedError", "%s is not halted", domain_name(domain));
	return true;
}

static bool
set_feature(struct admin_call *call, const char *value, struct admin_error *error)
{
	struct domain *domain = admin_call_dest(call);
	const char *name = admin_call_arg(call);

	if (!may_change(call, error))
		return false;
	if (strcmp(name, MEMINFO_WRITER) == 0)
		return set_meminfo_writer(domain, value[0] != '\0', error);
	if (domain_feature(domain, FEATURE_OWN, name) == NULL &&
	    domain_feature_count(domain) >= FEATURES_MAX)
		return refuse(error, "The qube has too many features");
	domain_feature_set(domain, name, value);
	return true;
}

void
admin_feature_set(struct admin_call *call)
{
	const char *name = admin_call_arg(call);
	struct admin_error error = {0};
	g_autofree char *value = NULL;

	if (check_name(call, &error) &&
	    admin_decode_feature_value(admin_call_payload(call), &value, &error) &&
	    check_special(name, value, &error) && set_feature(call, value, &error))
		admin_call_commit(call, NULL);
	else
		admin_call_fail(call, &error);
}

static bool
remove_feature(struct admin_call *call, struct admin_error *error)
{
	const char *name = admin_call_arg(call);

	if (!may_change(call, error))
		return false;
	if (strcmp(name, MEMINFO_WRITER) == 0)
		return set_meminfo_writer(admin_call_dest(call), true, error);
	return domain_feature_remove(admin_call_dest(call), name) || not_found(call, error);
}

void
admin_feature_remove(struct admin_call *call)
{
	struct admin_error error = {0};

	if (check_name(call, &error) && remove_feature(call, &error))
		admin_call_commit(call, NULL);
	else
		admin_call_fail(call, &error);
}

/* --- tags ----------------------------------------------------------------------------------- */

/* False: the call has been answered. */
static bool
tag_is_fine(struct admin_call *call)
{
	if (grammar_is_tag(admin_call_arg(call)))
		return true;
	admin_call_fail_with(call, "QubesInvalidTagError",
	    "A tag is made of letters, digits, '_' and '-', at most %d", GRAMMAR_TAG_MAX);
	return false;
}

void
admin_tag_list(struct admin_call *call)
{
	g_auto(GStrv) tags = domain_tags(admin_call_dest(call));
	g_autoptr(GString) lines = g_string_new(NULL);

	for (char **tag = tags; *tag != NULL; tag++)
		g_string_append_printf(lines, "%s\n", *tag);
	admin_call_reply(call, lines->str);
}

void
admin_tag_get(struct admin_call *call)
{
	if (tag_is_fine(call))
		admin_call_reply(
		    call, domain_has_tag(admin_call_dest(call), admin_call_arg(call)) ? "1" : "0");
}

/* A tag that gives rights to a qube names one that exists: nobody inherits them later. */
static bool
creator_exists(struct admin_call *call, struct admin_error *error)
{
	const char *tag = admin_call_arg(call);
	static const char prefix[] = "created-by-";

	if (!g_str_has_prefix(tag, prefix) ||
	    qubes_app_find(admin_call_app(call), tag + strlen(prefix)) != NULL)
		return true;
	return admin_error_set(
	    error, "QubesVMNotFoundError", "No such domain: '%s'", tag + strlen(prefix));
}

void
admin_tag_set(struct admin_call *call)
{
	struct admin_error error = {0};

	if (!tag_is_fine(call))
		return;
	if (!permission_to_change_tag(admin_call_source(call), admin_call_arg(call), &error) ||
	    !creator_exists(call, &error)) {
		admin_call_fail(call, &error);
		return;
	}
	if (!domain_has_tag(admin_call_dest(call), admin_call_arg(call)) &&
	    domain_tag_count(admin_call_dest(call)) >= TAGS_MAX) {
		admin_call_fail_with(call, "QubesValueError", "The qube has too many tags");
		return;
	}
	domain_tag_add(admin_call_dest(call), admin_call_arg(call));
	admin_call_commit(call, NULL);
}

void
admin_tag_remove(struct admin_call *call)
{
	struct admin_error error = {0};

	if (!tag_is_fine(call))
		return;
	if (!permission_to_change_tag(admin_call_source(call), admin_call_arg(call), &error)) {
		admin_call_fail(call, &error);
		return;
	}
	if (domain_tag_remove(admin_call_dest(call), admin_call_arg(call)))
		admin_call_commit(call, NULL);
	else
		admin_call_fail_with(call, "QubesTagNotFoundError", "Tag not set for domain %s: %s",
		    domain_name(admin_call_dest(call)), admin_call_arg(call));
}
