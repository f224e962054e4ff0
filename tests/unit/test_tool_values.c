#include "qubesd/tools/properties.h"
#include "qubesd/tools/run_call.h"
#include "qubesd/tools/run_service.h"
#include "qubesd/tools/show.h"
#include "qubesd/tools/vmexec.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* --- tables --- */

static char *
table_text(const char *const *cells, size_t columns, size_t count)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	FILE *stream = tmpfile();
	char *text;
	long len;

	for (size_t i = 0; i < count; i++) {
		char **row = g_new0(char *, columns + 1);

		for (size_t j = 0; j < columns; j++)
			row[j] = g_strdup(cells[i * columns + j]);
		g_ptr_array_add(rows, row);
	}
	show_table(stream, rows);
	len = ftell(stream);
	rewind(stream);
	text = g_malloc0((size_t)len + 1);
	assert_int_equal(fread(text, 1, (size_t)len, stream), len);
	fclose(stream);
	return text;
}

static void
n04_columns_align_with_two_blanks_and_none_at_the_end(void **state)
{
	static const char *const cells[] = {
	    "NAME", "STATE", "x", "long-name", "-", "", "a", "", "b"};
	g_autofree char *text = table_text(cells, 3, 3);

	(void)state;
	assert_string_equal(text, "NAME       STATE  x\n"
				  "long-name  -\n"
				  "a                 b\n");
}

static void
widths_count_characters_not_bytes(void **state)
{
	static const char *const cells[] = {"└─ä", "x", "abcd", "y"};
	g_autofree char *text = table_text(cells, 2, 2);

	(void)state;
	assert_string_equal(text, "└─ä   x\nabcd  y\n");
}

static void
text_for_a_terminal_holds_no_control_and_no_bidirectional_override(void **state)
{
	g_autofree char *shown = show_text("a\x1b[31m\n\xe2\x80\xae\xff", true);
	g_autofree char *raw = show_text("a\x1b", false);

	(void)state;
	assert_string_equal(shown, "a_[31m___");
	assert_string_equal(raw, "a\x1b");
}

static void
json_strings_are_escaped_and_valid(void **state)
{
	g_autoptr(GString) json = g_string_new(NULL);

	(void)state;
	show_json_string(json, "a\"\\\n\x7f\xc3\xa9\xff");
	assert_string_equal(json->str, "\"a\\\"\\\\\\u000a\\u007f\xc3\xa9\xef\xbf\xbd\"");
	g_string_truncate(json, 0);
	show_json_string(json, NULL);
	assert_string_equal(json->str, "null");
}

/* --- properties --- */

static void
t02_t03_t04_flags_tell_default_set_and_unset(void **state)
{
	static const struct {
		const char *text;
		char flag;
		bool none;
	} cases[] = {
	    {"default=True type=int 400", 'D', false},
	    {"default=False type=int 400", '-', false},
	    {"default=True type=int ", 'U', false},
	    {"default=True type=bool ", 'U', false},
	    {"default=True type=str ", 'D', false},
	    {"default=False type=str ", '-', false},
	    {"default=True type=vm ", 'D', true},
	    {"default=False type=vm ", '-', true},
	    {"default=False type=vm uplink", '-', false},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct property *property = property_parse("p", cases[i].text);

		assert_non_null(property);
		assert_int_equal(property_flag(property), cases[i].flag);
		assert_int_equal(property_is_none(property), cases[i].none);
		property_free(property);
	}
}

static void
what_is_no_property_is_left_out(void **state)
{
	static const char *const bad[] = {
	    "", "default=True", "default=True type=int", "default=Yes type=int 4", "type=int 4"};
	g_autoptr(GPtrArray) properties = properties_parse(
	    "a default=True type=int 4\nrubbish\nb rubbish\n\nc default=True type=str x y");

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_null(property_parse("p", bad[i]));
	assert_int_equal(properties->len, 2);
	assert_string_equal(((struct property *)properties->pdata[1])->name, "c");
	assert_string_equal(((struct property *)properties->pdata[1])->value, "x y");
}

