#include "tests/unit/admin_fixture.h"

#include "qubesd/derived.h"
#include "qubesd/domain_storage.h"
#include "qubesd/lifecycle.h"
#include "shared/admin_client.h"
#include "shared/paths.h"

#include <assert.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

/* --- life ----------------------------------------------------------------------------------- */

static void
open_all(struct admin_fixture *fixture)
{
	g_autofree char *path = path_in_state_dir("qubes.xml");
	g_autofree char *policy = g_build_filename(fixture->dir, "policy.sock", NULL);
	g_autofree char *message = NULL;

	if (store_open(path, &fixture->store, &message) < 0)
		g_error("%s", message);
	fixture->app = store_app(fixture->store);
	derived_init(fixture->app);
	domain_storage_init(fixture->app);
	lifecycle_new(fixture->app, "double", &fixture->lifecycle, &message);
	qubes_app_set_lifecycle(fixture->app, fixture->lifecycle);
	fixture->admin = admin_new(fixture->store, policy);
}

static void
close_all(struct admin_fixture *fixture)
{
	admin_free(fixture->admin);
	store_free(fixture->store);
	lifecycle_free(fixture->lifecycle);
}

static void
make_kernel(const struct admin_fixture *fixture, const char *version)
{
	g_autofree char *dir = g_build_filename(fixture->dir, "vm-kernels", version, NULL);
	g_autofree char *image = g_build_filename(dir, "vmlinuz", NULL);

	g_mkdir_with_parents(dir, 0755);
	g_file_set_contents(image, "", 0, NULL);
}

static void
expect_ok(struct admin_fixture *fixture, const char *method, const char *arg, const char *payload)
{
	g_autofree char *reply = admin_fixture_call(fixture, "dom0", method, arg, "dom0", payload);

	if (strcmp(reply, "OK ") != 0)
		g_error("%s+%s %s: %s", method, arg, payload, reply);
}

struct admin_fixture *
admin_fixture_new(void)
{
	struct admin_fixture *fixture = g_new0(struct admin_fixture, 1);
	struct pool *pool = pool_new("test", "file");

	fixture->dir = g_dir_make_tmp("qubesd-test-XXXXXX", NULL);
	g_setenv("QUBES_STATE_DIR", fixture->dir, TRUE);
	make_kernel(fixture, "1.0");
	open_all(fixture);
	pool_set(pool, "dir_path", fixture->dir);
	qubes_app_add_pool(fixture->app, pool);
	expect_ok(fixture, "admin.vm.Create.TemplateVM", "", "name=test-template label=black");
	expect_ok(fixture, "admin.property.Set", "default_template", "test-template");
	expect_ok(fixture, "admin.property.Set", "default_kernel", "1.0");
	expect_ok(fixture, "admin.vm.Create.AppVM", "", "name=test-vm1 label=red");
	return fixture;
}

void
admin_fixture_restart(struct admin_fixture *fixture)
{
	close_all(fixture);
	open_all(fixture);
}

static void
remove_tree(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
			remove_tree(inner);
		else
			g_unlink(inner);
	}
	g_rmdir(path);
}

void
admin_fixture_free(struct admin_fixture *fixture)
{
	close_all(fixture);
	remove_tree(fixture->dir);
	g_free(fixture->dir);
	g_free(fixture);
}

/* --- calls ---------------------------------------------------------------------------------- */

struct caller {
	GByteArray *bytes; /* NULL: dropped */
	bool over;
};

static void
on_reply(void *data, const void *bytes, size_t len)
{
	struct caller *caller = data;

	assert(!caller->over);
	caller->over = true;
	g_byte_array_append(caller->bytes, bytes, (guint)len);
}

static bool
on_unexpected_stream(void *data, const void *bytes, size_t len)
{
	(void)data, (void)bytes, (void)len;
	g_assert_not_reached();
}

static void
on_drop(void *data)
{
	struct caller *caller = data;

	assert(!caller->over);
	caller->over = true;
	g_clear_pointer(&caller->bytes, g_byte_array_unref);
}

