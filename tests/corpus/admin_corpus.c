/*
 * admin_corpus - recorded requests and answers of the Admin API, replayed.
 *
 *   admin_corpus CORPUS/admin.jsonl
 *
 * Entries of one test apply in order, to a store set up as the entry says and as the table below
 * adds; each is compared by the class of its error, or by its content after masking what is random.
 * Prints TAP: one line a request. A difference that is meant stands in the table of deviations, with
 * its reason, and is a pass that says so; what belongs to methods that are not there is skipped.
 */
#include "shared/admin_client.h"
#include "tests/unit/admin_fixture.h"
#include "tests/unit/lifecycle_double.h"

#include <glib/gstdio.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what a test arranges by itself --------------------------------------------------------- */

static const struct arrangement {
	const char *test; /* a prefix of the test's name */
	const char *method, *arg, *dest, *payload;
} arrangements[] = {
#define FEATURE(test, dest, value)                                                                 \
	{                                                                                          \
		test, "admin.vm.feature.Set", "test-feature", dest, value                          \
	}
    {"test_029", "admin.vm.property.Set", "netvm", "test-vm1", ""},
    {"test_030", "admin.vm.Create.AppVM", "", "dom0", "name=test-net label=red"},
    {"test_030", "admin.vm.property.Set", "netvm", "test-net", ""},
    {"test_030", "admin.vm.property.Set", "provides_network", "test-net", "True"},
    {"test_027", "admin.vm.Create.AppVM", "", "dom0", "name=test-net label=red"},
    {"test_027", "admin.vm.property.Set", "netvm", "test-net", ""},
    {"test_027", "admin.vm.property.Set", "provides_network", "test-net", "True"},
    {"test_027", "admin.vm.property.Set", "netvm", "test-vm1", "test-net"},
    {"test_028", "admin.vm.property.Set", "provides_network", "test-vm1", "True"},
    {"test_029_vm_property_get_list_default", "admin.vm.property.Set", "provides_network",
	"test-vm1", "True"},
    {"test_210_label_remove", "admin.label.Create", "cyan", "dom0", "0x00ffff"},
    {"test_211", "admin.label.Create", "cyan", "dom0", "0x00ffff"},
    {"test_211", "admin.vm.property.Set", "label", "test-vm1", "cyan"},
    {"test_230", "admin.vm.Start", "", "test-vm1", ""},
    {"test_231", "admin.vm.Start", "", "test-vm1", ""},
    {"test_232", "admin.vm.Start", "", "test-vm1", ""},
    {"test_233", "admin.vm.Start", "", "test-vm1", ""},
    {"test_234", "admin.vm.Start", "", "test-vm1", ""},
    {"test_240", "admin.vm.Start", "", "test-vm1", ""},
    {"test_250", "admin.vm.Start", "", "test-vm1", ""},
    {"test_250", "admin.vm.Pause", "", "test-vm1", ""},
    {"test_260", "admin.vm.Start", "", "test-vm1", ""},
    FEATURE("test_280", "test-vm1", "some-value"),
    FEATURE("test_290", "test-vm1", "some-value"),
    FEATURE("test_300", "test-vm1", "some-value"),
    FEATURE("test_310", "test-vm1", "some-value"),
    FEATURE("test_311", "test-template", "some-value"),
    FEATURE("test_315", "test-vm1", "some-value"),
    {"test_316", "admin.vm.Create.AppVM", "", "dom0", "name=test-net label=red"},
    {"test_316", "admin.vm.property.Set", "netvm", "test-net", ""},
    {"test_316", "admin.vm.property.Set", "provides_network", "test-net", "True"},
    {"test_316", "admin.vm.property.Set", "netvm", "test-vm1", "test-net"},
    FEATURE("test_316", "test-net", "some-value"),
    FEATURE("test_318", "dom0", "some-value"),
    FEATURE("test_319", "dom0", "some-value"),
    {"test_411_property_get_all", "admin.property.Set", "default_netvm", "dom0", ""},
    {"test_411_property_get_all", "admin.property.Set", "default_pool", "dom0", "varlibqubes"},
    {"test_500_vm_remove", "admin.property.Set", "clockvm", "dom0", ""},
    {"test_501", "admin.vm.Start", "", "test-vm1", ""},
    {"test_530", "admin.vm.tag.Set", "tag1", "test-vm1", ""},
    {"test_530", "admin.vm.tag.Set", "tag2", "test-vm1", ""},
    {"test_530", "admin.vm.tag.Remove", "created-by-dom0", "test-vm1", ""},
    {"test_540", "admin.vm.tag.Set", "tag1", "test-vm1", ""},
    {"test_550", "admin.vm.tag.Set", "tag1", "test-vm1", ""},
    {"test_640", "admin.vm.property.Set", "template_for_dispvms", "test-vm1", "True"},
    {"test_641", "admin.vm.property.Set", "template_for_dispvms", "test-vm1", "True"},
    {"test_641", "admin.property.Set", "default_dispvm", "dom0", "test-vm1"},
    {"test_901", "admin.vm.Start", "", "test-vm1", ""},
    {"test_notes_get", "admin.vm.notes.Set", "", "test-vm1", "For Your Eyes Only"},
};

