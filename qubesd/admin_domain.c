/* Methods about whole qubes: listing, making and removing them, and the notes about them. */
#include "qubesd/admin.h"
#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/domain_storage.h"
#include "qubesd/notes.h"
#include "qubesd/permission.h"
#include "qubesd/policy_client.h"
#include "qubesd/storage/volume.h"
#include "shared/log.h"
#include "shared/text.h"

#include <string.h>

#define PROTOCOL "ProtocolError"

/* --- lists ---------------------------------------------------------------------------------- */

void
admin_class_list(struct admin_call *call)
{
	static const enum domain_class order[] = {DOMAIN_APP, DOMAIN_TEMPLATE, DOMAIN_STANDALONE,
	    DOMAIN_ADMIN, DOMAIN_DISP, DOMAIN_REMOTE};
	g_autoptr(GString) lines = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
		g_string_append_printf(lines, "%s\n", domain_class_name(order[i]));
	admin_call_reply(call, lines->str);
}

static void
on_listed(GPtrArray *domains, void *data)
{
	struct admin_call *call = data;
	g_autoptr(GString) lines = g_string_sized_new(96 * domains->len);

	for (guint i = 0; i < domains->len; i++) {
		const struct domain *domain = domains->pdata[i];

		g_string_append(lines, domain_name(domain));
		g_string_append(lines, " class=");
		g_string_append(lines, domain_klass(domain));
		g_string_append(lines, " state=");
		g_string_append(lines, domain_power_state(domain));
		g_string_append(lines, " uuid=");
		g_string_append(lines, domain_uuid(domain));
		g_string_append_c(lines, '\n');
	}
	g_ptr_array_unref(domains);
	admin_call_reply_bytes(call, lines->str, lines->len);
}

static void
unref_domain(void *domain)
{
	domain_unref(domain);
}

void
admin_domain_list(struct admin_call *call)
{
	struct policy_client *policy = admin_policy(admin_call_admin(call));
	struct domain *dest = admin_call_dest(call);
	GPtrArray *one;

	if (domain_is_dom0(dest)) {
		if (!domain_is_dom0(admin_call_source(call)) && !policy_client_has_room(policy))
			admin_call_fail_with(call, "QubesException",
			    "Too many lists at a time: the policy has not answered for the others");
		else
			permission_filter_list(policy, admin_call_source(call),
			    qubes_app_snapshot(admin_call_app(call)), on_listed, call);
		return;
	}
	/* The policy has allowed this caller to ask about this qube. */
	one = g_ptr_array_new_with_free_func(unref_domain);
	g_ptr_array_add(one, domain_ref(dest));
	on_listed(one, call);
}

/* --- making --------------------------------------------------------------------------------- */

static bool
takes_template(enum domain_class klass)
{
	return klass == DOMAIN_APP || klass == DOMAIN_DISP;
}

/* The template that the argument names, or the class's default; *ret may become NULL. */
static bool
find_template(struct admin_call *call, enum domain_class klass, struct domain **ret,
    struct admin_error *error)
{
	struct qubes_app *app = admin_call_app(call);
	const char *arg = admin_call_arg(call);
	struct domain *template = NULL;

	if (arg[0] != '\0') {
		template = text_is_qube_name(arg) ? qubes_app_find(app, arg) : NULL;
		if (template == NULL) {
			g_autofree char *quoted = text_quote_string(arg);

			return admin_error_set(
			    error, "QubesVMNotFoundError", "No such domain: %s", quoted);
		}
	} else if (klass == DOMAIN_APP) {
		template = qubes_app_reference(app, GLOBAL_DEFAULT_TEMPLATE);
	}
	*ret = template;
	return true;
}

/* A root volume that is a snapshot lies in the pool of what it is a snapshot of. */
static bool
check_pools(const struct qubes_app *app, enum domain_class klass, const struct domain *template,
    const struct admin_create *create, struct admin_error *error)
{
	const char *root = create->volume_pools[ADMIN_VOLUME_ROOT];
	const struct volume *volume = template != NULL ? domain_volume(template, "root") : NULL;
	g_autofree char *template_pool = volume != NULL
					     ? g_strdup(volume->pool)
					     : qubes_app_string(app, GLOBAL_DEFAULT_POOL_ROOT);

	if (create->pool != NULL && qubes_app_pool(app, create->pool) == NULL)
		return admin_error_set(error, "QubesException", "Unknown storage pool");
	for (size_t i = 0; i < ADMIN_VOLUME_COUNT; i++) {
		if (create->volume_pools[i] != NULL &&
		    qubes_app_pool(app, create->volume_pools[i]) == NULL)
			return admin_error_set(error, "QubesException", "Unknown storage pool");
	}
	if (root != NULL && takes_template(klass) && strcmp(root, template_pool) != 0)
		return admin_error_set(error, "QubesException",
		    "The root volume must be in the same pool as the template's");
	return true;
}

/* In which pools the volumes are to be made. */
static void
plan_volumes(struct domain *domain, const struct admin_create *create)
{
	for (size_t i = 0; i < ADMIN_VOLUME_COUNT; i++) {
		const char *pool = create->volume_pools[i];

		/* pool= is for what belongs to the qube itself; the kernel is everybody's. */
		if (create->pool != NULL && i != ADMIN_VOLUME_KERNEL &&
		    !(i == ADMIN_VOLUME_ROOT && takes_template(domain_class(domain))))
			pool = create->pool;
		if (pool != NULL)
			domain_storage_plan(domain, admin_volume_names[i], pool);
	}
}

/* A new qube whose volumes are being made. */
struct making {
	struct admin_call *call;
	struct domain *domain; /* a reference */
	char *reply;           /* owned; NULL: empty */
};

