/* The options and the configuration file of the GUI daemon. */
#include "gui-daemon/config.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS(...) ((char *[]){"qubes-guid", __VA_ARGS__, NULL})

/* Parses in silence: what is explained on stderr and stdout is for people. */
static int
parse(char **argv, struct config **ret)
{
	int argc = 0, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
	int r;

	while (argv[argc] != NULL)
		argc++;
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	r = config_new(argc, argv, ret);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	close(null);
	return r;
}

static void
refuses(char **argv)
{
	struct config *config = NULL;

	assert_int_equal(parse(argv, &config), -EINVAL);
	assert_null(config);
}

static struct config *
accepts(char **argv)
{
	struct config *config = NULL;

	assert_int_equal(parse(argv, &config), 0);
	return config;
}

static void
number_of_the_domain_and_name_are_needed(void **state)
{
	struct config *config;

	(void)state;
	refuses(ARGUMENTS("-d", "5"));
	refuses(ARGUMENTS("-N", "work"));
	config = accepts(ARGUMENTS("-d", "5", "-N", "work"));
	assert_int_equal(config->domid, 5);
	assert_int_equal(config->target_domid, 5);
	assert_string_equal(config->name, "work");
	assert_string_equal(config->color, "red");
	assert_true(config->title_name);
	assert_false(config->allow_fullscreen);
	config_free(config);
}