/* --- what is not compared, and differences that are meant ----------------------------------- */

static const struct exception {
	const char *test; /* the whole name */
	unsigned seq;     /* 0: every entry of the test */
	bool meant; /* ours is different on purpose; else: the test mocked what it asks about */
	const char *why;
} exceptions[] = {
    {"test_002_vm_list_filter", 0, false, "a mocked filter"},
    {"test_027_vm_property_get_all", 0, false, "a mocked list of properties"},
    {"test_130_pool_list", 0, false, "mocked pools"},
    {"test_140_pool_listdrivers", 0, false, "mocked drivers"},
    {"test_150_pool_info", 0, false, "mocked pools"},
    {"test_151_pool_info_unsupported_size", 0, false, "mocked pools"},
    {"test_152_pool_info_included_in", 0, false, "mocked pools"},
    {"test_190_label_get", 0, false, "a mocked label"},
    {"test_319_feature_checkwithtpladminvm", 2, false, "the feature is changed in between"},
    {"test_502_vm_remove_attached", 0, false, "devices are not handled yet"},
    {"test_notes_get", 2, false, "a mocked failure"},
    {"test_notes_set", 0, true, "recorded where the library for code points was missing"},
    {"test_010_get_system_info", 0, false, "mocked qubes"},
};

static const struct exception *
exception_of(const char *test, unsigned seq)
{
	for (size_t i = 0; i < G_N_ELEMENTS(exceptions); i++) {
		if (strcmp(exceptions[i].test, test) == 0 &&
		    (exceptions[i].seq == 0 || exceptions[i].seq == seq))
			return &exceptions[i];
	}
	return NULL;
}

/* --- comparing ------------------------------------------------------------------------------ */

/* UUIDs and numbers of disposables are random, the host is another, the help texts are our own. */
static char *
mask(const char *method, const char *text)
{
	g_autoptr(GRegex) uuid =
	    g_regex_new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", 0, 0, NULL);
	g_autoptr(GRegex) disp = g_regex_new("^OK disp[0-9]+$", 0, 0, NULL);
	g_autoptr(GRegex) host = g_regex_new("(maxmem|no_cpus)( .*) [0-9]+\n", 0, 0, NULL);
	g_autofree char *without_uuid = g_regex_replace_literal(uuid, text, -1, 0, "UUID", 0, NULL);
	g_autofree char *without =
	    strcmp(method, "admin.property.GetAll") == 0
		? g_regex_replace(host, without_uuid, -1, 0, "\\1\\2 HOST\n", 0, NULL)
		: g_strdup(without_uuid);

	if (g_str_has_suffix(method, ".Help") && g_str_has_prefix(text, "OK "))
		return g_strdup("OK HELP");
	return g_regex_replace_literal(disp, without, -1, 0, "OK dispN", 0, NULL);
}

static char *
readable(const void *bytes, size_t len)
{
	struct admin_reply reply = {0};
	char *text;

	if (admin_reply_decode(bytes, len, &reply) < 0)
		return g_strdup("NOT A REPLY");
	text = reply.ok ? g_strconcat("OK ", reply.content, NULL) : g_strdup(reply.error_class);
	admin_reply_clear(&reply);
	return text;
}

static char *
expected_of(json_t *entry)
{
	const char *exception = json_string_value(json_object_get(entry, "exception"));
	const char *response = json_string_value(json_object_get(entry, "response_b64"));
	g_autofree guchar *bytes = NULL;
	gsize len;

	if (exception != NULL)
		return g_strdup(exception);
	bytes = g_base64_decode(response, &len);
	return readable(bytes, len);
}

/* --- replaying ------------------------------------------------------------------------------ */

struct counts {
	unsigned number, failed, skipped, meant;
};

static const char *
field(json_t *entry, const char *name)
{
	return json_string_value(json_object_get(json_object_get(entry, "request"), name));
}

static bool
is_method_of(enum admin_socket socket, const char *method)
{
	g_autofree const char **names = admin_method_names(socket);

	return g_strv_contains(names, method);
}

static void
arrange(struct admin_fixture *fixture, const char *test)
{
	for (size_t i = 0; i < G_N_ELEMENTS(arrangements); i++) {
		const struct arrangement *a = &arrangements[i];
		g_autofree char *reply = NULL;

		if (!g_str_has_prefix(test, a->test))
			continue;
		reply = admin_fixture_call(fixture, "dom0", a->method, a->arg, a->dest, a->payload);
		if (!g_str_has_prefix(reply, "OK"))
			printf("# %s: cannot arrange %s+%s: %s\n", test, a->method, a->arg, reply);
	}
}

