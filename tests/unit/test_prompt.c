#include "prompt/arming.h"
#include "prompt/clean_env.h"
#include "prompt/queue.h"
#include "prompt/request_decode.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

/* --- arming --------------------------------------------------------------------------------- */

#define LOOK_US 50000

static struct arming arming;
static int64_t now_us;
static const struct arming_view good = {
    .focused = true, .visible = true, .quiet = true, .x = 10, .y = 20, .width = 400, .height = 300};

static int
begin(void **state)
{
	(void)state;
	arming_init(&arming);
	now_us = 1000;
	return 0;
}

static bool
look(struct arming_view view)
{
	now_us += LOOK_US;
	return arming_look(&arming, now_us, &view);
}

/* Looks at the same view for so long; true when it ends up armed. */
static bool
look_for(struct arming_view view, int64_t duration_us)
{
	int64_t end = now_us + duration_us;
	bool armed = false;

	while (now_us < end)
		armed = look(view);
	return armed;
}

static void
arm(void)
{
	assert_true(look_for(good, 2 * ARMING_US));
}

static void
prm_01_it_is_armed_after_a_whole_second_and_not_before(void **state)
{
	struct arming_view view = good;

	(void)state;
	assert_false(arming_look(&arming, 0, &view)); /* the first look knows no place yet */
	assert_false(arming_look(&arming, 1, &view)); /* the second begins here */
	assert_false(arming_look(&arming, ARMING_US, &view));
	assert_true(arming_look(&arming, ARMING_US + 1, &view));
}

static void
prm_01_any_key_starts_the_second_again(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_false(look_for(good, ARMING_US - 2 * LOOK_US));
		arming_touch(&arming);
	}
	assert_true(look_for(good, ARMING_US + 2 * LOOK_US));
}

static void
prm_02_a_key_that_is_held_must_be_released_for_a_second(void **state)
{
	struct arming_view held = good;

	(void)state;
	held.quiet = false;
	assert_false(look_for(held, 10 * ARMING_US));
	assert_false(look_for(good, ARMING_US - LOOK_US));
	assert_false(look(held));
	assert_false(look_for(good, ARMING_US - LOOK_US));
	assert_true(look_for(good, 3 * LOOK_US));
}

static void
prm_03_it_is_disarmed_at_once_when_it_is_covered_and_needs_another_second(void **state)
{
	struct arming_view covered = good;

	(void)state;
	covered.visible = false;
	arm();
	assert_false(look(covered));
	assert_false(look_for(good, ARMING_US - LOOK_US));
	assert_true(look_for(good, 3 * LOOK_US));
	assert_false(look_for(covered, 10 * ARMING_US));
}

static void
prm_05_moving_or_resizing_starts_the_second_again(void **state)
{
	struct arming_view changed[] = {good, good, good, good};

	(void)state;
	changed[0].x++;
	changed[1].y++;
	changed[2].width++;
	changed[3].height++;
	for (size_t i = 0; i < G_N_ELEMENTS(changed); i++) {
		arm();
		assert_false(look(changed[i]));
		assert_false(look_for(changed[i], ARMING_US - LOOK_US));
		assert_true(look_for(changed[i], 3 * LOOK_US));
	}
}

static void
prm_06_focus_that_flickers_never_arms(void **state)
{
	struct arming_view unfocused = good;

	(void)state;
	unfocused.focused = false;
	for (int i = 0; i < 200; i++) {
		assert_false(look(good));
		assert_false(look(i % 2 == 0 ? unfocused : good));
	}
	arm();
	assert_false(look(unfocused));
	arm();
	arming_disarm(&arming); /* lost and regained between two looks */
	assert_false(look(good));
}

static void
w03_keys_do_not_disarm_once_it_is_armed(void **state)
{
	struct arming_view typing = good;

	(void)state;
	typing.quiet = false;
	arm();
	arming_touch(&arming);
	assert_true(look(typing));
	assert_true(look_for(good, ARMING_US));
}

/* --- the queue ------------------------------------------------------------------------------ */

