/*
 * The method table and the checks that all methods share. A request reaches this file as bytes that
 * a caller chose and that the qrexec policy has let through; it leaves as exactly one answer, or as
 * none when the frame is broken. Nothing here blocks: a handler that has to wait keeps the call.
 */
#include "qubesd/admin.h"

#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/event_stream.h"
#include "qubesd/policy_client.h"
#include "qubesd/system_info.h"
#include "shared/log.h"
#include "shared/text.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#define PROTOCOL "ProtocolError"

/* --- the methods ---------------------------------------------------------------------------- */

#define NONE ADMIN_NONE
#define SOME ADMIN_SOME
#define OPT ADMIN_OPTIONAL
#define DOM0 ADMIN_DEST_DOM0
#define QUBE ADMIN_DEST_QUBE
#define ANY ADMIN_DEST_ANY
#define R ADMIN_READ
#define W ADMIN_WRITE
#define X ADMIN_EXECUTE
#define GLOBAL_SCOPE true
#define LOCAL_SCOPE false
#define IN_POOL ADMIN_IN_POOL

/* clang-format off */
static const struct admin_method main_methods[] = {
	/* name                                        arg   payload dest scope    right handler                   variant */
	{ "admin.vmclass.List",                        NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_class_list,            0 },
	{ "admin.vm.List",                             NONE, NONE, ANY,  GLOBAL_SCOPE, R, admin_domain_list,           0 },
	{ "admin.property.List",                       NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_property_list,         ADMIN_GLOBAL },
	{ "admin.property.Get",                        SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_property_get,          ADMIN_GLOBAL },
	{ "admin.property.GetAll",                     NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_property_get_all,      ADMIN_GLOBAL },
	{ "admin.property.GetDefault",                 SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_property_get_default,  ADMIN_GLOBAL },
	{ "admin.property.Set",                        SOME, OPT,  DOM0, GLOBAL_SCOPE, W, admin_property_set,          ADMIN_GLOBAL },
	{ "admin.property.Reset",                      SOME, NONE, DOM0, GLOBAL_SCOPE, W, admin_property_reset,        ADMIN_GLOBAL },
	{ "admin.property.Help",                       SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_property_help,         ADMIN_GLOBAL },
	{ "admin.vm.property.List",                    NONE, NONE, ANY,  LOCAL_SCOPE,  R, admin_property_list,         0 },
	{ "admin.vm.property.Get",                     SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_property_get,          0 },
	{ "admin.vm.property.GetAll",                  NONE, NONE, ANY,  LOCAL_SCOPE,  R, admin_property_get_all,      0 },
	{ "admin.vm.property.GetDefault",              SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_property_get_default,  0 },
	{ "admin.vm.property.Set",                     SOME, OPT,  ANY,  LOCAL_SCOPE,  W, admin_property_set,          0 },
	{ "admin.vm.property.Reset",                   SOME, NONE, ANY,  LOCAL_SCOPE,  W, admin_property_reset,        0 },
	{ "admin.vm.property.Help",                    SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_property_help,         0 },
	{ "admin.vm.tag.List",                         NONE, NONE, ANY,  LOCAL_SCOPE,  R, admin_tag_list,              0 },
	{ "admin.vm.tag.Get",                          SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_tag_get,               0 },
	{ "admin.vm.tag.Set",                          SOME, NONE, ANY,  LOCAL_SCOPE,  W, admin_tag_set,               0 },
	{ "admin.vm.tag.Remove",                       SOME, NONE, ANY,  LOCAL_SCOPE,  W, admin_tag_remove,            0 },
	{ "admin.vm.feature.List",                     NONE, NONE, ANY,  LOCAL_SCOPE,  R, admin_feature_list,          0 },
	{ "admin.vm.feature.Get",                      SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_feature_get,           FEATURE_OWN },
	{ "admin.vm.feature.CheckWithTemplate",        SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_feature_get,           FEATURE_TEMPLATE },
	{ "admin.vm.feature.CheckWithNetvm",           SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_feature_get,           FEATURE_NETVM },
	{ "admin.vm.feature.CheckWithAdminVM",         SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_feature_get,           FEATURE_ADMIN },
	{ "admin.vm.feature.CheckWithTemplateAndAdminVM", SOME, NONE, ANY, LOCAL_SCOPE, R, admin_feature_get,          FEATURE_TEMPLATE_ADMIN },
	{ "admin.vm.feature.Set",                      SOME, OPT,  ANY,  LOCAL_SCOPE,  W, admin_feature_set,           0 },
	{ "admin.vm.feature.Remove",                   SOME, NONE, ANY,  LOCAL_SCOPE,  W, admin_feature_remove,        0 },
	{ "admin.label.List",                          NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_label_list,            0 },
	{ "admin.label.Get",                           SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_label_get,             0 },
	{ "admin.label.Index",                         SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_label_index,           0 },
	{ "admin.label.Create",                        SOME, SOME, DOM0, GLOBAL_SCOPE, W, admin_label_create,          0 },
	{ "admin.label.Remove",                        SOME, NONE, DOM0, GLOBAL_SCOPE, W, admin_label_remove,          0 },
	{ "admin.vm.Start",                            NONE, NONE, ANY,  LOCAL_SCOPE,  X, admin_power_start,           0 },
	{ "admin.vm.Shutdown",                         OPT,  NONE, ANY,  LOCAL_SCOPE,  X, admin_power_shutdown,        0 },
	{ "admin.vm.Kill",                             NONE, NONE, ANY,  LOCAL_SCOPE,  X, admin_power_kill,            0 },
	{ "admin.vm.Pause",                            NONE, NONE, ANY,  LOCAL_SCOPE,  X, admin_power_pause,           0 },
	{ "admin.vm.Unpause",                          NONE, NONE, ANY,  LOCAL_SCOPE,  X, admin_power_unpause,         0 },
	{ "admin.vm.CurrentState",                     NONE, NONE, ANY,  LOCAL_SCOPE,  R, admin_power_state,           0 },
	{ "admin.vm.Create.AppVM",                     OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_APP },
	{ "admin.vm.Create.TemplateVM",                OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_TEMPLATE },
	{ "admin.vm.Create.StandaloneVM",              OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_STANDALONE },
	{ "admin.vm.Create.AdminVM",                   OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_ADMIN },
	{ "admin.vm.Create.DispVM",                    OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_DISP },
	{ "admin.vm.Create.RemoteVM",                  OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_REMOTE },
	{ "admin.vm.CreateInPool.AppVM",               OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_APP | IN_POOL },
	{ "admin.vm.CreateInPool.TemplateVM",          OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_TEMPLATE | IN_POOL },
	{ "admin.vm.CreateInPool.StandaloneVM",        OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_STANDALONE | IN_POOL },
	{ "admin.vm.CreateInPool.AdminVM",             OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_ADMIN | IN_POOL },
	{ "admin.vm.CreateInPool.DispVM",              OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_DISP | IN_POOL },
	{ "admin.vm.CreateInPool.RemoteVM",            OPT,  SOME, DOM0, GLOBAL_SCOPE, W, admin_domain_create,         DOMAIN_REMOTE | IN_POOL },
	{ "admin.vm.CreateDisposable",                 OPT,  OPT,  ANY,  GLOBAL_SCOPE, W, admin_domain_create_disposable, 0 },
	{ "admin.vm.Remove",                           NONE, NONE, ANY,  GLOBAL_SCOPE, W, admin_domain_remove,         0 },
	{ "admin.vm.notes.Get",                        NONE, NONE, QUBE, LOCAL_SCOPE,  R, admin_notes_get,             0 },
	{ "admin.vm.notes.Set",                        NONE, SOME, QUBE, LOCAL_SCOPE,  W, admin_notes_set,             0 },
	{ "admin.vm.volume.List",                      NONE, NONE, ANY,  LOCAL_SCOPE,  R, admin_volume_list,             0 },
	{ "admin.vm.volume.Info",                      SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_volume_info,             0 },
	{ "admin.vm.volume.ListSnapshots",             SOME, NONE, ANY,  LOCAL_SCOPE,  R, admin_volume_list_snapshots,   0 },
	{ "admin.vm.volume.Revert",                    SOME, SOME, ANY,  LOCAL_SCOPE,  W, admin_volume_revert,           0 },
	{ "admin.vm.volume.CloneFrom",                 SOME, NONE, ANY,  LOCAL_SCOPE,  W, admin_volume_clone_from,       0 },
	{ "admin.vm.volume.CloneTo",                   SOME, SOME, ANY,  LOCAL_SCOPE,  W, admin_volume_clone_to,         0 },
	{ "admin.vm.volume.Resize",                    SOME, SOME, ANY,  LOCAL_SCOPE,  W, admin_volume_resize,           0 },
	{ "admin.vm.volume.Clear",                     SOME, NONE, ANY,  LOCAL_SCOPE,  W, admin_volume_clear,            0 },
	{ "admin.vm.volume.Set.revisions_to_keep",     SOME, SOME, ANY,  LOCAL_SCOPE,  W, admin_volume_set,              ADMIN_VOLUME_SET_REVISIONS },
	{ "admin.vm.volume.Set.rw",                    SOME, SOME, ANY,  LOCAL_SCOPE,  W, admin_volume_set,              ADMIN_VOLUME_SET_RW },
	{ "admin.vm.volume.Set.ephemeral",             SOME, SOME, ANY,  LOCAL_SCOPE,  W, admin_volume_set,              ADMIN_VOLUME_SET_EPHEMERAL },
	{ "admin.pool.List",                           NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_pool_list,             0 },
	{ "admin.pool.ListDrivers",                    NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_pool_list_drivers,     0 },
	{ "admin.pool.Info",                           SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_pool_info,             0 },
	{ "admin.pool.volume.List",                    SOME, NONE, DOM0, GLOBAL_SCOPE, R, admin_pool_volume_list,        0 },
	{ "admin.pool.Add",                            SOME, SOME, DOM0, GLOBAL_SCOPE, W, admin_pool_add,                0 },
	{ "admin.pool.Remove",                         SOME, NONE, DOM0, GLOBAL_SCOPE, W, admin_pool_remove,             0 },
	{ "admin.pool.Set.revisions_to_keep",          SOME, SOME, DOM0, GLOBAL_SCOPE, W, admin_pool_set_revisions,      0 },
	{ "admin.pool.Set.ephemeral_volatile",         SOME, SOME, DOM0, GLOBAL_SCOPE, W, admin_pool_set_ephemeral,      0 },
	{ "admin.deviceclass.List",                    NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_device_class_list,     0 },
	{ "admin.Events",                              NONE, NONE, ANY,  GLOBAL_SCOPE, R, admin_events,                0 },
};

