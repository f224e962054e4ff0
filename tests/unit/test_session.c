#include "qubesd/tools/session/backoff.h"
#include "qubesd/tools/session/display.h"
#include "qubesd/tools/session/guid_conf.h"
#include "qubesd/tools/session/wanted.h"
#include "tests/unit/unit.h"

#include <string.h>

/* --- guid_conf --- */

/* The file made of one feature of the qube and one of the GUI domain; NULL: none. */
static char *
conf(const char *feature, const char *value, const char *default_name, const char *default_value,
    guint *ret_problems)
{
	g_autoptr(GHashTable) features = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) defaults = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
	char *text;

	if (feature != NULL)
		g_hash_table_insert(features, (gpointer)feature, (gpointer)value);
	if (default_name != NULL)
		g_hash_table_insert(defaults, (gpointer)default_name, (gpointer)default_value);
	text = guid_conf_text(features, defaults, problems);
	if (ret_problems != NULL)
		*ret_problems = problems->len;
	return text;
}

static void
assert_setting(const char *feature, const char *value, const char *line)
{
	g_autofree char *text = NULL;
	g_autofree char *expected = g_strdup_printf("global: {\n%s};\n", line != NULL ? line : "");
	guint problems;

	text = conf(feature, value, NULL, NULL, &problems);
	assert_string_equal(text, expected);
	assert_int_equal(problems, line != NULL ? 0 : 1);
}

static void
no_features_make_an_empty_group(void **state)
{
	g_autofree char *text = conf(NULL, NULL, NULL, NULL, NULL);

	(void)state;
	assert_string_equal(text, "global: {\n};\n");
}

static void
the_qube_goes_before_the_gui_domain(void **state)
{
	g_autofree char *own =
	    conf("gui-allow-fullscreen", "", "gui-default-allow-fullscreen", "1", NULL);
	g_autofree char *fallback = conf(NULL, NULL, "gui-default-allow-fullscreen", "1", NULL);

	(void)state;
	assert_string_equal(own, "global: {\n  allow_fullscreen = false;\n};\n");
	assert_string_equal(fallback, "global: {\n  allow_fullscreen = true;\n};\n");
}

static void
numbers_are_bounded_on_both_sides(void **state)
{
	(void)state;
	assert_setting("gui-max-clipboard-size", "256", "  max_clipboard_size = 256;\n");
	assert_setting("gui-max-clipboard-size", "256000", "  max_clipboard_size = 256000;\n");
	assert_setting("gui-max-clipboard-size", "255", NULL);
	assert_setting("gui-max-clipboard-size", "256001", NULL);
	assert_setting("gui-events-max-delay", "0", "  events_max_delay = 0;\n");
	assert_setting("gui-events-max-delay", "5001", NULL);
	assert_setting("gui-startup-timeout", "-1", NULL);
	assert_setting("gui-startup-timeout", "1; log_level = 2", NULL);
	assert_setting("gui-windows-count-limit", "0", NULL);
	assert_setting("gui-windows-count-limit", "1", "  windows_count_limit = 1;\n");
}

static void
choices_are_words_of_the_list(void **state)
{
	(void)state;
	assert_setting("gui-override-redirect", "disable", "  override_redirect = \"disabled\";\n");
	assert_setting("gui-override-redirect", "allow", "  override_redirect = \"allow\";\n");
	assert_setting("gui-override-redirect", "Allow", NULL);
	assert_setting("gui-override-redirect", "", NULL);
	assert_setting(
	    "gui-trayicon-mode", "tint+border1", "  trayicon_mode = \"tint+border1\";\n");
	assert_setting("gui-trayicon-mode", "tint+", NULL);
}

static void
sequences_are_modifiers_and_a_key(void **state)
{
	(void)state;
	assert_setting("gui-secure-copy-sequence", "Ctrl-Shift-c",
	    "  secure_copy_sequence = \"Ctrl-Shift-c\";\n");
	assert_setting("gui-secure-copy-sequence", "Mod4-Page_Up",
	    "  secure_copy_sequence = \"Mod4-Page_Up\";\n");
	assert_setting(
	    "gui-secure-paste-sequence", "none", "  secure_paste_sequence = \"none\";\n");
	assert_setting("gui-secure-copy-sequence", "c", NULL);
	assert_setting("gui-secure-copy-sequence", "Ctrl-", NULL);
	assert_setting("gui-secure-copy-sequence", "Hyper-c", NULL);
	assert_setting("gui-secure-copy-sequence", "Ctrl-\"; x = \"", NULL);
}