static void
prm_10_sources_take_turns_however_much_one_of_them_asks(void **state)
{
	struct queue *queue = queue_new();
	char a1, a2, a3, b1, c1;

	(void)state;
	queue_push(queue, "a", &a1);
	queue_push(queue, "a", &a2);
	queue_push(queue, "a", &a3);
	queue_push(queue, "b", &b1);
	assert_int_equal(queue_length(queue), 4);
	assert_ptr_equal(queue_pop(queue), &a1);
	queue_push(queue, "c", &c1);
	assert_ptr_equal(queue_pop(queue), &b1);
	assert_ptr_equal(queue_pop(queue), &a2);
	assert_ptr_equal(queue_pop(queue), &c1);
	assert_ptr_equal(queue_pop(queue), &a3);
	assert_null(queue_pop(queue));
	assert_int_equal(queue_length(queue), 0);
	queue_free(queue);
}

static void
prm_11_what_is_withdrawn_never_comes(void **state)
{
	struct queue *queue = queue_new();
	char a1, a2, b1;

	(void)state;
	queue_push(queue, "a", &a1);
	queue_push(queue, "a", &a2);
	queue_push(queue, "b", &b1);
	queue_remove(queue, &b1);
	queue_remove(queue, &a1);
	queue_remove(queue, &a1);
	assert_int_equal(queue_length(queue), 1);
	assert_ptr_equal(queue_pop(queue), &a2);
	assert_null(queue_pop(queue));
	queue_free(queue);
}

/* --- requests ------------------------------------------------------------------------------- */

#define HEAD "policy.Ask dom0 name dom0"
#define FIELDS(source, service, argument, targets, preselected)                                    \
	"{\"source\": \"" source "\", \"service\": \"" service "\", \"argument\": \"" argument     \
	"\", \"targets\": [" targets "], \"default_target\": \"" preselected                       \
	"\", \"icons\": {\"work\": \"appvm-blue\", \"red\": \"appvm-red\", "                       \
	"\"@dispvm:base\": \"dispvm-red\", \"Zulu\": \"appvm-black\"}, "                           \
	"\"colors\": {\"work\": \"0x0000ff\", \"red\": \"red\"}}"

static int
decode(const char *head, const char *json, struct request *ret)
{
	GByteArray *bytes = g_byte_array_new();
	int r;

	g_byte_array_append(bytes, (const guint8 *)head, (guint)strlen(head) + 1);
	g_byte_array_append(bytes, (const guint8 *)json, (guint)strlen(json));
	r = request_decode(untrusted_bytes_of(bytes->data, bytes->len), ret);
	g_byte_array_unref(bytes);
	return r;
}

static void
w02_targets_with_an_icon_are_shown_by_text_in_byte_order(void **state)
{
	static const char json[] = FIELDS("red", "qubes.Filecopy", "+",
	    "\"work\", \"nobody\", \"@dispvm:base\", \"work\", \"Zulu\", \"red\"", "work");
	static const char *const texts[] = {"Disposable VM (base)", "Zulu", "red", "work"};
	struct request request;

	(void)state;
	assert_int_equal(decode(HEAD, json, &request), 0);
	assert_int_equal(request.kind, REQUEST_ASK);
	assert_int_equal(request.ask.targets->len, G_N_ELEMENTS(texts));
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		assert_string_equal(
		    g_array_index(request.ask.targets, struct request_target, i).text, texts[i]);
	assert_string_equal(
	    g_array_index(request.ask.targets, struct request_target, 0).name, "@dispvm:base");
	assert_int_equal(request.ask.default_target, 3);
	assert_null(request.ask.problem);
	assert_true(g_array_index(request.ask.targets, struct request_target, 3).look.has_color);
	assert_int_equal(
	    g_array_index(request.ask.targets, struct request_target, 3).look.color, 0xff);
	assert_false(g_array_index(request.ask.targets, struct request_target, 2).look.has_color);
	request_clear(&request);
}

static void
l15_a_default_target_that_is_not_offered_preselects_nothing_and_says_so(void **state)
{
	static const char *const odd[] = {FIELDS("red", "svc", "+", "\"work\"", "Zulu"),
	    FIELDS("red", "svc", "+", "\"work\", \"red\"", "red"),
	    FIELDS("red", "svc", "+", "\"work\"", "@dispvm")};
	struct request request;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
		assert_int_equal(decode(HEAD, odd[i], &request), 0);
		assert_int_equal(request.ask.default_target, -1);
		assert_non_null(request.ask.problem);
		request_clear(&request);
	}
}

