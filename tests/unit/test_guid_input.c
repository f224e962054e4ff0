/* Input on its way to a qube, up to the bytes; a vchan of the socket transport is the other end. */
#include "gui-daemon/input.h"
#include "gui-daemon/outbox.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define SHIFT 50
#define KEY_A 38
#define KEY_B 56

struct desk {
	char *folder;
	struct vchan *agent, *daemon;
	struct outbox *outbox;
	struct input *input;
	struct window one, two;
	struct gui_reader *reader;
};

static void
pump(struct desk *desk)
{
	vchan_dispatch(desk->agent);
	vchan_dispatch(desk->daemon);
}

static int
set_up(void **state)
{
	static const uint8_t modifiers[] = {0, SHIFT, 0, 62};
	struct desk *desk = g_new0(struct desk, 1);

	desk->folder = g_dir_make_tmp("guid-input-XXXXXX", NULL);
	g_setenv("VCHAN_SOCKET_DIR", desk->folder, TRUE);
	g_setenv("VCHAN_DOMAIN", "5", TRUE);
	assert_int_equal(vchan_listen("socket", 0, 6000, 0, &desk->agent), 0);
	g_setenv("VCHAN_DOMAIN", "0", TRUE);
	assert_int_equal(vchan_connect("socket", 5, 6000, 0, &desk->daemon), 0);
	for (unsigned i = 0; i < 200 && vchan_state(desk->daemon) != VCHAN_CONNECTED; i++) {
		pump(desk);
		g_usleep(5000);
	}
	desk->outbox = outbox_new(NULL, NULL);
	desk->input = input_new(NULL, desk->outbox);
	input_set_modifiers(desk->input, modifiers, sizeof(modifiers));
	desk->reader = gui_reader_new(GUI_SENDER_DAEMON);
	desk->one.id.id = 1;
	desk->two.id.id = 2;
	*state = desk;
	return 0;
}

static int
tear_down(void **state)
{
	struct desk *desk = *state;

	gui_reader_free(desk->reader);
	input_free(desk->input);
	outbox_free(desk->outbox);
	vchan_close(desk->daemon);
	vchan_close(desk->agent);
	g_rmdir(desk->folder);
	g_free(desk->folder);
	g_free(desk);
	return 0;
}

static void
describe(GString *text, const struct gui_packet *packet)
{
	struct gui_keypress key;
	struct gui_button button;
	struct gui_motion motion;
	struct gui_focus focus;
	struct gui_crossing crossing;

	g_string_append_printf(text, "%s%u:", text->len > 0 ? " " : "", packet->window.id);
	if (packet->type == GUI_KEYPRESS && gui_decode_keypress(packet->untrusted_body, &key) == 0)
		g_string_append_printf(text, "%c%u", key.pressed ? '+' : '-', key.keycode);
	else if (packet->type == GUI_BUTTON &&
		 gui_decode_button(packet->untrusted_body, &button) == 0)
		g_string_append_printf(text, "%cb%u", button.pressed ? '+' : '-', button.button);
	else if (packet->type == GUI_MOTION &&
		 gui_decode_motion(packet->untrusted_body, &motion) == 0)
		g_string_append_printf(text, "m%d/%x", motion.x, motion.state);
	else if (packet->type == GUI_FOCUS && gui_decode_focus(packet->untrusted_body, &focus) == 0)
		g_string_append_printf(text, "%s", focus.focused ? "in" : "out");
	else if (packet->type == GUI_CROSSING &&
		 gui_decode_crossing(packet->untrusted_body, &crossing) == 0)
		g_string_append_printf(text, "%s", crossing.entered ? "enter" : "leave");
	else if (packet->type == GUI_KEYMAP_NOTIFY) {
		g_string_append(text, "keys");
		for (unsigned i = 0; i < 256; i++) {
			if ((packet->untrusted_body.raw[i / 8] >> (i % 8)) & 1)
				g_string_append_printf(text, ",%u", i);
		}
	}
}

/* Everything that came at the agent since the last time, in words. */
static char *
received(struct desk *desk)
{
	GString *text = g_string_new(NULL);
	struct gui_packet packet;
	unsigned idle = 0;

	while (idle < 3) {
		size_t len;
		void *space;
		ssize_t n;

		assert_int_equal(outbox_flush(desk->outbox, desk->daemon), 0);
		pump(desk);
		while (gui_reader_next(desk->reader, &packet) > 0)
			describe(text, &packet);
		space = gui_reader_space(desk->reader, &len);
		n = vchan_read(desk->agent, space, len);
		if (n > 0)
			gui_reader_filled(desk->reader, (size_t)n);
		idle = n > 0 ? 0 : idle + 1;
	}
	return g_string_free(text, FALSE);
}

static void
assert_received(struct desk *desk, const char *wanted)
{
	g_autofree char *got = received(desk);

	assert_string_equal(got, wanted);
}

