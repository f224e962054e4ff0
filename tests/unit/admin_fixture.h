/*
 * admin_fixture - a store in a folder of its own with a few qubes, and the Admin API over it without
 * sockets: one call is one function.
 *
 * The store holds dom0, TemplateVM test-template (black) and AppVM test-vm1 (red, based on it);
 * default_template=test-template, kernel 1.0 as default_kernel, a further pool "test", all halted.
 */
#ifndef TESTS_UNIT_ADMIN_FIXTURE_H
#define TESTS_UNIT_ADMIN_FIXTURE_H

#include "qubesd/admin.h"

#include <glib.h>

struct admin_fixture {
	char *dir; /* owned; removed at the end */
	struct store *store;
	struct qubes_app *app;
	struct lifecycle *lifecycle;
	struct admin *admin;
};

struct admin_fixture *admin_fixture_new(void);
void admin_fixture_free(struct admin_fixture *fixture);
/* Ends everything and reads the store again, as a restart does. */
void admin_fixture_restart(struct admin_fixture *fixture);

/*
 * The whole reply as bytes, NUL-terminated for convenience; NULL: dropped. Spins the loop until
 * the answer is there. g_byte_array_unref().
 */
GByteArray *admin_fixture_call_bytes(
    struct admin_fixture *fixture, enum admin_socket socket, const void *request, size_t len);

/*
 * One call on the main socket. The result is readable: "OK " and the content, the class of an
 * error, or "DROPPED". g_free().
 */
char *admin_fixture_call(struct admin_fixture *fixture, const char *source, const char *method,
    const char *arg, const char *dest, const char *payload);

/* A subscription; events come as lines "SUBJECT NAME key=value ...". */
struct admin_listener;
struct admin_listener *admin_fixture_listen(struct admin_fixture *fixture, enum admin_socket socket,
    const char *source, const char *method, const char *dest);
/* Everything heard since the last time; borrowed until the next call. */
const char *admin_listener_take(struct admin_listener *listener);
bool admin_listener_is_over(const struct admin_listener *listener);
void admin_listener_free(struct admin_listener *listener);

#endif