static void
prm_14_only_plain_ascii_names_are_shown(void **state)
{
	static const char *const bad[] = {
	    FIELDS("", "svc", "+", "\"work\"", ""),
	    FIELDS("<b>", "svc", "+", "\"work\"", ""),
	    FIELDS("a b", "svc", "+", "\"work\"", ""),
	    FIELDS("\\u202e", "svc", "+", "\"work\"", ""),
	    FIELDS("red\\u0000x", "svc", "+", "\"work\"", ""),
	    FIELDS("red", "", "+", "\"work\"", ""),
	    FIELDS("red", "s&c", "+", "\"work\"", ""),
	    FIELDS("red", "svc", "", "\"work\"", ""),
	    FIELDS("red", "svc", "x", "\"work\"", ""),
	    FIELDS("red", "svc", "+<", "\"work\"", ""),
	    FIELDS("red", "svc", "+\\n", "\"work\"", ""),
	    FIELDS("red", "svc", "+", "", ""),
	    FIELDS("red", "svc", "+", "\"nobody\"", ""),
	    FIELDS("red", "svc", "+", "\"@anyvm\", \"@dispvm:\", 1", ""),
	    FIELDS("red", "svc", "+", "\"work\"", "") "x",
	    "{\"source\": \"red\"}",
	    "[]",
	    "",
	};
	struct request request = {.kind = 42};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		if (decode(HEAD, bad[i], &request) != -EPROTO)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(request.kind, 42);
	}
}

static void
prm_15_only_the_two_services_are_served(void **state)
{
	static const char json[] = FIELDS("red", "svc", "+", "\"work\"", "");
	static const char *const bad[] = {"", " ", "policy.Asks dom0", "policy.As dom0",
	    "policy.Ask+x dom0", "policy.EvalSimple dom0", "POLICY.ASK dom0", "policy.Ask work",
	    "policy.Ask dom0x", "policy.Ask dom", "policy.Ask work name dom0", "policy.Ask  dom0"};
	static const char *const fine[] = {
	    "policy.Ask", "policy.Ask dom0", "policy.Ask+ dom0", HEAD};
	struct request request;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(decode(bad[i], json, &request), -EPROTO);
	for (size_t i = 0; i < G_N_ELEMENTS(fine); i++) {
		assert_int_equal(decode(fine[i], json, &request), 0);
		request_clear(&request);
	}
	assert_int_equal(request_decode(untrusted_bytes_of("policy.Ask", 10), &request), -EPROTO);
}

static void
prm_15_a_request_of_one_mebibyte_is_read_and_one_byte_more_refused(void **state)
{
	static const char json[] = FIELDS("red", "svc", "+", "\"work\"", "");
	g_autofree char *bytes = g_strnfill(REQUEST_MAX + 1, ' ');
	struct request request;

	(void)state;
	memcpy(bytes, HEAD, strlen(HEAD) + 1);
	memcpy(bytes + strlen(HEAD) + 1, json, strlen(json));
	assert_int_equal(
	    request_decode(untrusted_bytes_of(bytes, REQUEST_MAX + 1), &request), -EPROTO);
	assert_int_equal(request_decode(untrusted_bytes_of(bytes, REQUEST_MAX), &request), 0);
	request_clear(&request);
}

static void
prm_13_an_argument_of_200_characters_is_shown_whole_and_longer_ones_in_two_parts(void **state)
{
	g_autofree char *fits = g_strnfill(200, 'x');
	g_autofree char *longer = g_strnfill(201, 'x');
	g_autofree char *longest = g_strnfill(65000, 'x');
	g_autofree char *a = request_shorten(fits);
	g_autofree char *b = request_shorten(longer);
	g_autofree char *c = request_shorten(longest);

	(void)state;
	assert_string_equal(a, fits);
	assert_true(g_utf8_strlen(b, -1) <= 200 && strstr(b, "\xe2\x80\xa6") != NULL);
	assert_int_equal(strlen(b), strlen(c));
}

static void
w04_a_notification_is_taken_apart(void **state)
{
	static const char *const bad[] = {
	    "{\"resolution\": \"maybe\", \"service\": \"s\", \"argument\": \"+\", \"source\": "
	    "\"a\", \"target\": \"b\"}",
	    "{\"resolution\": \"deny\", \"service\": \"s\", \"argument\": \"+\", \"source\": "
	    "\"a\"}",
	    "{\"resolution\": \"deny\", \"service\": \"s\", \"argument\": \"+\", \"source\": "
	    "\"<i>\", \"target\": \"b\"}",
	};
	struct request request;

	(void)state;
	assert_int_equal(
	    decode("policy.Notify dom0",
		"{\"resolution\": \"deny\", \"service\": \"s\", \"argument\": \"+\", "
		"\"source\": \"a\", \"target\": \"@default\", \"count\": 7, \"message\": \"x y\"}",
		&request),
	    0);
	assert_int_equal(request.kind, REQUEST_NOTIFY);
	assert_int_equal(request.notify.count, 7);
	assert_string_equal(request.notify.message, "x y");
	request_clear(&request);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_int_equal(decode("policy.Notify dom0", bad[i], &request), -EPROTO);
}