static void
colours_are_hexadecimal_or_a_name(void **state)
{
	(void)state;
	assert_setting(
	    "gui-window-background-color", "0x123", "  window_background_color = \"0x123\";\n");
	assert_setting("gui-window-background-color", "0x12aBcf",
	    "  window_background_color = \"0x12aBcf\";\n");
	assert_setting("gui-window-background-color", "light blue",
	    "  window_background_color = \"light blue\";\n");
	assert_setting("gui-window-background-color", "0x1234", NULL);
	assert_setting("gui-window-background-color", "0x12345g", NULL);
	assert_setting("gui-window-background-color", "red\n", NULL);
}

static void
quoting_leaves_nothing_that_could_end_the_string(void **state)
{
	g_autofree char *quoted = guid_conf_quote("a\"b\\c\n\x01\xff");

	(void)state;
	assert_string_equal(quoted, "\"a\\\"b\\\\c\\x0a\\x01\\xff\"");
}

/* --- wanted --- */

static struct wanted_qube
running_qube(void)
{
	return (struct wanted_qube){
	    .name = (char *)"work",
	    .klass = (char *)"AppVM",
	    .label = (char *)"blue",
	    .icon = (char *)"appvm-blue",
	    .guivm = (char *)"dom0",
	    .colour = (char *)"0x3465a4",
	    .label_index = 6,
	    .xid = 7,
	    .gui = true,
	};
}

static void
a_running_qube_of_this_gui_domain_gets_a_daemon(void **state)
{
	struct wanted_qube qube = running_qube();

	(void)state;
	assert_int_equal(wanted_verdict(&qube, "dom0"), WANTED_DAEMON);
	assert_int_equal(wanted_verdict(&qube, "sys-gui"), WANTED_NO);
	qube.guivm = (char *)"sys-gui";
	assert_int_equal(wanted_verdict(&qube, "dom0"), WANTED_NO);
	assert_int_equal(wanted_verdict(&qube, "sys-gui"), WANTED_DAEMON);
	qube.guivm = (char *)"";
	assert_int_equal(wanted_verdict(&qube, "dom0"), WANTED_NO);
}

static void
no_daemon_for_qubes_that_are_off_or_without_windows(void **state)
{
	struct wanted_qube off = running_qube();
	struct wanted_qube no_gui = running_qube();
	struct wanted_qube preload = running_qube();
	struct wanted_qube admin = running_qube();

	(void)state;
	off.xid = -1;
	no_gui.gui = false;
	preload.is_preload = true;
	admin.klass = (char *)"AdminVM";
	assert_int_equal(wanted_verdict(&off, "dom0"), WANTED_NO);
	off.xid = 0;
	assert_int_equal(wanted_verdict(&off, "dom0"), WANTED_NO);
	assert_int_equal(wanted_verdict(&no_gui, "dom0"), WANTED_NO);
	assert_int_equal(wanted_verdict(&preload, "dom0"), WANTED_NO);
	assert_int_equal(wanted_verdict(&admin, "dom0"), WANTED_NO);
}

static void
qubes_whose_label_cannot_be_read_are_refused(void **state)
{
	static const char *const colours[] = {NULL, "", "red", "0x12345", "0x1234567", "0x12345g"};
	struct wanted_qube qube = running_qube();

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(colours); i++) {
		qube.colour = (char *)colours[i];
		assert_int_equal(wanted_verdict(&qube, "dom0"), WANTED_REFUSED);
	}
	qube = running_qube();
	qube.label_index = 0;
	assert_int_equal(wanted_verdict(&qube, "dom0"), WANTED_REFUSED);
	qube = running_qube();
	qube.name = (char *)"-d";
	assert_int_equal(wanted_verdict(&qube, "dom0"), WANTED_REFUSED);
}

static void
a_daemon_is_replaced_when_what_it_was_told_changes(void **state)
{
	struct wanted_qube a = running_qube();
	struct wanted_qube label = running_qube();
	struct wanted_qube xid = running_qube();
	struct wanted_qube guivm = running_qube();

	(void)state;
	label.colour = (char *)"0xcc0000";
	xid.xid = 8;
	guivm.guivm = (char *)"other";
	assert_true(wanted_is_same(&a, &a));
	assert_false(wanted_is_same(&a, &label));
	assert_false(wanted_is_same(&a, &xid));
	assert_true(wanted_is_same(&a, &guivm));
}

static void
the_command_line_holds_what_was_read(void **state)
{
	struct wanted_qube qube = running_qube();
	g_auto(GStrv) argv = wanted_argv(&qube, "qubes-guid", "/r/guid-conf.7", true, false);
	g_autofree char *joined = g_strjoinv(" ", argv);
	g_auto(GStrv) debug_argv = NULL;
	g_autofree char *debug_joined = NULL;

	(void)state;
	assert_string_equal(joined, "qubes-guid -f -N work -c 0x3465a4 -i "
				    "/usr/share/icons/hicolor/128x128/devices/appvm-blue.png -l 6 "
				    "-q -C /r/guid-conf.7 -d 7");
	qube.debug = true;
	qube.qrexec_clipboard = true;
	debug_argv = wanted_argv(&qube, "qubes-guid", "c", false, false);
	debug_joined = g_strjoinv(" ", debug_argv);
	assert_non_null(strstr(debug_joined, " -v -v -Q -C c -d 7"));
	assert_null(strstr(debug_joined, " -f"));
}