static const struct admin_method internal_methods[] = {
	{ "internal.GetSystemInfo",                    NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_get_system_info,       0 },
	{ "internal.SystemInfoEvents",                 NONE, NONE, DOM0, GLOBAL_SCOPE, R, admin_system_info_events,    0 },
	{ "internal.vm.volume.ImportBegin",            SOME, OPT,  QUBE, LOCAL_SCOPE,  W, admin_volume_import_begin,     0 },
	{ "internal.vm.volume.ImportEnd",              SOME, SOME, QUBE, LOCAL_SCOPE,  W, admin_volume_import_end,       0 },
};
/* clang-format on */

static const struct method_table {
	const struct admin_method *methods;
	size_t count;
} tables[] = {
    [ADMIN_SOCKET_MAIN] = {main_methods, G_N_ELEMENTS(main_methods)},
    [ADMIN_SOCKET_INTERNAL] = {internal_methods, G_N_ELEMENTS(internal_methods)},
    [ADMIN_SOCKET_MISC] = {NULL, 0},
};

const char **
admin_method_names(enum admin_socket socket)
{
	const struct method_table *table = &tables[socket];
	const char **names = g_new0(const char *, table->count + 1);

	for (size_t i = 0; i < table->count; i++)
		names[i] = table->methods[i].name;
	return names;
}