/* All or nothing: a qube without its volumes is removed again. */
static void
on_volumes_made(const struct admin_error *error, void *data)
{
	struct making *making = data;
	struct qubes_app *app = domain_app(making->domain);
	struct admin_error why = {0};

	if (error == NULL) {
		admin_call_commit(making->call, making->reply);
	} else {
		admin_error_set(&why, error->name, "%s", error->message);
		if (!domain_is_removed(making->domain))
			qubes_app_remove_domain(app, making->domain, NULL);
		admin_call_fail(making->call, &why);
	}
	domain_unref(making->domain);
	g_free(making->reply);
	g_free(making);
}

/* Answers when the qube is there with all that belongs to it. */
static void
finish_creation(struct admin_call *call, struct domain *domain, const char *reply)
{
	struct making *making;

	if (!domain_storage_wanted(domain)) {
		admin_call_commit(call, reply);
		return;
	}
	making = g_new0(struct making, 1);
	making->call = call;
	making->domain = domain_ref(domain);
	making->reply = g_strdup(reply);
	domain_storage_ensure(domain, on_volumes_made, making);
}

/* Step 10: what is named inside the request exists. */
static struct domain *
create_domain(struct admin_call *call, enum domain_class klass, const struct admin_create *create,
    struct admin_error *error)
{
	struct qubes_app *app = admin_call_app(call);
	struct qubes_app_new_domain spec = {
	    .klass = klass, .name = create->name, .creator = admin_call_source(call)};
	struct domain *domain;

	if (qubes_app_find(app, create->name) != NULL) {
		admin_error_set(
		    error, "QubesVMAlreadyExistsError", "Qube already exists: %s", create->name);
		return NULL;
	}
	if (!find_template(call, klass, &spec.template, error))
		return NULL;
	spec.label = qubes_app_label(app, create->label);
	if (spec.label == NULL) {
		admin_error_set(error, "QubesLabelNotFoundError", "Label does not exist");
		return NULL;
	}
	if (!check_pools(app, klass, spec.template, create, error))
		return NULL;
	domain = qubes_app_create_domain(app, &spec, error);
	if (domain != NULL)
		plan_volumes(domain, create);
	return domain;
}

void
admin_domain_create(struct admin_call *call)
{
	int variant = admin_call_method(call)->variant;
	enum domain_class klass = (enum domain_class)(variant & ~ADMIN_IN_POOL);
	struct admin_create create = {0};
	struct admin_error error = {0};
	struct domain *domain = NULL;

	if (!takes_template(klass) && admin_call_arg(call)[0] != '\0') {
		admin_call_fail_with(
		    call, PROTOCOL, "%s is not based on a template", domain_class_name(klass));
		return;
	}
	if (admin_decode_create(
		admin_call_payload(call), (variant & ADMIN_IN_POOL) != 0, &create, &error))
		domain = create_domain(call, klass, &create, &error);
	admin_create_clear(&create);
	if (domain != NULL)
		finish_creation(call, domain, NULL);
	else
		admin_call_fail(call, &error);
}

void
admin_domain_create_disposable(struct admin_call *call)
{
	struct domain *dest = admin_call_dest(call);
	struct qubes_app_new_domain spec = {
	    .klass = DOMAIN_DISP, .creator = admin_call_source(call), .auto_cleanup = true};
	bool by_uuid = admin_payload_is(admin_call_payload(call), "uuid");
	struct admin_error error = {0};
	g_autofree char *reply = NULL;
	struct domain *domain;

	if (!by_uuid && !admin_payload_is(admin_call_payload(call), "")) {
		admin_call_fail_with(call, PROTOCOL, "The payload may be: uuid");
		return;
	}
	if (strcmp(admin_call_arg(call), "preload") == 0) {
		admin_call_reply(call, NULL); /* no qube is started ahead of its use */
		return;
	}
	if (admin_call_arg(call)[0] != '\0') {
		admin_call_fail_with(call, "PermissionDenied", "The argument may be: preload");
		return;
	}
	spec.template =
	    domain_is_dom0(dest) ? domain_reference(spec.creator, PROPERTY_DEFAULT_DISPVM) : dest;
	if (spec.template == NULL) {
		admin_call_fail_with(call, "QubesException",
		    "'%s' has no default_dispvm to make a disposable from",
		    domain_name(spec.creator));
		return;
	}
	domain = qubes_app_create_domain(admin_call_app(call), &spec, &error);
	if (domain == NULL) {
		admin_call_fail(call, &error);
		return;
	}
	reply = by_uuid ? g_strconcat("uuid:", domain_uuid(domain), NULL)
			: g_strdup(domain_name(domain));
	finish_creation(call, domain, reply);
}

void
admin_domain_remove(struct admin_call *call)
{
	struct admin_error error = {0};

	if (qubes_app_remove_domain(admin_call_app(call), admin_call_dest(call), &error))
		admin_call_commit(call, NULL);
	else
		admin_call_fail(call, &error);
}

/* --- notes ---------------------------------------------------------------------------------- */

static void
on_notes(const char *text, const char *error, void *data)
{
	struct admin_call *call = data;

	if (error != NULL)
		admin_call_fail_with(call, "QubesException", "%s", error);
	else
		admin_call_reply(call, text);
}

void
admin_notes_get(struct admin_call *call)
{
	notes_read(admin_call_dest(call), on_notes, call);
}

void
admin_notes_set(struct admin_call *call)
{
	g_autofree char *text = admin_decode_notes(admin_call_payload(call));

	if (strlen(text) > NOTES_MAX) {
		admin_call_fail_with(call, PROTOCOL, "The notes are too long");
		return;
	}
	notes_write(admin_call_dest(call), text, on_notes, call);
}
