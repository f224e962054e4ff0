/* qubes.xml: what is read, what is written, what is refused, and what is never lost. */
#include "qubesd/store.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "<?xml version='1.0' encoding='UTF-8'?>\n"
#define DOM0 "<domain id=\"domain-0\" class=\"AdminVM\"/>"
#define UUID(n) "00000000-0000-4000-8000-00000000000" #n
#define IDENTITY(name, qid)                                                                        \
	"<property name=\"name\">" name "</property><property name=\"qid\">" #qid                  \
	"</property><property name=\"uuid\">" UUID(qid) "</property>"                              \
							"<property name=\"label\">red</property>"
#define TEMPLATE(name, qid)                                                                        \
	"<domain id=\"domain-" #qid                                                                \
	"\" class=\"TemplateVM\"><properties>" IDENTITY(name, qid) "</properties></domain>"
#define APP(name, qid, more)                                                                       \
	"<domain id=\"domain-" #qid "\" class=\"AppVM\"><properties>" IDENTITY(                    \
	    name, qid) "<property name=\"template\">base</property>" more "</properties></domain>"
#define DOMAINS(text) HEAD "<qubes><domains>" DOM0 text "</domains></qubes>"

static struct qubes_app *
parse(const char *text)
{
	g_autofree char *message = NULL;
	struct qubes_app *app;

	if (store_parse(text, strlen(text), &app, &message) < 0)
		fail_msg("refused: %s", message);
	return app;
}

/* Why it is refused; fails when it is not. */
static char *
refusal(const char *text, size_t len)
{
	char *message = NULL;
	struct qubes_app *app;

	if (store_parse(text, len, &app, &message) == 0)
		fail_msg("not refused: %.*s", (int)len, text);
	return message;
}

static char *
render(struct qubes_app *app)
{
	g_autoptr(GBytes) bytes = store_render(app);

	return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void
assert_contains(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" is not in: %s", part, text);
}

/* Written and read again it says the same. */
static void
assert_stable(struct qubes_app *app)
{
	g_autofree char *first = render(app);
	struct qubes_app *again = parse(first);
	g_autofree char *second = render(again);

	assert_string_equal(first, second);
	qubes_app_free(again);
}

/* --- reading -------------------------------------------------------------------------------- */

static void
a_fresh_store_is_read_as_it_was_written(void **state)
{
	struct qubes_app *app = qubes_app_new_fresh();
	struct qubes_app *again;
	g_autofree char *text = render(app);

	(void)state;
	again = parse(text);
	assert_int_equal(qubes_app_domains(again)->len, 1);
	assert_int_equal(qubes_app_labels(again)->len, LABEL_BUILTIN_COUNT);
	assert_int_equal(qubes_app_pools(again)->len, 2);
	assert_stable(again);
	qubes_app_free(again);
	qubes_app_free(app);
}

static void
references_may_point_forward(void **state)
{
	struct qubes_app *app = parse(DOMAINS(APP("work", 2, "") TEMPLATE("base", 1)));
	struct domain *work = qubes_app_find(app, "work");

	(void)state;
	assert_non_null(work);
	assert_false(domain_is_broken(work));
	assert_ptr_equal(domain_template(work), qubes_app_find(app, "base"));
	assert_ptr_equal(qubes_app_find_uuid(app, UUID(2)), work);
	assert_ptr_equal(qubes_app_find_qid(app, 2), work);
	assert_stable(app);
	qubes_app_free(app);
}

static void
old_spellings_are_read_and_written_anew(void **state)
{
	struct qubes_app *app = parse(DOMAINS(TEMPLATE("base", 1) APP("work", 2,
	    "<property name=\"dispvm_allowed\">True</property>"
	    "<property name=\"hvm\">True</property>"
	    "<property name=\"netvm\" ref=\"base\"/>")));
	struct domain *work = qubes_app_find(app, "work");
	g_autofree char *mode = domain_string(work, PROPERTY_VIRT_MODE);
	g_autofree char *text = render(app);

	(void)state;
	assert_true(domain_bool(work, PROPERTY_TEMPLATE_FOR_DISPVMS));
	assert_string_equal(mode, "hvm");
	assert_null(strstr(text, "dispvm_allowed"));
	qubes_app_free(app);
}

