#include "shared/text.h"
#include "tests/unit/unit.h"

#include <glib.h>
#include <string.h>

static void
quote_shows_every_byte_outside_printable_ascii_as_hex(void **state)
{
	g_autofree char *quoted = text_quote("a\n\x1b\"\\\x80", 6);

	(void)state;
	assert_string_equal(quoted, "\"a\\x0a\\x1b\\x22\\x5c\\x80\"");
}

static void
quote_cuts_after_256_bytes_and_says_so(void **state)
{
	char text[257];
	g_autofree char *fits = NULL;
	g_autofree char *cut = NULL;

	(void)state;
	memset(text, 'x', sizeof(text));
	fits = text_quote(text, 256);
	cut = text_quote(text, 257);
	assert_int_equal(strlen(fits), 258);
	assert_true(g_str_has_suffix(cut, "x\"..."));
	assert_int_equal(strlen(cut), 261);
}

static void
utf8_keeps_harmless_text_and_replaces_broken_bytes(void **state)
{
	g_autofree char *fine = text_utf8("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 12);
	g_autofree char *broken = text_utf8("\xc0\xaf\xed\xa0\x80\xf5x", 7);
	g_autofree char *cut = text_utf8("a\xe2\x82", 3);

	(void)state;
	assert_string_equal(fine, "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	assert_string_equal(broken, "______x");
	assert_string_equal(cut, "a__");
}

static void
bdr_26_utf8_replaces_bidi_controls_zero_width_and_private_use(void **state)
{
	g_autofree char *bidi = text_utf8("a\xe2\x80\xae\x62", 5);
	g_autofree char *isolate = text_utf8("\xe2\x81\xa6", 3);
	g_autofree char *zero_width = text_utf8("\xe2\x80\x8b\xe2\x80\x8d", 6);
	g_autofree char *private_use = text_utf8("\xee\x80\x80", 3);
	g_autofree char *nul = text_utf8("a\0b", 3);

	(void)state;
	assert_string_equal(bidi, "a_b");
	assert_string_equal(isolate, "_");
	assert_string_equal(zero_width, "__");
	assert_string_equal(private_use, "_");
	assert_string_equal(nul, "a_b");
}

static void
r06_qube_names_follow_the_grammar(void **state)
{
	static const char *const good[] = {
	    "a", "dom0", "work-2.x_Y", "A123456789012345678901234567890"};
	static const char *const bad[] = {"", "1a", "-a", "_a", "a/b", "a b", "none", "default",
	    "Domain-0", "x-dm", "a\n", "A1234567890123456789012345678901"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(text_is_qube_name(good[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(text_is_qube_name(bad[i]));
}

static void
uuids_are_lower_case_and_exact(void **state)
{
	(void)state;
	assert_true(text_is_uuid("2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21"));
	assert_false(text_is_uuid("2F1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e21"));
	assert_false(text_is_uuid("2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e2"));
	assert_false(text_is_uuid("2f1e7b0a-9d53-4f0e-8b5c-7a1c3f0d9e211"));
	assert_false(text_is_uuid("2f1e7b0ag9d53-4f0e-8b5c-7a1c3f0d9e21"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quote_shows_every_byte_outside_printable_ascii_as_hex),
	    cmocka_unit_test(quote_cuts_after_256_bytes_and_says_so),
	    cmocka_unit_test(utf8_keeps_harmless_text_and_replaces_broken_bytes),
	    cmocka_unit_test(bdr_26_utf8_replaces_bidi_controls_zero_width_and_private_use),
	    cmocka_unit_test(r06_qube_names_follow_the_grammar),
	    cmocka_unit_test(uuids_are_lower_case_and_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
