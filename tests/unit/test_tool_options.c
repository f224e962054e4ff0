#include "qubesd/tools/options.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

struct values {
	int flag, other, count, number;
	const char *text, *maybe;
	GPtrArray *texts, *words;
};

static const struct option rows[] = {
    {'f', "flag", OPTION_FLAG, offsetof(struct values, flag), 1, NULL, "a flag"},
    {0, "no-flag", OPTION_FLAG, offsetof(struct values, flag), 2, NULL, "its opposite"},
    {'x', NULL, OPTION_FLAG, offsetof(struct values, other), 1, NULL, "only a letter"},
    {'v', "verbose", OPTION_COUNT, offsetof(struct values, count), 0, NULL, "more"},
    {'n', "number", OPTION_NUMBER, offsetof(struct values, number), 0, "N", "a number"},
    {'t', "text", OPTION_TEXT, offsetof(struct values, text), 0, "TEXT", "a text"},
    {0, "property", OPTION_TEXTS, offsetof(struct values, texts), 0, "P=V", "repeatable"},
    {0, "words", OPTION_WORDS, offsetof(struct values, words), 0, "WORD", "many"},
    {0, "dispvm", OPTION_OPTIONAL, offsetof(struct values, maybe), 0, "NAME", "perhaps a value"},
    {0, "delete", OPTION_FLAG, offsetof(struct values, other), 1, NULL, NULL},
    {0, "delete-it", OPTION_FLAG, offsetof(struct values, other), 1, NULL, NULL},
    {0},
};

struct parsed {
	int r;
	struct values values;
	GPtrArray *words;
	char *error;
};

/* Parses words separated by blanks; "''" stands for an empty word. */
static struct parsed
parse(const char *line)
{
	g_auto(GStrv) argv = line[0] != '\0' ? g_strsplit(line, " ", -1) : g_new0(char *, 1);
	static GStrv kept; /* what the values borrow, until the next call */
	struct parsed parsed = {0};
	const struct option_set set = {rows, &parsed.values};

	for (size_t i = 0; argv[i] != NULL; i++) {
		if (strcmp(argv[i], "''") == 0)
			argv[i][0] = '\0';
	}
	g_strfreev(kept);
	kept = g_steal_pointer(&argv);
	parsed.r = options_parse(&set, 1, kept, &parsed.words, &parsed.error);
	return parsed;
}

static void
parsed_clear(struct parsed *parsed)
{
	const struct option_set set = {rows, &parsed->values};

	options_clear(&set);
	g_clear_pointer(&parsed->words, g_ptr_array_unref);
	g_clear_pointer(&parsed->error, g_free);
}

static void
assert_refused(const char *line, const char *part)
{
	struct parsed parsed = parse(line);

	assert_int_equal(parsed.r, -EINVAL);
	assert_null(parsed.words);
	if (strstr(parsed.error, part) == NULL)
		fail_msg("%s: %s", line, parsed.error);
	parsed_clear(&parsed);
}

static const char *
word(const struct parsed *parsed, guint n)
{
	return n < parsed->words->len ? parsed->words->pdata[n] : "(none)";
}

static void
options_and_words_mix_freely(void **state)
{
	struct parsed parsed = parse("a -f b --number 7 c");

	(void)state;
	assert_int_equal(parsed.r, 0);
	assert_int_equal(parsed.values.flag, 1);
	assert_int_equal(parsed.values.number, 7);
	assert_int_equal(parsed.words->len, 3);
	assert_string_equal(word(&parsed, 2), "c");
	parsed_clear(&parsed);
}

static void
equals_and_blank_give_the_same_value(void **state)
{
	struct parsed blank = parse("--text red");
	struct parsed equals;

	(void)state;
	assert_string_equal(blank.values.text, "red");
	parsed_clear(&blank);
	equals = parse("--text=red");
	assert_string_equal(equals.values.text, "red");
	parsed_clear(&equals);
}

static void
a_value_behind_equals_may_be_empty_or_begin_with_a_dash(void **state)
{
	struct parsed parsed = parse("--text= --property=-5 --property=a=b");

	(void)state;
	assert_string_equal(parsed.values.text, "");
	assert_string_equal(parsed.values.texts->pdata[0], "-5");
	assert_string_equal(parsed.values.texts->pdata[1], "a=b");
	parsed_clear(&parsed);
}

static void
unambiguous_abbreviations_are_taken(void **state)
{
	struct parsed parsed = parse("--fl --prop a=1 --num=3 --dis=x");

	(void)state;
	assert_int_equal(parsed.r, 0);
	assert_int_equal(parsed.values.flag, 1);
	assert_string_equal(parsed.values.texts->pdata[0], "a=1");
	assert_int_equal(parsed.values.number, 3);
	assert_string_equal(parsed.values.maybe, "x");
	parsed_clear(&parsed);
}

static void
ambiguous_and_unknown_options_are_refused(void **state)
{
	(void)state;
	assert_refused("--n", "ambiguous");
	assert_refused("-z", "unrecognized option: -z");
	assert_refused("--flagg", "unrecognized option: --flagg");
}

static void
two_names_of_one_option_are_no_ambiguity(void **state)
{
	struct parsed parsed = parse("--del");

	(void)state;
	assert_int_equal(parsed.r, 0);
	assert_int_equal(parsed.values.other, 1);
	parsed_clear(&parsed);
}

static void
an_exact_name_wins_over_longer_ones(void **state)
{
	struct parsed parsed = parse("--delete");

	(void)state;
	assert_int_equal(parsed.r, 0);
	parsed_clear(&parsed);
}