static void
values_survive_with_every_printable_byte(void **state)
{
	struct qubes_app *app = parse(DOMAINS(TEMPLATE("base", 1) APP("work", 2,
	    "<property name=\"kernelopts\">a&lt;b&gt;&amp;"
	    "&quot;'c ]]&gt; d</property>")));
	g_autofree char *opts = domain_string(qubes_app_find(app, "work"), PROPERTY_KERNELOPTS);

	(void)state;
	assert_string_equal(opts, "a<b>&\"'c ]]> d");
	assert_stable(app);
	qubes_app_free(app);
}

/* --- damage --------------------------------------------------------------------------------- */

static void
adm_20_a_store_cut_at_any_byte_is_refused_with_a_line(void **state)
{
	struct qubes_app *app = qubes_app_new_fresh();
	g_autofree char *text = render(app);
	size_t end = strlen(text) - strlen("\n"); /* the last line end is no loss */

	(void)state;
	for (size_t len = 0; len < end; len++) {
		g_autofree char *message = refusal(text, len);

		assert_contains(message, "line ");
	}
	qubes_app_free(app);
}

static void
adm_20_a_store_with_any_byte_flipped_is_read_or_refused(void **state)
{
	struct qubes_app *app = qubes_app_new_fresh();
	g_autofree char *text = render(app);
	size_t len = strlen(text);

	(void)state;
	for (size_t i = 0; i < len * 2; i++) {
		g_autofree char *copy = g_strdup(text);
		g_autofree char *message = NULL;
		struct qubes_app *read;

		copy[i / 2] = (char)(copy[i / 2] ^ (i % 2 == 0 ? 0x01 : 0x80));
		if (store_parse(copy, len, &read, &message) < 0)
			continue;
		assert_non_null(qubes_app_dom0(read));
		assert_stable(read);
		qubes_app_free(read);
	}
	qubes_app_free(app);
}

static void
adm_20_duplicates_are_refused_with_their_line(void **state)
{
	static const char *const stores[] = {
	    DOMAINS("\n" TEMPLATE("base", 1) "\n" TEMPLATE("base", 2)),
	    DOMAINS("\n" TEMPLATE("base", 1) "\n" TEMPLATE("work", 1)),
	    HEAD "<qubes><domains>" DOM0 "\n\n" DOM0 "</domains></qubes>",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
		g_autofree char *message = refusal(stores[i], strlen(stores[i]));

		assert_contains(message, "line 4");
	}
}

static void
a_store_without_dom0_or_of_another_kind_is_refused(void **state)
{
	static const char *const stores[] = {
	    HEAD "<qubes/>",
	    HEAD "<qubes><domains/></qubes>",
	    HEAD "<domains>" DOM0 "</domains>",
	    "",
	    "not xml",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(stores); i++)
		g_free(refusal(stores[i], strlen(stores[i])));
}

static void
adm_20_entities_are_refused_before_they_grow(void **state)
{
	static const char bomb[] =
	    HEAD "<!DOCTYPE qubes [<!ENTITY a \"aaaaaaaaaaaaaaaaaaaa\"><!ENTITY b "
		 "\"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>\n<qubes>&b;</qubes>";
	static const char external[] =
	    HEAD "<!DOCTYPE qubes SYSTEM \"file:///etc/passwd\"><qubes/>";
	static const char undefined[] = HEAD "<qubes>&nothing;</qubes>";
	g_autofree char *message = refusal(bomb, strlen(bomb));
	g_autofree char *other = refusal(external, strlen(external));
	g_autofree char *third = refusal(undefined, strlen(undefined));

	(void)state;
	assert_contains(message, "line 2");
	assert_contains(message, "document type");
	assert_contains(other, "document type");
}

static void
adm_20_elements_may_be_16_deep_and_not_17(void **state)
{
	for (unsigned depth = STORE_MAX_DEPTH; depth <= STORE_MAX_DEPTH + 1; depth++) {
		GString *text = g_string_new(HEAD "<qubes><domains>" DOM0 "</domains>");
		g_autofree char *message = NULL;
		struct qubes_app *app;
		int r;

		(void)state;
		for (unsigned i = 1; i < depth; i++)
			g_string_append(text, "<x>");
		for (unsigned i = 1; i < depth; i++)
			g_string_append(text, "</x>");
		g_string_append(text, "</qubes>");
		r = store_parse(text->str, text->len, &app, &message);
		assert_int_equal(r, depth == STORE_MAX_DEPTH ? 0 : -EPROTO);
		if (r == 0)
			qubes_app_free(app);
		g_string_free(text, TRUE);
	}
}