/* --- the environment ------------------------------------------------------------------------ */

static const char *
value_in(char **environment, const char *name)
{
	return g_environ_getenv(environment, name);
}

static void
prm_19_only_harmless_variables_stay(void **state)
{
	static const char *const dirty[] = {"DISPLAY=:1", "LD_PRELOAD=x", "GTK_MODULES=x",
	    "GTK_THEME=x", "GTK_PATH=x", "XDG_DATA_DIRS=/tmp", "XDG_CONFIG_HOME=/tmp",
	    "GIO_EXTRA_MODULES=x", "LD_LIBRARY_PATH=/tmp", "GDK_PIXBUF_MODULE_FILE=x", "LANG=C",
	    "PATH=/tmp", "HOME=/root\n", "GTK_IM_MODULE=xim", "G_MESSAGES_DEBUG=all", NULL};
	g_auto(GStrv) clean = clean_env_of(dirty);
	g_auto(GStrv) again = clean_env_of((const char *const *)clean);

	(void)state;
	assert_string_equal(value_in(clean, "DISPLAY"), ":1");
	assert_string_equal(value_in(clean, "LANG"), "C");
	assert_string_equal(value_in(clean, "PATH"), "/usr/bin:/bin");
	assert_string_equal(value_in(clean, "XDG_DATA_DIRS"), "/usr/share");
	assert_null(value_in(clean, "LD_PRELOAD"));
	assert_null(value_in(clean, "LD_LIBRARY_PATH"));
	assert_null(value_in(clean, "GTK_MODULES"));
	assert_null(value_in(clean, "GTK_THEME"));
	assert_null(value_in(clean, "GTK_PATH"));
	assert_null(value_in(clean, "GIO_EXTRA_MODULES"));
	assert_null(value_in(clean, "GDK_PIXBUF_MODULE_FILE"));
	assert_null(value_in(clean, "G_MESSAGES_DEBUG"));
	assert_null(value_in(clean, "HOME")); /* its value could forge a line */
	assert_true(g_strv_equal((const char *const *)clean, (const char *const *)again));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(prm_01_it_is_armed_after_a_whole_second_and_not_before, begin),
	    cmocka_unit_test_setup(prm_01_any_key_starts_the_second_again, begin),
	    cmocka_unit_test_setup(prm_02_a_key_that_is_held_must_be_released_for_a_second, begin),
	    cmocka_unit_test_setup(
		prm_03_it_is_disarmed_at_once_when_it_is_covered_and_needs_another_second, begin),
	    cmocka_unit_test_setup(prm_05_moving_or_resizing_starts_the_second_again, begin),
	    cmocka_unit_test_setup(prm_06_focus_that_flickers_never_arms, begin),
	    cmocka_unit_test_setup(w03_keys_do_not_disarm_once_it_is_armed, begin),
	    cmocka_unit_test(prm_10_sources_take_turns_however_much_one_of_them_asks),
	    cmocka_unit_test(prm_11_what_is_withdrawn_never_comes),
	    cmocka_unit_test(w02_targets_with_an_icon_are_shown_by_text_in_byte_order),
	    cmocka_unit_test(
		l15_a_default_target_that_is_not_offered_preselects_nothing_and_says_so),
	    cmocka_unit_test(prm_14_only_plain_ascii_names_are_shown),
	    cmocka_unit_test(prm_15_only_the_two_services_are_served),
	    cmocka_unit_test(prm_15_a_request_of_one_mebibyte_is_read_and_one_byte_more_refused),
	    cmocka_unit_test(
		prm_13_an_argument_of_200_characters_is_shown_whole_and_longer_ones_in_two_parts),
	    cmocka_unit_test(w04_a_notification_is_taken_apart),
	    cmocka_unit_test(prm_19_only_harmless_variables_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
