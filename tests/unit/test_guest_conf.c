#include "tests/unit/unit.h"

#include "shared/guest_conf.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define REQUIRED                                                                                   \
	"name=work\nuuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\ntype=AppVM\nxid=3\n"                \
	"default-user=user\n"

static int
parse(const char *text, struct guest_conf *ret, unsigned *ret_line)
{
	return guest_conf_parse(text, strlen(text), ret, ret_line);
}

static void
guest_conf_reads_every_key(void **state)
{
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(parse(REQUIRED "gui-domain-xid=0\nkeyboard-layout=de+nodeadkeys+\n"
					"debug=1\nprivileged=1\n",
			     &conf, &line),
	    0);
	assert_string_equal(conf.name, "work");
	assert_string_equal(conf.uuid, "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21");
	assert_string_equal(conf.type, "AppVM");
	assert_int_equal(conf.xid, 3);
	assert_string_equal(conf.default_user, "user");
	assert_int_equal(conf.gui_domain, 0);
	assert_string_equal(conf.keyboard_layout, "de+nodeadkeys+");
	assert_true(conf.debug);
	assert_true(conf.privileged);
}

static void
guest_conf_without_optional_keys_has_no_gui_and_no_privilege(void **state)
{
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(parse(REQUIRED, &conf, &line), 0);
	assert_int_equal(conf.gui_domain, -1);
	assert_string_equal(conf.keyboard_layout, "");
	assert_false(conf.debug);
	assert_false(conf.privileged);
}

static void
guest_conf_knows_a_gui_domain_that_comes_later(void **state)
{
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(parse(REQUIRED "gui-domain-xid=later\n", &conf, &line), 0);
	assert_int_equal(conf.gui_domain, GUEST_CONF_GUI_LATER);
	assert_int_equal(parse(REQUIRED "gui-domain-xid=-2\n", &conf, &line), -EINVAL);
	assert_int_equal(parse(REQUIRED "gui-domain-xid=Later\n", &conf, &line), -EINVAL);
}

static void
guest_conf_services_are_names_and_no_paths(void **state)
{
	static const char *const wrong[] = {"a/b", "..", ".a", "-a", "a  b", " a", "a\tb"};
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(parse(REQUIRED "services=guivm my.service_2\n", &conf, &line), 0);
	assert_true(guest_conf_has_service(&conf, "guivm"));
	assert_true(guest_conf_has_service(&conf, "my.service_2"));
	assert_false(guest_conf_has_service(&conf, "gui"));
	assert_false(guest_conf_has_service(&conf, "guivm my.service_2"));
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *text = g_strdup_printf("%sservices=%s\n", REQUIRED, wrong[i]);

		assert_int_equal(parse(text, &conf, &line), -EINVAL);
	}
}

static void
guest_conf_service_names_have_a_limit(void **state)
{
	g_autofree char *longest = g_strnfill(GUEST_CONF_SERVICE_MAX, 'a');
	g_autofree char *longer = g_strnfill(GUEST_CONF_SERVICE_MAX + 1, 'a');

	(void)state;
	assert_true(guest_conf_is_service(longest));
	assert_false(guest_conf_is_service(longer));
	assert_false(guest_conf_is_service(""));
}

static void
guest_conf_needs_each_required_key(void **state)
{
	static const char *const lines[] = {"name=work\n",
	    "uuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\n", "type=AppVM\n", "xid=3\n",
	    "default-user=user\n"};
	struct guest_conf conf;
	unsigned line;

	(void)state;
	for (size_t left_out = 0; left_out < 5; left_out++) {
		char text[512] = "";

		for (size_t i = 0; i < 5; i++)
			if (i != left_out)
				strcat(text, lines[i]);
		assert_int_equal(parse(text, &conf, &line), -EINVAL);
		assert_int_equal(line, 0);
	}
}

static void
guest_conf_refuses_wrong_lines_by_number(void **state)
{
	static const char *const wrong[] = {
	    "no equals sign\n",
	    "=value\n",
	    "\n",
	    "name=again\n",
	    "gui-domain-xid=-1\n",
	    "gui-domain-xid=2147483648\n",
	    "gui-domain-xid=\n",
	    "debug=2\n",
	    "debug=10\n",
	    "privileged=yes\n",
	};
	struct guest_conf conf = {.xid = 77};
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512] = REQUIRED;

		strcat(text, wrong[i]);
		assert_int_equal(parse(text, &conf, &line), -EINVAL);
		assert_int_equal(line, 6);
	}
	assert_int_equal(conf.xid, 77);
}