static void
a_domain_that_cannot_be_used_is_kept_as_it_is(void **state)
{
	static const char strange[] =
	    "<domain id=\"domain-3\" class=\"NewVM\" since=\"5\"><properties>" IDENTITY("new",
		3) "<property name=\"x\">1</property></properties><future a=\"b\"/></domain>";
	g_autofree char *text = g_strconcat(HEAD "<qubes><domains>", DOM0, strange,
	    APP("orphan", 2, ""), "</domains></qubes>", NULL);
	struct qubes_app *app = parse(text);
	g_autofree char *written = render(app);
	struct domain *orphan = qubes_app_find(app, "orphan");
	struct domain *new = qubes_app_find(app, "new");

	(void)state;
	assert_true(domain_is_broken(orphan) && domain_is_broken(new));
	assert_string_equal(domain_klass(new), "NewVM");
	assert_string_equal(domain_power_state(new), "NA");
	assert_contains(written, strange);
	assert_contains(written, "<property name=\"template\">base</property>");
	assert_stable(app);
	qubes_app_free(app);
}

static void
adm_21_what_is_not_known_is_written_again(void **state)
{
	static const char text[] = HEAD
	    "<qubes version=\"9\" xmlns:n=\"urn:n\"><n:top n:a=\"1\">x<y/></n:top><!-- a note -->"
	    "<labels><shade id=\"1\">a</shade></labels>"
	    "<pools><bucket name=\"b\"/><pool name=\"p\" driver=\"zfs\" extra=\"&lt;1\"/></pools>"
	    "<properties><property name=\"new_global\">1</property></properties>"
	    "<domains><domain id=\"domain-0\" class=\"AdminVM\" mood=\"good\">"
	    "<properties><property name=\"newer\">2</property></properties>"
	    "<features><flag name=\"f\"/></features><tags><mark/></tags>"
	    "<devices class=\"pci\"><device id=\"1\"/></devices></domain>"
	    "<group/></domains></qubes>";
	static const char *const parts[] = {"version=\"9\"", "xmlns:n=\"urn:n\"",
	    "<n:top n:a=\"1\">x<y/></n:top>", "<!-- a note -->", "<shade id=\"1\">a</shade>",
	    "<bucket name=\"b\"/>", "extra=\"&lt;1\"", "<property name=\"new_global\">1</property>",
	    "mood=\"good\"", "<property name=\"newer\">2</property>", "<flag name=\"f\"/>",
	    "<mark/>", "<devices class=\"pci\"><device id=\"1\"/></devices>", "<group/>"};
	struct qubes_app *app = parse(text);
	g_autofree char *written = render(app);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
		assert_contains(written, parts[i]);
	assert_stable(app);
	qubes_app_free(app);
}

static void
a_value_that_cannot_be_used_gives_way_to_the_default_and_is_kept(void **state)
{
	struct qubes_app *app = parse(DOMAINS(TEMPLATE("base", 1) APP("work", 2,
	    "<property name=\"memory\">lots</property>"
	    "<property name=\"default_user\">-x</property>")));
	struct domain *work = qubes_app_find(app, "work");
	struct property_owner owner = domain_owner(work);
	struct property_value value = {.number = 500};
	g_autofree char *user = domain_string(work, PROPERTY_DEFAULT_USER);
	g_autofree char *written = render(app);
	g_autofree char *after = NULL;

	(void)state;
	assert_false(domain_is_broken(work));
	assert_int_equal(domain_int(work, PROPERTY_MEMORY), 400);
	assert_string_equal(user, "user");
	assert_contains(written, "<property name=\"memory\">lots</property>");
	assert_true(property_set(&owner, &property_domain_table[PROPERTY_MEMORY], &value, NULL));
	after = render(app);
	assert_contains(after, "<property name=\"memory\">500</property>");
	assert_null(strstr(after, "lots"));
	qubes_app_free(app);
}

static void
a_lost_netvm_never_becomes_the_default_one(void **state)
{
	struct qubes_app *app = parse(DOMAINS(TEMPLATE("base", 1) APP("work", 2,
	    "<property name=\"netvm\">gone</property>"
	    "<property name=\"default_dispvm\">gone</property>")));
	struct domain *work = qubes_app_find(app, "work");
	struct property_owner owner = domain_owner(work);

	(void)state;
	assert_null(domain_netvm(work));
	assert_false(property_is_default(&owner, &property_domain_table[PROPERTY_NETVM]));
	assert_false(property_is_default(&owner, &property_domain_table[PROPERTY_DEFAULT_DISPVM]));
	qubes_app_free(app);
}

