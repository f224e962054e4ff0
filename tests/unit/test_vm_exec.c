#include "qrexec/services/vm_exec_decode.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static void
svc_14_commands_are_decoded(void **state)
{
	static const struct {
		const char *text, *words; /* words joined by '|' */
	} rows[] = {
	    {"ls+--a+-2Fhome-2Fuser", "ls|-a|/home/user"},
	    {"ls+----help", "ls|--help"},
	    {"ls+---61", "ls|-a"},
	    {"echo+", "echo|"},
	    {"+", "|"},
	    {"a.b_C9", "a.b_C9"},
	    {"-FF-01", "\xff\x01"},
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_auto(GStrv) words = NULL;
		g_autofree char *joined = NULL;

		assert_int_equal(vm_exec_decode(rows[i].text, &words), 0);
		joined = g_strjoinv("|", words);
		assert_string_equal(joined, rows[i].words);
	}
}

static void
svc_14_malformed_escapes_are_refused(void **state)
{
	static const char *const bad[] = {"", "-", "a-", "-a", "-6", "-6g", "-ab", "-2f", "-00",
	    "a b", "a/b", "a+-", "@", "\xff"};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		char **words = NULL;

		assert_int_equal(vm_exec_decode(bad[i], &words), -EINVAL);
		assert_null(words);
	}
}

static char *
encode(const char *word)
{
	GString *out = g_string_new(NULL);

	for (const unsigned char *p = (const unsigned char *)word; *p != '\0'; p++) {
		if (g_ascii_isalnum(*p) || *p == '.' || *p == '_')
			g_string_append_c(out, (char)*p);
		else if (*p == '-')
			g_string_append(out, "--");
		else
			g_string_append_printf(out, "-%02X", *p);
	}
	return g_string_free(out, FALSE);
}

static void
svc_14_every_byte_survives_the_round_trip(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		char word[] = {'x', (char)byte, 'y', '\0'};
		g_autofree char *text = encode(word);
		g_auto(GStrv) words = NULL;

		assert_int_equal(vm_exec_decode(text, &words), 0);
		assert_string_equal(words[0], word);
		assert_null(words[1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(svc_14_commands_are_decoded),
	    cmocka_unit_test(svc_14_malformed_escapes_are_refused),
	    cmocka_unit_test(svc_14_every_byte_survives_the_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