static void
guest_conf_checks_values_of_required_keys(void **state)
{
	static const char *const wrong[] = {
	    "name=../x\n",
	    "uuid=2F1E7B0A-9D53-4F0E-8B5C-7A1C3F0D9E21\n",
	    "type=\n",
	    "xid=0\n",
	    "xid=2147483648\n",
	    "default-user=a/b\n",
	    "default-user=\n",
	    "default-user=.\n",
	};
	struct guest_conf conf;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i], &conf, &line), -EINVAL);
		assert_int_equal(line, 1);
	}
}

static void
guest_conf_takes_the_largest_numbers(void **state)
{
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(parse("name=work\nuuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\ntype=AppVM\n"
			       "xid=2147483647\ndefault-user=user\ngui-domain-xid=2147483647",
			     &conf, &line),
	    0);
	assert_int_equal(conf.xid, 2147483647);
	assert_int_equal(conf.gui_domain, 2147483647);
}

static void
guest_conf_skips_keys_of_a_newer_host(void **state)
{
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(parse(REQUIRED "colour-of-the-sky=blue\n", &conf, &line), 0);
}

static void
guest_conf_refuses_a_nul_and_a_file_too_long(void **state)
{
	static char text[GUEST_CONF_MAX + 1];
	struct guest_conf conf;
	unsigned line;
	size_t len = strlen(REQUIRED);

	(void)state;
	memcpy(text, REQUIRED, len);
	memset(text + len, 'x', sizeof(text) - len);
	memcpy(text + len, "pad=", 4);
	assert_int_equal(guest_conf_parse(text, GUEST_CONF_MAX, &conf, &line), 0);
	assert_int_equal(guest_conf_parse(text, GUEST_CONF_MAX + 1, &conf, &line), -EINVAL);
	text[len + 10] = '\0';
	assert_int_equal(guest_conf_parse(text, GUEST_CONF_MAX, &conf, &line), -EINVAL);
	assert_int_equal(line, 6);
}

/* --- time and seed --------------------------------------------------------------------------- */

#define HEX_56 "00112233445566778899aabbccddeeffFEDCBA9876543210a5a5a5a5"
#define HEX_128 HEX_56 HEX_56 "0123456789abcdef"

static int
parse_with(const char *line, struct guest_conf *ret)
{
	g_autofree char *text = g_strconcat(REQUIRED, line, NULL);
	unsigned number;
	int r = parse(text, ret, &number);

	assert_int_equal(number, r == 0 ? 0 : 6);
	return r;
}

static void
guest_conf_has_no_time_and_no_seed_of_its_own(void **state)
{
	struct guest_conf conf;

	(void)state;
	assert_int_equal(parse_with("", &conf), 0);
	assert_false(conf.fresh.has_time);
	assert_false(conf.fresh.has_seed);
}

static void
guest_conf_time_has_seconds_and_nine_digits(void **state)
{
	static const char *const wrong[] = {"time=\n", "time=.\n", "time=1\n", "time=1.\n",
	    "time=1.00000000\n", "time=1.0000000000\n", "time=.000000000\n",
	    "time=4294967296.000000000\n", "time=00000000001.000000000\n", "time=-1.000000000\n",
	    "time=+1.000000000\n", "time= 1.000000000\n", "time=1.00000000x\n",
	    "time=1.-00000001\n", "time=0x1.000000000\n", "time=1,000000000\n",
	    "time=1.000000000.\n"};
	struct guest_conf conf = {.xid = 77};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_int_equal(parse_with(wrong[i], &conf), -EINVAL);
	assert_int_equal(conf.xid, 77);
	assert_int_equal(parse_with("time=0.000000000\n", &conf), 0);
	assert_true(conf.fresh.has_time && !conf.fresh.has_seed);
	assert_int_equal(conf.fresh.time_s, 0);
	assert_int_equal(conf.fresh.time_ns, 0);
	assert_int_equal(parse_with("time=4294967295.999999999\n", &conf), 0);
	assert_true(conf.fresh.time_s == UINT32_MAX);
	assert_int_equal(conf.fresh.time_ns, 999999999);
}