static void
short_flags_join_and_the_last_may_have_its_value_attached(void **state)
{
	struct parsed parsed = parse("-fvvxtred");

	(void)state;
	assert_int_equal(parsed.r, 0);
	assert_int_equal(parsed.values.flag, 1);
	assert_int_equal(parsed.values.count, 2);
	assert_int_equal(parsed.values.other, 1);
	assert_string_equal(parsed.values.text, "red");
	parsed_clear(&parsed);
	parsed = parse("-vt red");
	assert_string_equal(parsed.values.text, "red");
	assert_int_equal(parsed.values.count, 1);
	parsed_clear(&parsed);
	assert_refused("-fz", "unrecognized option: -z");
}

static void
a_double_dash_ends_the_options(void **state)
{
	struct parsed parsed = parse("-f -- -v -- --text");

	(void)state;
	assert_int_equal(parsed.r, 0);
	assert_int_equal(parsed.values.count, 0);
	assert_int_equal(parsed.words->len, 3);
	assert_string_equal(word(&parsed, 0), "-v");
	assert_string_equal(word(&parsed, 1), "--");
	parsed_clear(&parsed);
}

static void
a_word_with_a_dash_is_no_value_of_the_option_before_it(void **state)
{
	(void)state;
	assert_refused("--text -5", "needs a value");
	assert_refused("-t --flag", "needs a value");
	assert_refused("--text", "needs a value");
	assert_refused("--text --", "needs a value");
	assert_refused("-5", "unrecognized option: -5");
}

static void
a_lone_dash_and_an_empty_word_are_words(void **state)
{
	struct parsed parsed = parse("- '' --text - --property ''");

	(void)state;
	assert_int_equal(parsed.r, 0);
	assert_int_equal(parsed.words->len, 2);
	assert_string_equal(word(&parsed, 0), "-");
	assert_string_equal(word(&parsed, 1), "");
	assert_string_equal(parsed.values.text, "-");
	assert_string_equal(parsed.values.texts->pdata[0], "");
	parsed_clear(&parsed);
}

static void
numbers_are_plain_and_bounded(void **state)
{
	struct parsed parsed = parse("--number 2147483647");

	(void)state;
	assert_int_equal(parsed.values.number, 2147483647);
	parsed_clear(&parsed);
	assert_refused("--number 2147483648", "needs a number");
	assert_refused("--number=-1", "needs a number");
	assert_refused("--number=+1", "needs a number");
	assert_refused("--number=1x", "needs a number");
	assert_refused("--number=", "needs a number");
}

static void
a_flag_takes_no_value(void **state)
{
	(void)state;
	assert_refused("--flag=1", "takes no value");
}

static void
the_last_of_repeated_options_counts_and_lists_collect(void **state)
{
	struct parsed parsed =
	    parse("--text a --flag --text b --no-flag --property x --property y");

	(void)state;
	assert_string_equal(parsed.values.text, "b");
	assert_int_equal(parsed.values.flag, 2);
	assert_int_equal(parsed.values.texts->len, 2);
	parsed_clear(&parsed);
}

static void
an_option_of_many_words_takes_all_up_to_the_next_option(void **state)
{
	struct parsed parsed = parse("first --words a b -f c --words=d e");

	(void)state;
	assert_int_equal(parsed.values.words->len, 3);
	assert_string_equal(parsed.values.words->pdata[1], "b");
	assert_string_equal(parsed.values.words->pdata[2], "d");
	assert_int_equal(parsed.words->len, 3);
	assert_string_equal(word(&parsed, 1), "c");
	assert_string_equal(word(&parsed, 2), "e");
	parsed_clear(&parsed);
}

static void
an_optional_value_comes_only_behind_equals(void **state)
{
	struct parsed parsed = parse("--dispvm work");

	(void)state;
	assert_string_equal(parsed.values.maybe, "");
	assert_string_equal(word(&parsed, 0), "work");
	parsed_clear(&parsed);
	parsed = parse("--dispvm=work");
	assert_string_equal(parsed.values.maybe, "work");
	parsed_clear(&parsed);
	parsed = parse("x");
	assert_null(parsed.values.maybe);
	parsed_clear(&parsed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options_and_words_mix_freely),
	    cmocka_unit_test(equals_and_blank_give_the_same_value),
	    cmocka_unit_test(a_value_behind_equals_may_be_empty_or_begin_with_a_dash),
	    cmocka_unit_test(unambiguous_abbreviations_are_taken),
	    cmocka_unit_test(ambiguous_and_unknown_options_are_refused),
	    cmocka_unit_test(two_names_of_one_option_are_no_ambiguity),
	    cmocka_unit_test(an_exact_name_wins_over_longer_ones),
	    cmocka_unit_test(short_flags_join_and_the_last_may_have_its_value_attached),
	    cmocka_unit_test(a_double_dash_ends_the_options),
	    cmocka_unit_test(a_word_with_a_dash_is_no_value_of_the_option_before_it),
	    cmocka_unit_test(a_lone_dash_and_an_empty_word_are_words),
	    cmocka_unit_test(numbers_are_plain_and_bounded),
	    cmocka_unit_test(a_flag_takes_no_value),
	    cmocka_unit_test(the_last_of_repeated_options_counts_and_lists_collect),
	    cmocka_unit_test(an_option_of_many_words_takes_all_up_to_the_next_option),
	    cmocka_unit_test(an_optional_value_comes_only_behind_equals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