static const struct admin_method *
find_method(enum admin_socket socket, const char *name)
{
	const struct method_table *table = &tables[socket];

	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->methods[i].name, name) == 0)
			return &table->methods[i];
	}
	return NULL;
}

/* --- the objects ---------------------------------------------------------------------------- */

struct admin {
	struct store *store; /* borrowed */
	struct policy_client *policy;
	struct event_streams *event_streams;
	struct system_info *system_info;
};

struct admin_call {
	struct admin *admin;
	const struct admin_output *output; /* NULL: nobody waits any more */
	void *output_data;
	struct admin_request request;
	GBytes *bytes;                /* a reference: what the payload lies in */
	bool *over;                   /* while the call is being started: set when it ends */
	struct domain *source, *dest; /* a reference each */
	const struct admin_method *method;
	char *content; /* owned; for the time of a commit */
	bool streaming;
	void (*on_stream_end)(void *data);
	void *stream_data; /* borrowed from the handler */
};

struct admin *
admin_new(struct store *store, const char *policy_socket)
{
	struct admin *admin = g_new0(struct admin, 1);
	struct qubes_app *app = store_app(store);

	admin->store = store;
	admin->policy = policy_client_new(policy_socket);
	admin->system_info = system_info_new(app);
	admin->event_streams = event_streams_new(app, admin->policy);
	return admin;
}