static char *
replay(struct admin_fixture *fixture, json_t *entry)
{
	gsize payload_len;
	g_autofree guchar *payload = g_base64_decode(field(entry, "payload_b64"), &payload_len);
	/* A UUID that was recorded is that of test-vm1, which has another one here. */
	g_autofree char *uuid =
	    g_strconcat("uuid:", domain_uuid(qubes_app_find(fixture->app, "test-vm1")), NULL);
	const char *dest = field(entry, "dest");
	g_autoptr(GByteArray) request =
	    admin_request_encode(field(entry, "method"), field(entry, "arg"), field(entry, "src"),
		strlen(dest) == 41 ? uuid : dest, payload, payload_len);
	g_autoptr(GByteArray) reply = NULL;
	bool internal = g_str_has_prefix(field(entry, "method"), "internal.");

	reply = admin_fixture_call_bytes(fixture,
	    internal ? ADMIN_SOCKET_INTERNAL : ADMIN_SOCKET_MAIN, request->data, request->len);
	return reply != NULL ? readable(reply->data, reply->len) : g_strdup("DROPPED");
}

static void
judge(struct counts *counts, json_t *entry, const char *got)
{
	const char *test = json_string_value(json_object_get(entry, "test"));
	unsigned seq = (unsigned)json_integer_value(json_object_get(entry, "seq"));
	const char *method = field(entry, "method");
	g_autofree char *expected = expected_of(entry);
	g_autofree char *masked_got = mask(method, got);
	g_autofree char *masked_expected = mask(method, expected);
	const struct exception *exception;

	counts->number++;
	if (strcmp(masked_got, masked_expected) == 0) {
		printf("ok %u - %s.%u\n", counts->number, test, seq);
		return;
	}
	exception = exception_of(test, seq);
	if (exception != NULL && exception->meant) {
		counts->meant++;
		printf(
		    "ok %u - %s.%u, differently: %s\n", counts->number, test, seq, exception->why);
		return;
	}
	if (exception != NULL) {
		counts->skipped++;
		printf("ok %u - %s.%u # SKIP %s\n", counts->number, test, seq, exception->why);
		return;
	}
	counts->failed++;
	printf("not ok %u - %s.%u\n# %s+%s -> %s\n", counts->number, test, seq, method,
	    field(entry, "arg"), field(entry, "dest"));
	for (char *p = masked_got; *p != '\0'; p++)
		*p = *p == '\n' ? '|' : *p;
	for (char *p = masked_expected; *p != '\0'; p++)
		*p = *p == '\n' ? '|' : *p;
	printf("# got:    %.300s\n# wanted: %.300s\n", masked_got, masked_expected);
}

static bool
is_replayable(json_t *entry)
{
	const char *source = json_string_value(json_object_get(entry, "source"));
	const char *method = field(entry, "method");
	bool fails = json_object_get(entry, "exception") != NULL;

	/* A stream has no end to compare, and an argument with a space cannot be framed. */
	if ((strcmp(method, "admin.Events") == 0 && !fails) ||
	    strchr(field(entry, "arg"), ' ') != NULL)
		return false;
	/* Canned replies of the client's own tests say nothing about a daemon. */
	return strcmp(source, "unit") == 0 && (is_method_of(ADMIN_SOCKET_MAIN, method) ||
						  is_method_of(ADMIN_SOCKET_INTERNAL, method));
}

int
main(int argc, char **argv)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	g_autofree char *last_test = g_strdup("");
	struct admin_fixture *fixture = NULL;
	struct counts counts = {0};

	if (argc != 2 || !g_file_get_contents(argv[1], &text, NULL, NULL)) {
		fprintf(stderr, "admin_corpus CORPUS/admin.jsonl\n");
		return 2;
	}
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL && **line != '\0'; line++) {
		json_t *entry = json_loads(*line, 0, NULL);
		const char *test = json_string_value(json_object_get(entry, "test"));
		g_autofree char *got = NULL;

		if (entry == NULL || !is_replayable(entry)) {
			counts.skipped++;
			json_decref(entry);
			continue;
		}
		if (strcmp(test, last_test) != 0) {
			if (fixture != NULL)
				admin_fixture_free(fixture);
			fixture = admin_fixture_new();
			arrange(fixture, test);
			g_free(last_test);
			last_test = g_strdup(test);
		}
		got = replay(fixture, entry);
		judge(&counts, entry, got);
		json_decref(entry);
	}
	if (fixture != NULL)
		admin_fixture_free(fixture);
	printf("1..%u\n# %u replayed, %u of them differ as meant, %u skipped\n", counts.number,
	    counts.number, counts.meant, counts.skipped);
	return counts.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