/* FocusIn and the keymap that follows it. */
static void
focus_in(struct desk *desk, struct window *window, uint8_t mode, unsigned down1, unsigned down2)
{
	uint8_t keys[31] = {0};

	if (down1 != 0)
		keys[down1 / 8 - 1] |= (uint8_t)(1u << (down1 % 8));
	if (down2 != 0)
		keys[down2 / 8 - 1] |= (uint8_t)(1u << (down2 % 8));
	input_focus_in(desk->input, window, mode);
	input_keymap(desk->input, keys);
}

static void
key(struct desk *desk, bool pressed, uint8_t code)
{
	input_key(desk->input, &desk->one, pressed, code, 0, 0, 0);
}

/* --- focus and keys ----------------------------------------------------------------------- */

static void
focus_comes_with_modifiers_and_without_other_keys(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, SHIFT, KEY_A);
	assert_received(desk, "0:keys,50 1:in");
}

static void
inp_04_key_down_before_the_focus_is_never_told(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, KEY_A, 0);
	key(desk, true, KEY_A); /* it repeats */
	key(desk, true, KEY_A);
	key(desk, false, KEY_A);
	assert_received(desk, "0:keys 1:in");
	key(desk, true, KEY_A);
	key(desk, false, KEY_A);
	assert_received(desk, "1:+38 1:-38");
}

static void
release_without_a_press_is_not_told(void **state)
{
	struct desk *desk = *state;

	key(desk, false, KEY_A);
	input_button(desk->input, &desk->one, false, 1, 0, 0, 0);
	assert_received(desk, "");
}

static void
held_key_is_up_for_the_agent_when_the_focus_goes(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	key(desk, true, KEY_A);
	input_focus_out(desk->input, &desk->one, XCB_NOTIFY_MODE_NORMAL);
	key(desk, false, KEY_A);
	assert_received(desk, "0:keys 1:in 1:+38 0:keys 1:out");
}

static void
modifier_from_before_the_focus_is_released(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, SHIFT, 0);
	key(desk, false, SHIFT);
	assert_received(desk, "0:keys,50 1:in 1:-50");
}

static void
repeat_is_a_release_and_a_press(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	key(desk, true, KEY_A);
	key(desk, true, KEY_A);
	key(desk, false, KEY_A);
	assert_received(desk, "0:keys 1:in 1:+38 1:-38 1:+38 1:-38");
}

static void
key_that_went_up_during_a_grab_is_released(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	key(desk, true, KEY_A);
	key(desk, true, KEY_B);
	input_focus_out(desk->input, &desk->one, XCB_NOTIFY_MODE_GRAB);
	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_UNGRAB, KEY_B, SHIFT);
	key(desk, true, SHIFT); /* went down during the grab: somebody else's */
	key(desk, false, KEY_B);
	assert_received(desk, "0:keys 1:in 1:+38 1:+56 1:-38 1:-56");
}

static void
focus_between_windows_of_the_qube_goes_out_and_in(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	input_focus_out(desk->input, &desk->one, XCB_NOTIFY_MODE_NORMAL);
	focus_in(desk, &desk->two, XCB_NOTIFY_MODE_NORMAL, SHIFT, 0);
	assert_received(desk, "0:keys 1:in 0:keys 1:out 0:keys,50 2:in");
}

static void
focus_that_arrives_without_leaving_is_taken_from_the_old_window(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	focus_in(desk, &desk->two, XCB_NOTIFY_MODE_NORMAL, SHIFT, 0);
	assert_received(desk, "0:keys 1:in 0:keys 1:out 0:keys,50 2:in");
}

static void
keymap_without_focus_is_nothing(void **state)
{
	struct desk *desk = *state;
	uint8_t keys[31];

	memset(keys, 0xff, sizeof(keys));
	input_keymap(desk->input, keys);
	assert_received(desk, "");
}

static void
destroyed_window_takes_its_focus_along(void **state)
{
	struct desk *desk = *state;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	key(desk, true, KEY_A);
	input_button(desk->input, &desk->one, true, 1, 0, 0, 0);
	input_forget(desk->input, &desk->one);
	input_button(desk->input, &desk->two, false, 1, 0, 0, 0);
	assert_received(desk, "0:keys 1:in 1:+38 1:+b1 0:keys 1:out");
}

/* --- pointer ------------------------------------------------------------------------------ */