static void
a_loop_of_networks_is_broken(void **state)
{
#define PROVIDER "<property name=\"provides_network\">True</property>"
	struct qubes_app *app = parse(DOMAINS(
	    TEMPLATE("base", 1) APP("a", 2, PROVIDER "<property name=\"netvm\">b</property>")
		APP("b", 3, PROVIDER "<property name=\"netvm\">a</property>")
		    APP("c", 4, "<property name=\"netvm\">base</property>")));
	struct domain *a = qubes_app_find(app, "a"), *b = qubes_app_find(app, "b");

	(void)state;
	assert_true((domain_netvm(a) == NULL) != (domain_netvm(b) == NULL));
	assert_null(domain_netvm(qubes_app_find(app, "c")));
	qubes_app_free(app);
}

static void
meminfo_writer_of_old_stores_is_maxmem(void **state)
{
	struct qubes_app *app =
	    parse(HEAD "<qubes><domains>" DOM0
		       "<domain id=\"domain-1\" class=\"TemplateVM\"><properties>" IDENTITY("base",
			   1) "</properties><features><feature name=\"service.meminfo-writer\"/>"
			      "</features></domain></domains></qubes>");
	struct property_owner owner = domain_owner(qubes_app_find(app, "base"));

	(void)state;
	assert_false(property_is_default(&owner, &property_domain_table[PROPERTY_MAXMEM]));
	assert_int_equal(domain_feature_count(owner.domain), 0);
	qubes_app_free(app);
}

static void
labels_that_took_each_others_place_are_kept_aside(void **state)
{
	struct qubes_app *app =
	    parse(HEAD "<qubes><labels><label id=\"label-5\" color=\"0x73d216\">green</label>"
		       "<label id=\"label-4\" color=\"0x010203\">green</label></labels>"
		       "<domains>" DOM0 "</domains></qubes>");
	const struct label *green = qubes_app_label(app, "green");

	(void)state;
	assert_int_equal(green->index, 4);
	assert_int_equal(green->colour, 0x010203);
	assert_stable(app);
	qubes_app_free(app);
}

static void
meminfo_writer_of_dom0_means_nothing(void **state)
{
	struct qubes_app *app = parse(HEAD
	    "<qubes><domains><domain class=\"AdminVM\"><features>"
	    "<feature name=\"service.meminfo-writer\"/></features></domain></domains></qubes>");

	(void)state;
	assert_stable(app);
	qubes_app_free(app);
}

static void
what_is_kept_is_utf_8_also_from_a_file_that_does_not_say_so(void **state)
{
	struct qubes_app *app =
	    parse("<qubes><domains>" DOM0 "<x>caf\xc3\xa9</x></domains></qubes>");
	g_autofree char *text = render(app);

	(void)state;
	assert_contains(text, "<x>caf\xc3\xa9</x>");
	assert_stable(app);
	qubes_app_free(app);
}

/* --- files ---------------------------------------------------------------------------------- */

struct folder {
	char *dir, *path, *backup;
};

static int
make_folder(void **state)
{
	struct folder *folder = g_new0(struct folder, 1);

	folder->dir = g_dir_make_tmp("store-test-XXXXXX", NULL);
	folder->path = g_build_filename(folder->dir, "qubes.xml", NULL);
	folder->backup = g_build_filename(folder->dir, "backup", NULL);
	g_setenv("QUBES_STATE_DIR", folder->dir, TRUE);
	*state = folder;
	return 0;
}

static void
remove_files(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		g_remove(file);
	}
	g_rmdir(path);
}

static int
remove_folder(void **state)
{
	struct folder *folder = *state;

	remove_files(folder->backup);
	remove_files(folder->dir);
	g_free(folder->dir);
	g_free(folder->path);
	g_free(folder->backup);
	g_free(folder);
	return 0;
}

static struct store *
open_store(const struct folder *folder)
{
	g_autofree char *message = NULL;
	struct store *store;

	if (store_open(folder->path, &store, &message) < 0)
		fail_msg("%s", message);
	return store;
}