static void
getall_escapes_are_undone(void **state)
{
	struct property *property = properties_pick(
	    "ab default=True type=str no\na default=False type=str x\\ny\\\\n\\z\n", "a");

	(void)state;
	assert_non_null(property);
	assert_string_equal(property->value, "x\ny\\n\\z");
	property_free(property);
	assert_null(properties_pick("ab default=True type=str no\n", "a"));
}

/* --- qvm-run --- */

static void
svc_14_vmexec_encodes_every_byte_as_the_rule_says(void **state)
{
	static const char *const words[] = {"ls", "-l", "a b_c.D", "\xc3\xa9+\n", "", NULL};
	static const char *const none[] = {"", NULL};
	g_autofree char *encoded = vmexec_encode(words);
	g_autofree char *empty = vmexec_encode(none);

	(void)state;
	assert_string_equal(encoded, "ls+--l+a-20b_c.D+-C3-A9-2B-0A+");
	assert_string_equal(empty, "");
}

/* The decoder of the protocol page, written down a second time. */
static char *
decode_word(const char **p)
{
	GString *out = g_string_new(NULL);

	for (; **p != '\0' && **p != '+'; (*p)++) {
		if (**p != '-') {
			g_string_append_c(out, **p);
		} else if ((*p)[1] == '-') {
			g_string_append_c(out, *++*p);
		} else {
			g_string_append_c(out, (char)(g_ascii_xdigit_value((*p)[1]) * 16 +
						      g_ascii_xdigit_value((*p)[2])));
			*p += 2;
		}
	}
	return g_string_free(out, FALSE);
}

static void
svc_14_vmexec_round_trips_every_byte(void **state)
{
	char all[256];
	const char *const words[] = {all, "-", "--", NULL};
	g_autofree char *encoded = NULL;
	const char *p;

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	encoded = vmexec_encode(words);
	p = encoded;
	for (size_t i = 0; words[i] != NULL; i++) {
		g_autofree char *word = decode_word(&p);

		assert_string_equal(word, words[i]);
		assert_int_equal(*p, words[i + 1] != NULL ? '+' : '\0');
		p++;
	}
}

static void
quoted_words_survive_a_shell(void **state)
{
	static const char *const words[] = {"echo", "a'b", "$(x)", "", NULL};
	g_autofree char *quoted = vmexec_quote(words);
	g_auto(GStrv) back = NULL;
	int count;

	(void)state;
	assert_true(g_shell_parse_argv(quoted, &count, &back, NULL));
	assert_int_equal(count, 4);
	for (int i = 0; i < count; i++)
		assert_string_equal(back[i], words[i]);
}

static void
assert_choice(struct run_wish wish, struct run_traits traits, const char *expected)
{
	struct run_service service;
	g_autofree char *got = NULL;

	run_service_choose(&wish, &traits, &service);
	got = g_strdup_printf("%s|%s|%s", service.service != NULL ? service.service : "-",
	    service.prefix != NULL ? service.prefix : "-",
	    service.command != NULL ? service.command : "-");
	assert_string_equal(got, expected);
	run_service_clear(&service);
}

static void
the_service_follows_from_wish_and_qube(void **state)
{
	static const char *const one[] = {"ls; id", NULL};
	static const char *const two[] = {"ls", "-l", NULL};
	const struct run_traits plain = {0};
	const struct run_traits all = {
	    .gui = true, .vmexec = true, .root_exec = true, .root_shell = true};

	(void)state;
	assert_choice((struct run_wish){.words = one}, plain, "qubes.VMShell|ls; id; exit\n|-");
	assert_choice((struct run_wish){.words = one, .just_exec = true}, all, "-|-|ls; id");
	assert_choice((struct run_wish){.words = one, .is_service = true}, all, "ls; id|-|-");
	assert_choice((struct run_wish){.words = one, .as_root = true}, all,
	    "qubes.VMRootShell|ls; id; exit\n|-");
	assert_choice((struct run_wish){.words = one, .as_root = true}, plain,
	    "qubes.VMShell|ls; id; exit\n|-");
	assert_choice((struct run_wish){.words = one, .disposable = true}, all,
	    "qubes.VMShell+WaitForSession|ls; id; exit\n|-");
	assert_choice(
	    (struct run_wish){.words = one, .no_shell = true}, all, "qubes.VMExec+ls-3B-20id|-|-");
	assert_choice((struct run_wish){.words = two}, plain, "qubes.VMShell|'ls' '-l'; exit\n|-");
	assert_choice((struct run_wish){.words = two, .just_exec = true}, plain, "-|-|'ls' '-l'");
	assert_choice(
	    (struct run_wish){.words = two, .just_exec = true}, all, "qubes.VMExec+ls+--l|-|-");
	assert_choice(
	    (struct run_wish){.words = two, .disposable = true}, all, "qubes.VMExecGUI+ls+--l|-|-");
	assert_choice(
	    (struct run_wish){.words = two, .as_root = true}, all, "qubes.VMRootExec+ls+--l|-|-");
}