static void
motion_without_focus_shows_no_modifiers(void **state)
{
	struct desk *desk = *state;

	input_motion(desk->input, &desk->one, 5, 5, 0x1ff);
	assert_received(desk, "1:m5/100");
	focus_in(desk, &desk->two, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	input_motion(desk->input, &desk->one, 6, 5, 0x1ff);
	assert_received(desk, "0:keys 2:in 1:m6/1ff");
}

static void
motion_is_merged_but_not_over_a_click(void **state)
{
	struct desk *desk = *state;

	input_motion(desk->input, &desk->one, 1, 0, 0);
	input_motion(desk->input, &desk->one, 2, 0, 0);
	input_motion(desk->input, &desk->two, 3, 0, 0);
	input_motion(desk->input, &desk->one, 4, 0, 0);
	input_button(desk->input, &desk->one, true, 1, 4, 0, 0);
	input_motion(desk->input, &desk->one, 5, 0, 0);
	input_motion(desk->input, &desk->one, 6, 0, 0);
	assert_received(desk, "1:m2/0 2:m3/0 1:m4/0 1:+b1 1:m6/0");
}

static void
key_held_while_the_pointer_leaves_is_up_where_keys_follow_it(void **state)
{
	struct desk *desk = *state;
	struct input_crossing leave = {0};

	key(desk, true, KEY_A);
	input_cross(desk->input, &desk->one, &leave);
	key(desk, false, KEY_A);
	assert_received(desk, "1:+38 1:leave 0:keys");
}

/* --- an agent that does not read ---------------------------------------------------------- */

static void
inp_05_input_beyond_the_bound_is_dropped_in_pairs(void **state)
{
	struct desk *desk = *state;
	g_autofree char *got = NULL;
	g_auto(GStrv) words = NULL;
	unsigned down = 0, presses = 0;

	focus_in(desk, &desk->one, XCB_NOTIFY_MODE_NORMAL, 0, 0);
	key(desk, true, SHIFT);
	for (unsigned i = 0; i < 10000; i++) {
		key(desk, true, KEY_A);
		input_button(desk->input, &desk->one, true, 1, 0, 0, 0);
		key(desk, false, KEY_A);
		input_button(desk->input, &desk->one, false, 1, 0, 0, 0);
		input_motion(desk->input, &desk->one, (int32_t)i, 0, 0);
		assert_true(outbox_bytes(desk->outbox) < OUTBOX_SOFT_BYTES + 1024);
	}
	key(desk, false, SHIFT);
	input_focus_out(desk->input, &desk->one, XCB_NOTIFY_MODE_NORMAL);
	got = received(desk);
	words = g_strsplit(got, " ", -1);
	for (char **word = words; *word != NULL; word++) {
		if (strcmp(*word, "1:+38") == 0) {
			assert_int_equal(down, 0);
			down = 1;
			presses++;
		} else if (strcmp(*word, "1:-38") == 0) {
			assert_int_equal(down, 1);
			down = 0;
		}
	}
	assert_int_equal(down, 0);
	assert_true(presses > 100 && presses < 10000);
	assert_non_null(strstr(got, "1:-50"));
	assert_null(strstr(got, "1:out"));
	input_resync(desk->input);
	assert_received(desk, "0:keys 1:out");
}

static void
acknowledgements_are_never_refused_below_the_hard_bound(void **state)
{
	struct desk *desk = *state;
	struct guest_window window = {7};

	while (!outbox_is_full(desk->outbox))
		assert_true(outbox_send(desk->outbox, OUTBOX_MAY, GUI_CLOSE, window, NULL, 0));
	assert_false(outbox_send(desk->outbox, OUTBOX_MAY, GUI_CLOSE, window, NULL, 0));
	assert_true(outbox_send(desk->outbox, OUTBOX_MUST, GUI_WINDOW_DUMP_ACK, window, NULL, 0));
}

static void
outbox_gives_up_at_the_hard_bound(void **state)
{
	struct desk *desk = *state;
	struct guest_window window = {7};

	while (outbox_bytes(desk->outbox) <= OUTBOX_HARD_BYTES + 4 * VCHAN_RING_BYTES)
		outbox_send(desk->outbox, OUTBOX_MUST, GUI_WINDOW_DUMP_ACK, window, NULL, 0);
	assert_int_equal(outbox_flush(desk->outbox, desk->daemon), -ENOBUFS);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(focus_comes_with_modifiers_and_without_other_keys),
	    TEST(inp_04_key_down_before_the_focus_is_never_told),
	    TEST(release_without_a_press_is_not_told),
	    TEST(held_key_is_up_for_the_agent_when_the_focus_goes),
	    TEST(modifier_from_before_the_focus_is_released),
	    TEST(repeat_is_a_release_and_a_press),
	    TEST(key_that_went_up_during_a_grab_is_released),
	    TEST(focus_between_windows_of_the_qube_goes_out_and_in),
	    TEST(focus_that_arrives_without_leaving_is_taken_from_the_old_window),
	    TEST(keymap_without_focus_is_nothing),
	    TEST(destroyed_window_takes_its_focus_along),
	    TEST(motion_without_focus_shows_no_modifiers),
	    TEST(motion_is_merged_but_not_over_a_click),
	    TEST(key_held_while_the_pointer_leaves_is_up_where_keys_follow_it),
	    TEST(inp_05_input_beyond_the_bound_is_dropped_in_pairs),
	    TEST(acknowledgements_are_never_refused_below_the_hard_bound),
	    TEST(outbox_gives_up_at_the_hard_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