void
admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	event_streams_free(admin->event_streams);
	system_info_free(admin->system_info);
	policy_client_free(admin->policy);
	g_free(admin);
}

struct store *
admin_store(const struct admin *admin)
{
	return admin->store;
}

struct policy_client *
admin_policy(const struct admin *admin)
{
	return admin->policy;
}

struct event_streams *
admin_event_streams(const struct admin *admin)
{
	return admin->event_streams;
}

struct system_info *
admin_system_info(const struct admin *admin)
{
	return admin->system_info;
}

struct admin *
admin_call_admin(const struct admin_call *call)
{
	return call->admin;
}

struct qubes_app *
admin_call_app(const struct admin_call *call)
{
	return store_app(call->admin->store);
}

struct domain *
admin_call_source(const struct admin_call *call)
{
	return call->source;
}

struct domain *
admin_call_dest(const struct admin_call *call)
{
	return call->dest;
}

const struct admin_method *
admin_call_method(const struct admin_call *call)
{
	return call->method;
}

const char *
admin_call_arg(const struct admin_call *call)
{
	return call->request.arg;
}

struct untrusted_bytes
admin_call_payload(const struct admin_call *call)
{
	return call->request.untrusted_payload;
}

/* --- answers -------------------------------------------------------------------------------- */

static void
call_free(struct admin_call *call)
{
	if (call->over != NULL)
		*call->over = true;
	domain_unref(call->source);
	domain_unref(call->dest);
	admin_request_clear(&call->request);
	g_bytes_unref(call->bytes);
	g_free(call->content);
	g_free(call);
}

/* bytes NULL: no answer. */
static void
finish(struct admin_call *call, const GByteArray *bytes)
{
	const struct admin_output *output = call->output;
	void *data = call->output_data;

	call->output = NULL;
	if (output != NULL && bytes != NULL)
		output->reply(data, bytes->data, bytes->len);
	else if (output != NULL)
		output->drop(data);
	call_free(call);
}

static void
append_text(GByteArray *bytes, const char *text)
{
	g_byte_array_append(bytes, (const guint8 *)text, (guint)strlen(text) + 1);
}

void
admin_call_reply_bytes(struct admin_call *call, const void *content, size_t len)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();

	append_text(bytes, "0");
	g_byte_array_append(bytes, content, (guint)len);
	finish(call, bytes);
}

void
admin_call_reply(struct admin_call *call, const char *content)
{
	admin_call_reply_bytes(call, content, content != NULL ? strlen(content) : 0);
}

static void
fail(struct admin_call *call, const char *name, const char *message)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree char *text = text_ascii(message, strlen(message));

	append_text(bytes, "2");
	append_text(bytes, name);
	append_text(bytes, ""); /* no trace: it would tell of the inside */
	append_text(bytes, text);
	finish(call, bytes);
}

void
admin_call_fail(struct admin_call *call, struct admin_error *error)
{
	fail(call, error->name, error->message);
	admin_error_clear(error);
}

void
admin_call_fail_with(struct admin_call *call, const char *name, const char *format, ...)
{
	g_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	fail(call, name, message);
}

static void
on_committed(const char *error, void *data)
{
	struct admin_call *call = data;

	if (error != NULL)
		admin_call_fail_with(
		    call, "QubesException", "The change could not be stored: %s", error);
	else
		admin_call_reply(call, call->content);
}

void
admin_call_commit(struct admin_call *call, const char *content)
{
	call->content = g_strdup(content);
	store_commit(call->admin->store, on_committed, call);
}

/* --- streams -------------------------------------------------------------------------------- */

GByteArray *
admin_event_encode(const char *subject, const char *name, const char *const *args)
{
	GByteArray *bytes = g_byte_array_new();

	append_text(bytes, "1");
	append_text(bytes, subject);
	append_text(bytes, name);
	for (; *args != NULL; args++)
		append_text(bytes, *args);
	append_text(bytes, "");
	return bytes;
}

void
admin_call_stream(struct admin_call *call, void (*on_end)(void *data), void *data)
{
	call->streaming = true;
	call->on_stream_end = on_end;
	call->stream_data = data;
}

static void
end_stream(struct admin_call *call)
{
	call->on_stream_end(call->stream_data);
	call_free(call);
}