static void
domain_lies_within_its_bounds(void **state)
{
	static char *const bad[] = {
	    "0", "2147483648", "-1", "5x", "", " 5", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		refuses(ARGUMENTS("-d", bad[i], "-N", "work"));
	config_free(accepts(ARGUMENTS("-d", "1", "-N", "work")));
	config_free(accepts(ARGUMENTS("-d", "0x7fffffff", "-N", "work")));
	refuses(ARGUMENTS("-d", "5", "-d", "6", "-N", "work"));
}

static void
name_is_that_of_a_qube(void **state)
{
	(void)state;
	refuses(ARGUMENTS("-d", "5", "-N", "1work"));
	refuses(ARGUMENTS("-d", "5", "-N", "../work"));
	refuses(ARGUMENTS("-d", "5", "-N", "a2345678901234567890123456789012"));
	config_free(accepts(ARGUMENTS("-d", "5", "-N", "a234567890123456789012345678901")));
}

static void
nothing_but_options_is_accepted(void **state)
{
	(void)state;
	refuses(ARGUMENTS("-d", "5", "-N", "work", "--"));
	refuses(ARGUMENTS("-d", "5", "-N", "work", "more"));
	refuses(ARGUMENTS("-d", "5", "-N", "work", "--no-such-option"));
	refuses(ARGUMENTS("-d", "5", "-N", "work", "-c"));
}

static void
help_is_no_error(void **state)
{
	struct config *config = NULL;

	(void)state;
	assert_int_equal(parse(ARGUMENTS("-h"), &config), 1);
	assert_int_equal(parse(ARGUMENTS("--version"), &config), 1);
}

static void
options_with_bounds_have_them(void **state)
{
	static const struct {
		const char *option, *value;
		bool ok;
	} cases[] = {
	    {"--border-width", "1", false},
	    {"--border-width", "2", true},
	    {"--border-width", "64", true},
	    {"--border-width", "65", false},
	    {"--max-clipboard-size", "255", false},
	    {"--max-clipboard-size", "256", true},
	    {"--max-clipboard-size", "256000", true},
	    {"--max-clipboard-size", "256001", false},
	    {"--override-redirect", "allow", true},
	    {"--override-redirect", "disabled", true},
	    {"--override-redirect", "disable", true},
	    {"--override-redirect", "no", false},
	    {"--label", "0", true},
	    {"--label", "255", true},
	    {"--label", "256", false},
	    {"-t", "0", false},
	    {"-t", "7", true},
	    {"-p", "X=s:text", true},
	    {"-p", "X=s:", true},
	    {"-p", "X=a:ATOM", true},
	    {"-p", "X=c:1,0x10", true},
	    {"-p", "X=c:1,", false},
	    {"-p", "X=c:4294967296", false},
	    {"-p", "X=q:1", false},
	    {"-p", "X=", false},
	    {"-p", "=s:a", false},
	    {"-p", "X", false},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char **argv = ARGUMENTS(
		    "-d", "5", "-N", "work", (char *)cases[i].option, (char *)cases[i].value);

		if (cases[i].ok)
			config_free(accepts(argv));
		else
			refuses(argv);
	}
}

static void
eleventh_property_is_one_too_many(void **state)
{
	char *argv[1 + 4 + 2 * (CONFIG_MAX_PROPERTIES + 1) + 1] = {
	    "qubes-guid", "-d", "5", "-N", "work"};
	unsigned n = 5;

	(void)state;
	for (unsigned i = 0; i < CONFIG_MAX_PROPERTIES; i++) {
		argv[n++] = "-p";
		argv[n++] = "X=s:y";
	}
	config_free(accepts(argv));
	argv[n++] = "-p";
	argv[n++] = "X=s:y";
	refuses(argv);
}

/* --- the file ----------------------------------------------------------------------------- */

static int
read_text(const char *text, struct config **ret)
{
	g_autofree char *error = NULL;

	*ret = accepts(ARGUMENTS("-d", "5", "-N", "work"));
	return config_read_text(*ret, text, &error);
}

static void
file_sets_what_it_names(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(read_text("global: { allow_fullscreen = true; # comment\n"
				   "override_redirect = \"disabled\"; events_max_delay = 5000;\n"
				   "window_background_color = \"0x102030\"; unknown = 1; };\n"
				   "VM: { work: { allow_utf8_titles = true; }; };",
			     &config),
	    0);
	assert_true(config->allow_fullscreen);
	assert_false(config->allow_override_redirect);
	assert_false(config->allow_utf8_titles);
	assert_int_equal(config->events_max_delay_ms, 5000);
	assert_string_equal(config->window_background_color, "0x102030");
	config_free(config);
}

static void
file_with_a_wrong_value_is_refused(void **state)
{
	static const char *const bad[] = {
	    "global: {",
	    "global: { override_redirect = \"perhaps\"; };",
	    "global: { events_max_delay = 5001; };",
	    "global: { events_max_delay = -1; };",
	    "global: { border_width = 1; };",
	    "global: { startup_timeout = -1; };",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct config *config;

		assert_int_equal(read_text(bad[i], &config), -EINVAL);
		config_free(config);
	}
}

static void
limits_out_of_range_in_the_file_are_ignored(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(
	    read_text(
		"global: { max_clipboard_size = 255; windows_count_limit = 1001; };", &config),
	    0);
	assert_int_equal(config->max_clipboard_bytes, 64000);
	assert_int_equal(config->max_windows, CONFIG_MAX_WINDOWS);
	config_free(config);
	assert_int_equal(
	    read_text(
		"global: { max_clipboard_size = 256; windows_count_limit = 1000; };", &config),
	    0);
	assert_int_equal(config->max_clipboard_bytes, 256);
	config_free(config);
}

static void
border_grows_with_the_density_of_the_screen(void **state)
{
	struct config *config = accepts(ARGUMENTS("-d", "5", "-N", "work"));

	(void)state;
	assert_int_equal(config_border(config, 96), 4);
	assert_int_equal(config_border(config, 48), 2);
	assert_int_equal(config_border(config, 192), 8);
	assert_int_equal(config_border(config, 1), 2);
	config_free(config);
	config = accepts(ARGUMENTS("-d", "5", "-N", "work", "--border-width", "3"));
	assert_int_equal(config_border(config, 192), 3);
	config_free(config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(number_of_the_domain_and_name_are_needed),
	    cmocka_unit_test(domain_lies_within_its_bounds),
	    cmocka_unit_test(name_is_that_of_a_qube),
	    cmocka_unit_test(nothing_but_options_is_accepted),
	    cmocka_unit_test(help_is_no_error),
	    cmocka_unit_test(options_with_bounds_have_them),
	    cmocka_unit_test(eleventh_property_is_one_too_many),
	    cmocka_unit_test(file_sets_what_it_names),
	    cmocka_unit_test(file_with_a_wrong_value_is_refused),
	    cmocka_unit_test(limits_out_of_range_in_the_file_are_ignored),
	    cmocka_unit_test(border_grows_with_the_density_of_the_screen),
	};

	g_setenv("QUBES_CONFIG_DIR", "/nonexistent", TRUE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