static char *
open_refused(const struct folder *folder, int error)
{
	struct store *store;
	char *message = NULL;

	assert_int_equal(store_open(folder->path, &store, &message), error);
	return message;
}

static char *
contents(const char *path)
{
	char *text = NULL;

	g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static unsigned
count_generations(const struct folder *folder)
{
	g_autoptr(GDir) dir = g_dir_open(folder->backup, 0, NULL);
	unsigned count = 0;

	while (dir != NULL && g_dir_read_name(dir) != NULL)
		count++;
	return count;
}

static void
on_done(const char *error, void *data)
{
	*(const char **)data = error != NULL ? "failed" : "done";
}

static const char *
commit(struct store *store)
{
	const char *result = NULL;

	store_commit(store, on_done, &result);
	assert_null(result);
	while (result == NULL)
		g_main_context_iteration(NULL, TRUE);
	return result;
}

static void
set_interval(struct store *store, int64_t seconds)
{
	struct property_owner owner = qubes_app_owner(store_app(store));
	struct property_value value = {.number = seconds};

	assert_true(
	    property_set(&owner, &property_global_table[GLOBAL_STATS_INTERVAL], &value, NULL));
}

static void
an_empty_folder_becomes_a_fresh_store_of_mode_0660(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);
	struct stat status;

	assert_int_equal(stat(folder->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	assert_int_equal(qubes_app_domains(store_app(store))->len, 1);
	store_free(store);
}

static void
adm_19_a_second_daemon_on_the_store_is_refused(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);
	g_autofree char *message = open_refused(folder, -EBUSY);

	assert_contains(message, folder->path);
	store_free(store);
	store_free(open_store(folder));
}

static void
adm_19_a_store_replaced_under_us_is_not_overwritten(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);
	g_autofree char *text = contents(folder->path);
	g_autofree char *foreign = g_strconcat(text, "<!-- by hand -->\n", NULL);
	g_autofree char *after = NULL;

	assert_true(g_file_set_contents(folder->path, foreign, -1, NULL));
	set_interval(store, 5);
	assert_string_equal(commit(store), "failed");
	assert_int_equal(qubes_app_int(store_app(store), GLOBAL_STATS_INTERVAL), 3);
	after = contents(folder->path);
	assert_string_equal(after, foreign);
	store_free(store);
}

static void
adm_19_a_symbolic_link_is_no_store(void **state)
{
	const struct folder *folder = *state;
	g_autofree char *message = NULL;

	assert_int_equal(symlink("/dev/null", folder->path), 0);
	message = open_refused(folder, -ELOOP);
	assert_contains(message, "symbolic link");
}

static void
a_truncated_store_offers_the_last_good_copy_and_changes_nothing(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);
	g_autofree char *text = NULL;
	g_autofree char *message = NULL;
	g_autofree char *after = NULL;

	store_free(store);
	store_free(open_store(folder)); /* each start keeps a copy */
	text = contents(folder->path);
	assert_true(g_file_set_contents(folder->path, text, (gssize)strlen(text) / 2, NULL));
	message = open_refused(folder, -EPROTO);
	assert_contains(message, "line ");
	assert_contains(message, "column ");
	assert_contains(message, folder->backup);
	after = contents(folder->path);
	assert_int_equal(strlen(after), strlen(text) / 2);
}

static void
a_store_that_has_gone_is_not_made_anew_over_its_copies(void **state)
{
	const struct folder *folder = *state;
	g_autofree char *message = NULL;

	store_free(open_store(folder));
	store_free(open_store(folder));
	g_unlink(folder->path);
	message = open_refused(folder, -EPROTO);
	assert_contains(message, folder->backup);
}

static void
five_generations_are_kept_and_no_two_alike(void **state)
{
	const struct folder *folder = *state;

	for (int i = 0; i < 8; i++) {
		struct store *store = open_store(folder);

		set_interval(store, i + 10);
		assert_string_equal(commit(store), "done");
		store_free(store);
		store_free(open_store(folder));
	}
	assert_int_equal(count_generations(folder), STORE_GENERATIONS);
}