/* --- backoff --- */

static void
the_wait_doubles_up_to_five_seconds(void **state)
{
	static const int64_t expected[] = {200, 400, 800, 1600, 3200, 5000, 5000};
	struct backoff backoff = {0};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		assert_int_equal(backoff_next(&backoff, 1000 + (int64_t)i, 0, false), expected[i]);
}

static void
a_program_that_ran_well_starts_from_the_beginning(void **state)
{
	struct backoff backoff = {0};

	(void)state;
	backoff_next(&backoff, 1000, 0, false);
	assert_int_equal(backoff_next(&backoff, 2000, BACKOFF_HEALTHY_MS - 1, false), 400);
	assert_int_equal(backoff_next(&backoff, 3000, BACKOFF_HEALTHY_MS, false), 200);
}

static void
three_failures_within_a_minute_are_enough(void **state)
{
	struct backoff at_limit = {0};
	struct backoff beyond = {0};
	struct backoff others = {0};

	(void)state;
	assert_int_equal(backoff_next(&at_limit, 1000, 0, true), 200);
	assert_int_equal(backoff_next(&at_limit, 2000, 0, true), 400);
	assert_int_equal(backoff_next(&at_limit, 1000 + BACKOFF_FAILURES_MS, 0, true), -1);

	backoff_next(&beyond, 1000, 0, true);
	backoff_next(&beyond, 2000, 0, true);
	assert_int_equal(backoff_next(&beyond, 1001 + BACKOFF_FAILURES_MS, 0, true), 800);
	assert_int_equal(backoff_next(&beyond, 1500 + BACKOFF_FAILURES_MS, 0, true), -1);

	for (int i = 0; i < 10; i++)
		assert_true(backoff_next(&others, 1000 + i, 0, false) > 0);
}

/* --- display_layout --- */

static void
assert_layout(const char *bytes, size_t len, const char *expected)
{
	g_autofree char *layout = display_layout_text(bytes, len);

	if (expected == NULL)
		assert_null(layout);
	else
		assert_string_equal(layout, expected);
}

static void
the_layout_is_made_of_three_of_the_five_parts(void **state)
{
	static const char plain[] = "evdev\0pc105\0us\0\0";
	static const char full[] = "evdev\0pc105\0de,us\0nodeadkeys,\0ctrl:nocaps";

	(void)state;
	assert_layout(plain, sizeof(plain), "us++");
	assert_layout(full, sizeof(full), "de,us+nodeadkeys,+ctrl:nocaps");
	assert_layout(full, sizeof(full) - 1, "de,us+nodeadkeys,+ctrl:nocaps");
}

static void
what_is_no_layout_is_none(void **state)
{
	static const char none[] = "evdev\0pc105\0\0\0";
	static const char plus[] = "evdev\0pc105\0u+s\0\0";
	static const char control[] = "evdev\0pc105\0us\0a\nb\0";

	(void)state;
	assert_layout("", 0, NULL);
	assert_layout("evdev", 5, NULL);
	assert_layout(none, sizeof(none), NULL);
	assert_layout(plus, sizeof(plus), NULL);
	assert_layout(control, sizeof(control), NULL);
	assert_layout("evdev\0pc105\0us", 14, "us++");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_features_make_an_empty_group),
	    cmocka_unit_test(the_qube_goes_before_the_gui_domain),
	    cmocka_unit_test(numbers_are_bounded_on_both_sides),
	    cmocka_unit_test(choices_are_words_of_the_list),
	    cmocka_unit_test(sequences_are_modifiers_and_a_key),
	    cmocka_unit_test(colours_are_hexadecimal_or_a_name),
	    cmocka_unit_test(quoting_leaves_nothing_that_could_end_the_string),
	    cmocka_unit_test(a_running_qube_of_this_gui_domain_gets_a_daemon),
	    cmocka_unit_test(no_daemon_for_qubes_that_are_off_or_without_windows),
	    cmocka_unit_test(qubes_whose_label_cannot_be_read_are_refused),
	    cmocka_unit_test(a_daemon_is_replaced_when_what_it_was_told_changes),
	    cmocka_unit_test(the_command_line_holds_what_was_read),
	    cmocka_unit_test(the_wait_doubles_up_to_five_seconds),
	    cmocka_unit_test(a_program_that_ran_well_starts_from_the_beginning),
	    cmocka_unit_test(three_failures_within_a_minute_are_enough),
	    cmocka_unit_test(the_layout_is_made_of_three_of_the_five_parts),
	    cmocka_unit_test(what_is_no_layout_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