static void
guest_conf_seed_is_128_hexadecimal_digits(void **state)
{
	static const char *const wrong[] = {"random-seed=\n", "random-seed=" HEX_56 HEX_56 "\n",
	    "random-seed=" HEX_56 HEX_56 "0123456789abcde\n", "random-seed=" HEX_128 "0\n",
	    "random-seed= " HEX_56 HEX_56 "0123456789abcde\n",
	    "random-seed=" HEX_56 HEX_56 "0123456789abcdeg\n",
	    "random-seed=" HEX_56 HEX_56 "0123456789abcd-1\n"};
	struct guest_conf conf = {.xid = 77};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_int_equal(parse_with(wrong[i], &conf), -EINVAL);
	assert_int_equal(conf.xid, 77);
	assert_int_equal(parse_with("random-seed=" HEX_128 "\n", &conf), 0);
	assert_true(conf.fresh.has_seed && !conf.fresh.has_time);
	assert_int_equal(conf.fresh.seed[0], 0x00);
	assert_int_equal(conf.fresh.seed[15], 0xff);
	assert_int_equal(conf.fresh.seed[16], 0xfe);
	assert_int_equal(conf.fresh.seed[GUEST_CONF_SEED_BYTES - 1], 0xef);
	assert_int_equal(parse_with("random-seed=" HEX_128, &conf), 0);
}

static void
guest_conf_time_and_seed_may_come_once(void **state)
{
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(
	    parse(REQUIRED "time=1.000000000\ntime=1.000000000\n", &conf, &line), -EINVAL);
	assert_int_equal(line, 7);
	assert_int_equal(
	    parse(REQUIRED "random-seed=" HEX_128 "\nrandom-seed=" HEX_128 "\n", &conf, &line),
	    -EINVAL);
	assert_int_equal(line, 7);
}

static void
guest_conf_time_and_seed_are_added_and_taken_out_again(void **state)
{
	static const char *const texts[] = {REQUIRED, REQUIRED "debug=1"};
	struct guest_conf_fresh fresh = {
	    .has_time = true, .has_seed = true, .time_s = UINT32_MAX, .time_ns = 7};
	struct guest_conf conf;
	unsigned line;

	(void)state;
	for (size_t i = 0; i < sizeof(fresh.seed); i++)
		fresh.seed[i] = (uint8_t)(3 + 5 * i);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *with = guest_conf_with_fresh(texts[i], &fresh);
		g_autofree char *without = guest_conf_without_fresh(with);
		g_autofree char *again = guest_conf_without_fresh(texts[i]);

		assert_true(g_str_has_prefix(with, texts[i]));
		assert_in_range(
		    strlen(with), strlen(texts[i]) + 1, strlen(texts[i]) + GUEST_CONF_FRESH_MAX);
		assert_int_equal(parse(with, &conf, &line), 0);
		assert_true(conf.fresh.has_time && conf.fresh.has_seed);
		assert_true(conf.fresh.time_s == UINT32_MAX);
		assert_int_equal(conf.fresh.time_ns, 7);
		assert_memory_equal(conf.fresh.seed, fresh.seed, sizeof(fresh.seed));
		assert_null(strstr(without, "time="));
		assert_null(strstr(without, "random-seed="));
		assert_true(g_str_has_prefix(without, texts[i]));
		assert_in_range(
		    strlen(without), strlen(texts[i]), strlen(texts[i]) + 1); /* a line feed */
		assert_string_equal(again, texts[i]);
	}
}

static void
guest_conf_lines_are_taken_out_wherever_they_are(void **state)
{
	g_autofree char *some =
	    guest_conf_without_fresh("time=1\nname=a\ntimes=2\nrandom-seed=3\nx=time=\ntime=4");
	g_autofree char *none = guest_conf_without_fresh("");
	g_autofree char *all = guest_conf_without_fresh("random-seed=");

	(void)state;
	assert_string_equal(some, "name=a\ntimes=2\nx=time=\n");
	assert_string_equal(none, "");
	assert_string_equal(all, "");
}

static const struct guest_conf_facts sample = {
    .name = "work",
    .uuid = "2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21",
    .type = "AppVM",
    .default_user = "user",
    .keyboard_layout = "de+nodeadkeys+",
    .xid = 40000,
    .gui_domain = 0,
    .debug = true,
    .privileged = true,
};

static void
guest_conf_is_written_as_it_is_read(void **state)
{
	g_autofree char *text = NULL;
	struct guest_conf conf;
	unsigned line;

	(void)state;
	assert_int_equal(guest_conf_format(&sample, &text), 0);
	assert_string_equal(text,
	    "name=work\nuuid=2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21\ntype=AppVM\nxid=40000\n"
	    "default-user=user\ngui-domain-xid=0\nkeyboard-layout=de+nodeadkeys+\ndebug=1\n"
	    "privileged=1\n");
	assert_int_equal(parse(text, &conf, &line), 0);
	assert_int_equal(conf.xid, 40000);
	assert_int_equal(conf.gui_domain, 0);
	assert_true(conf.debug && conf.privileged);
}