static void
changes_made_together_are_one_write(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);
	const char *results[20] = {NULL};
	struct stat before, after;
	unsigned done = 0;

	stat(folder->path, &before);
	for (size_t i = 0; i < G_N_ELEMENTS(results); i++) {
		set_interval(store, (int64_t)i + 4);
		store_commit(store, on_done, &results[i]);
	}
	while (results[G_N_ELEMENTS(results) - 1] == NULL)
		g_main_context_iteration(NULL, TRUE);
	for (size_t i = 0; i < G_N_ELEMENTS(results); i++)
		done += strcmp(results[i], "done") == 0;
	stat(folder->path, &after);
	assert_int_equal(done, G_N_ELEMENTS(results));
	assert_int_not_equal(before.st_ino, after.st_ino);
	store_free(store);
}

static void
a_change_during_a_write_goes_into_the_next_one(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);
	const char *first = NULL, *second = NULL;
	g_autofree char *text = NULL;

	set_interval(store, 5);
	store_commit(store, on_done, &first);
	g_main_context_iteration(NULL, TRUE); /* the worker has it now */
	set_interval(store, 6);
	store_commit(store, on_done, &second);
	while (first == NULL)
		g_main_context_iteration(NULL, TRUE);
	assert_null(second);
	while (second == NULL)
		g_main_context_iteration(NULL, TRUE);
	text = contents(folder->path);
	assert_contains(text, "<property name=\"stats_interval\">6</property>");
	store_free(store);
}

static void
what_is_dirty_at_the_end_is_written(void **state)
{
	const struct folder *folder = *state;
	struct store *store = open_store(folder);

	set_interval(store, 77);
	store_free(store);
	store = open_store(folder);
	assert_int_equal(qubes_app_int(store_app(store), GLOBAL_STATS_INTERVAL), 77);
	store_free(store);
}

static void
checking_takes_no_lock_and_writes_nothing(void **state)
{
	const struct folder *folder = *state;
	g_autofree char *message = NULL;
	struct qubes_app *app;
	struct store *store;

	assert_int_equal(store_check(folder->path, &app, &message), -ENOENT);
	assert_false(g_file_test(folder->path, G_FILE_TEST_EXISTS));
	store = open_store(folder);
	assert_int_equal(store_check(folder->path, &app, &message), 0);
	qubes_app_free(app);
	store_free(store);
}

#define TEST(name) cmocka_unit_test(name)
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_fresh_store_is_read_as_it_was_written),
	    TEST(references_may_point_forward),
	    TEST(old_spellings_are_read_and_written_anew),
	    TEST(values_survive_with_every_printable_byte),
	    TEST(adm_20_a_store_cut_at_any_byte_is_refused_with_a_line),
	    TEST(adm_20_a_store_with_any_byte_flipped_is_read_or_refused),
	    TEST(adm_20_duplicates_are_refused_with_their_line),
	    TEST(a_store_without_dom0_or_of_another_kind_is_refused),
	    TEST(adm_20_entities_are_refused_before_they_grow),
	    TEST(adm_20_elements_may_be_16_deep_and_not_17),
	    TEST(a_domain_that_cannot_be_used_is_kept_as_it_is),
	    TEST(adm_21_what_is_not_known_is_written_again),
	    TEST(a_value_that_cannot_be_used_gives_way_to_the_default_and_is_kept),
	    TEST(a_lost_netvm_never_becomes_the_default_one),
	    TEST(a_loop_of_networks_is_broken),
	    TEST(meminfo_writer_of_old_stores_is_maxmem),
	    TEST(labels_that_took_each_others_place_are_kept_aside),
	    TEST(meminfo_writer_of_dom0_means_nothing),
	    TEST(what_is_kept_is_utf_8_also_from_a_file_that_does_not_say_so),
	    FILE_TEST(an_empty_folder_becomes_a_fresh_store_of_mode_0660),
	    FILE_TEST(adm_19_a_second_daemon_on_the_store_is_refused),
	    FILE_TEST(adm_19_a_store_replaced_under_us_is_not_overwritten),
	    FILE_TEST(adm_19_a_symbolic_link_is_no_store),
	    FILE_TEST(a_truncated_store_offers_the_last_good_copy_and_changes_nothing),
	    FILE_TEST(a_store_that_has_gone_is_not_made_anew_over_its_copies),
	    FILE_TEST(five_generations_are_kept_and_no_two_alike),
	    FILE_TEST(changes_made_together_are_one_write),
	    FILE_TEST(a_change_during_a_write_goes_into_the_next_one),
	    FILE_TEST(what_is_dirty_at_the_end_is_written),
	    FILE_TEST(checking_takes_no_lock_and_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