bool
admin_call_send(struct admin_call *call, const void *bytes, size_t len)
{
	assert(call->streaming);
	if (call->output != NULL && call->output->stream(call->output_data, bytes, len))
		return true;
	end_stream(call);
	return false;
}

void
admin_call_end_stream(struct admin_call *call)
{
	const struct admin_output *output = call->output;
	void *data = call->output_data;

	end_stream(call);
	if (output != NULL)
		output->drop(data);
}

void
admin_call_abandon(struct admin_call *call)
{
	call->output = NULL;
	if (call->streaming)
		end_stream(call);
}

/* --- requests ------------------------------------------------------------------------------- */

static struct domain *
find_party(struct qubes_app *app, const char *untrusted_name, struct admin_error *error)
{
	struct domain *domain = NULL;
	const char *name;

	switch (admin_decode_name(untrusted_name, &name)) {
	case ADMIN_NAME_BAD:
		admin_error_set(error, "QubesValueError", "Not the name of a qube");
		return NULL;
	case ADMIN_NAME_BAD_UUID:
		admin_error_set(error, "QubesVMInvalidUUIDError", "Not the UUID of a qube");
		return NULL;
	case ADMIN_NAME_QUBE:
		domain = qubes_app_find(app, name);
		break;
	case ADMIN_NAME_UUID:
		domain = qubes_app_find_uuid(app, name);
		break;
	}
	if (domain == NULL) {
		admin_error_set(
		    error, "QubesVMNotFoundError", "No such domain: '%s'", untrusted_name);
		return NULL;
	}
	return domain_ref(domain);
}

static bool
need_is_met(enum admin_need need, bool given)
{
	return need == ADMIN_OPTIONAL || (need == ADMIN_SOME) == given;
}

/* Steps 4 to 7 of the order of checks. */
static bool
check_shape(const struct admin_call *call, struct admin_error *error)
{
	const struct admin_method *method = call->method;
	bool payload = call->request.untrusted_payload.len > 0;
	bool arg = call->request.arg[0] != '\0';
	bool dom0 = domain_is_dom0(call->dest);

	if (method == NULL)
		return admin_error_set(error, PROTOCOL, "No such method");
	if (!need_is_met(method->payload, payload))
		return admin_error_set(
		    error, PROTOCOL, payload ? "unexpected payload" : "expected payload");
	if (!need_is_met(method->arg, arg))
		return admin_error_set(
		    error, PROTOCOL, arg ? "unexpected argument" : "expected an argument");
	if (method->dest == ADMIN_DEST_DOM0 && !dom0)
		return admin_error_set(error, PROTOCOL, "expected destination to be AdminVM");
	if (method->dest == ADMIN_DEST_QUBE && dom0)
		return admin_error_set(error, PROTOCOL, "expected destination not to be AdminVM");
	/* What the store holds of a broken qube is not ours to change, but it can be removed. */
	if (domain_is_broken(call->dest) && method->right != ADMIN_READ &&
	    method->handle != admin_domain_remove)
		return admin_error_set(error, "QubesVMError",
		    "The entry of '%s' in the store cannot be used: it can only be removed",
		    domain_name(call->dest));
	return true;
}

static void
run(struct admin_call *call, enum admin_socket socket)
{
	struct qubes_app *app = admin_call_app(call);
	struct admin_error error = {0};

	call->source = find_party(app, call->request.source, &error);
	if (call->source != NULL)
		call->dest = find_party(app, call->request.dest, &error);
	if (call->dest == NULL) {
		admin_call_fail(call, &error);
		return;
	}
	if (!call->request.ascii) {
		finish(call, NULL);
		return;
	}
	call->method = find_method(socket, call->request.method);
	if (!check_shape(call, &error)) {
		admin_call_fail(call, &error);
		return;
	}
	call->method->handle(call);
}

struct admin_call *
admin_call_start(struct admin *admin, enum admin_socket socket, GBytes *request,
    const struct admin_output *output, void *data)
{
	struct admin_call *call = g_new0(struct admin_call, 1);
	bool over = false;

	call->admin = admin;
	call->output = output;
	call->output_data = data;
	call->bytes = g_bytes_ref(request);
	call->over = &over;
	if (admin_decode_request(
		untrusted_bytes_of(g_bytes_get_data(request, NULL), g_bytes_get_size(request)),
		&call->request) < 0) {
		log_warn("a request without a proper frame is dropped");
		finish(call, NULL);
		return NULL;
	}
	run(call, socket);
	if (over)
		return NULL;
	call->over = NULL;
	return call;
}