static void
guest_conf_leaves_out_what_is_not_known(void **state)
{
	struct guest_conf_facts facts = sample;
	g_autofree char *text = NULL;

	(void)state;
	facts.xid = 0;
	facts.gui_domain = -1;
	assert_int_equal(guest_conf_format(&facts, &text), 0);
	assert_null(strstr(text, "xid"));
}

static void
guest_conf_with_a_value_that_would_not_come_back_is_not_written(void **state)
{
	g_autofree char *longest = g_strnfill(255, 'x');
	g_autofree char *too_long = g_strnfill(256, 'x');
	struct guest_conf_facts facts = sample;
	char *text = NULL;

	(void)state;
	facts.keyboard_layout = "us\nprivileged=1";
	assert_int_equal(guest_conf_format(&facts, &text), -EINVAL);
	facts.keyboard_layout = "us\n";
	assert_int_equal(guest_conf_format(&facts, &text), -EINVAL);
	facts.keyboard_layout = too_long;
	assert_int_equal(guest_conf_format(&facts, &text), -EINVAL);
	facts.keyboard_layout = longest;
	facts.name = "a/b";
	assert_int_equal(guest_conf_format(&facts, &text), -EINVAL);
	facts.name = "work";
	facts.xid = (uint32_t)G_MAXINT32 + 1;
	assert_int_equal(guest_conf_format(&facts, &text), -EINVAL);
	assert_null(text);
	facts.xid = G_MAXINT32;
	assert_int_equal(guest_conf_format(&facts, &text), 0);
	g_free(text);
}

static void
guest_conf_that_is_written_leaves_room_for_time_and_seed(void **state)
{
	g_autofree char *name = g_strnfill(31, 'n');
	g_autofree char *word = g_strnfill(31, 'w');
	g_autofree char *layout = g_strnfill(255, 'l');
	struct guest_conf_facts facts = sample;
	GString *services = g_string_new(NULL);
	g_autofree char *text = NULL;

	(void)state;
	while (services->len < 1023)
		g_string_append(services, services->len % 64 == 63 ? " " : "s");
	facts.name = name;
	facts.type = facts.default_user = word;
	facts.keyboard_layout = layout;
	facts.services = services->str;
	facts.xid = G_MAXINT32;
	facts.gui_domain = G_MAXINT32;
	assert_int_equal(guest_conf_format(&facts, &text), 0);
	assert_in_range(strlen(text), 1400, GUEST_CONF_FORMAT_MAX);
	g_string_append_c(services, 's');
	facts.services = services->str;
	assert_int_equal(guest_conf_format(&facts, &text), -EINVAL);
	g_string_free(services, TRUE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(guest_conf_reads_every_key),
	    cmocka_unit_test(guest_conf_without_optional_keys_has_no_gui_and_no_privilege),
	    cmocka_unit_test(guest_conf_knows_a_gui_domain_that_comes_later),
	    cmocka_unit_test(guest_conf_services_are_names_and_no_paths),
	    cmocka_unit_test(guest_conf_service_names_have_a_limit),
	    cmocka_unit_test(guest_conf_needs_each_required_key),
	    cmocka_unit_test(guest_conf_refuses_wrong_lines_by_number),
	    cmocka_unit_test(guest_conf_checks_values_of_required_keys),
	    cmocka_unit_test(guest_conf_takes_the_largest_numbers),
	    cmocka_unit_test(guest_conf_skips_keys_of_a_newer_host),
	    cmocka_unit_test(guest_conf_refuses_a_nul_and_a_file_too_long),
	    cmocka_unit_test(guest_conf_has_no_time_and_no_seed_of_its_own),
	    cmocka_unit_test(guest_conf_time_has_seconds_and_nine_digits),
	    cmocka_unit_test(guest_conf_seed_is_128_hexadecimal_digits),
	    cmocka_unit_test(guest_conf_time_and_seed_may_come_once),
	    cmocka_unit_test(guest_conf_time_and_seed_are_added_and_taken_out_again),
	    cmocka_unit_test(guest_conf_lines_are_taken_out_wherever_they_are),
	    cmocka_unit_test(guest_conf_is_written_as_it_is_read),
	    cmocka_unit_test(guest_conf_leaves_out_what_is_not_known),
	    cmocka_unit_test(guest_conf_with_a_value_that_would_not_come_back_is_not_written),
	    cmocka_unit_test(guest_conf_that_is_written_leaves_room_for_time_and_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