GByteArray *
admin_fixture_call_bytes(
    struct admin_fixture *fixture, enum admin_socket socket, const void *request, size_t len)
{
	static const struct admin_output output = {on_reply, on_unexpected_stream, on_drop};
	g_autoptr(GBytes) bytes = g_bytes_new(request, len);
	struct caller caller = {.bytes = g_byte_array_new()};

	admin_call_start(fixture->admin, socket, bytes, &output, &caller);
	while (!caller.over)
		g_main_context_iteration(NULL, TRUE);
	if (caller.bytes != NULL) {
		g_byte_array_append(caller.bytes, (const guint8 *)"", 1);
		g_byte_array_set_size(caller.bytes, caller.bytes->len - 1);
	}
	return caller.bytes;
}

char *
admin_fixture_call(struct admin_fixture *fixture, const char *source, const char *method,
    const char *arg, const char *dest, const char *payload)
{
	g_autoptr(GByteArray) request =
	    admin_request_encode(method, arg, source, dest, payload, strlen(payload));
	g_autoptr(GByteArray) bytes =
	    admin_fixture_call_bytes(fixture, ADMIN_SOCKET_MAIN, request->data, request->len);
	struct admin_reply reply = {0};
	char *text;

	if (bytes == NULL)
		return g_strdup("DROPPED");
	if (admin_reply_decode(bytes->data, bytes->len, &reply) < 0)
		return g_strdup("NOT A REPLY");
	text = reply.ok ? g_strconcat("OK ", reply.content, NULL) : g_strdup(reply.error_class);
	admin_reply_clear(&reply);
	return text;
}

/* --- subscriptions -------------------------------------------------------------------------- */

struct admin_listener {
	struct admin_call *call;
	GString *heard, *taken;
	bool over;
};

static void
on_no_reply(void *data, const void *bytes, size_t len)
{
	(void)data, (void)bytes, (void)len;
	g_assert_not_reached();
}

/* Each part is one event: "1", subject, name, pairs, an empty key. */
static bool
on_event(void *data, const void *bytes, size_t len)
{
	struct admin_listener *listener = data;
	const char *p = bytes;
	unsigned field = 0;

	assert(len > 4 && memcmp(p, "1", 2) == 0 && p[len - 1] == '\0' && p[len - 2] == '\0');
	for (p += 2; p < (const char *)bytes + len - 1; p += strlen(p) + 1, field++) {
		if (field > 0)
			g_string_append_c(
			    listener->heard, field >= 3 && field % 2 == 1 ? '=' : ' ');
		g_string_append(listener->heard, p);
	}
	g_string_append_c(listener->heard, '\n');
	return true;
}

static void
on_stream_drop(void *data)
{
	struct admin_listener *listener = data;

	listener->over = true;
	listener->call = NULL;
}

struct admin_listener *
admin_fixture_listen(struct admin_fixture *fixture, enum admin_socket socket, const char *source,
    const char *method, const char *dest)
{
	static const struct admin_output output = {on_no_reply, on_event, on_stream_drop};
	g_autoptr(GByteArray) request = admin_request_encode(method, "", source, dest, NULL, 0);
	g_autoptr(GBytes) bytes = g_bytes_new(request->data, request->len);
	struct admin_listener *listener = g_new0(struct admin_listener, 1);

	listener->heard = g_string_new(NULL);
	listener->taken = g_string_new(NULL);
	listener->call = admin_call_start(fixture->admin, socket, bytes, &output, listener);
	return listener;
}

const char *
admin_listener_take(struct admin_listener *listener)
{
	GString *heard = listener->heard;

	listener->heard = listener->taken;
	listener->taken = heard;
	g_string_set_size(listener->heard, 0);
	return listener->taken->str;
}

bool
admin_listener_is_over(const struct admin_listener *listener)
{
	return listener->over;
}

void
admin_listener_free(struct admin_listener *listener)
{
	if (listener->call != NULL)
		admin_call_abandon(listener->call);
	g_string_free(listener->heard, TRUE);
	g_string_free(listener->taken, TRUE);
	g_free(listener);
}