static void
assert_argv(char **argv, const char *expected)
{
	g_autofree char *joined = g_strjoinv("|", argv);

	assert_string_equal(joined, expected);
	g_strfreev(argv);
}

static void
the_command_line_of_qrexec_client_follows_the_call(void **state)
{
	const struct run_call full = {
	    .target = "work",
	    .user = "root",
	    .service = "qubes.VMShell",
	    .prefix = "ls; exit\n",
	    .local_command = "cat",
	    .filter_stdout = RUN_FILTER_ON,
	    .filter_stderr = RUN_FILTER_ON,
	};
	const struct run_call service = {
	    .target = "work", .service = "qubes.StartApp+xterm", .just_exec = true};
	const struct run_call command = {
	    .target = "work", .command = "xterm -e top", .just_exec = true};
	const struct run_call tricky = {
	    .target = "work", .command = "QUBESRPC a b", .just_exec = true};

	(void)state;
	assert_argv(run_call_argv(&full, "qrexec-client"),
	    "qrexec-client|-d|work|-t|-T|-l|cat|-p|ls; exit\n|root:QUBESRPC qubes.VMShell+ "
	    "dom0");
	assert_argv(run_call_argv(&service, "c"),
	    "c|-d|work|-e|DEFAULT:QUBESRPC qubes.StartApp+xterm dom0");
	assert_argv(run_call_argv(&command, "c"), "c|-d|work|-e|DEFAULT:xterm -e top");
	assert_argv(run_call_argv(&tricky, "c"), "c|-d|work|-e|DEFAULT: QUBESRPC a b");
}

static void
inside_a_qube_the_call_goes_through_qrexec_client_vm(void **state)
{
	const struct run_call call = {
	    .target = "@dispvm:dvm",
	    .service = "qubes.VMShell",
	    .prefix = "ls; exit\n",
	    .local_command = "cat",
	    .filter_stdout = RUN_FILTER_OFF,
	    .filter_stderr = RUN_FILTER_ON,
	};

	(void)state;
	assert_argv(run_call_argv_in_qube(&call, "c"),
	    "c|--no-filter-escape-chars-stdout|--filter-escape-chars-stderr|-p|ls; exit\n|--|"
	    "@dispvm:dvm|qubes.VMShell|/bin/sh|-c|cat");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(n04_columns_align_with_two_blanks_and_none_at_the_end),
	    cmocka_unit_test(widths_count_characters_not_bytes),
	    cmocka_unit_test(text_for_a_terminal_holds_no_control_and_no_bidirectional_override),
	    cmocka_unit_test(json_strings_are_escaped_and_valid),
	    cmocka_unit_test(t02_t03_t04_flags_tell_default_set_and_unset),
	    cmocka_unit_test(what_is_no_property_is_left_out),
	    cmocka_unit_test(getall_escapes_are_undone),
	    cmocka_unit_test(svc_14_vmexec_encodes_every_byte_as_the_rule_says),
	    cmocka_unit_test(svc_14_vmexec_round_trips_every_byte),
	    cmocka_unit_test(quoted_words_survive_a_shell),
	    cmocka_unit_test(the_service_follows_from_wish_and_qube),
	    cmocka_unit_test(the_command_line_of_qrexec_client_follows_the_call),
	    cmocka_unit_test(inside_a_qube_the_call_goes_through_qrexec_client_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
