/*
 * policy_compare - holds the answers of `qubes-policy eval --batch` against the recorded ones.
 *
 *   policy_compare CORPUS ANSWERS     both JSON lines, in the same order
 *
 * Prints TAP, one line an entry. Texts for people (message, text) are not compared, and neither
 * is the place of an error in the request itself, which has none.
 */
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_for_people(const char *key)
{
	return strcmp(key, "message") == 0 || strcmp(key, "text") == 0;
}

static bool rules_agree(json_t *expected, json_t *got);

/* Recorded replies cover some of the choices only. */
static bool
replies_agree(json_t *expected, json_t *got)
{
	const char *target;
	json_t *reply;

	json_object_foreach(expected, target, reply)
	{
		if (!json_equal(reply, json_object_get(got, target)))
			return false;
	}
	return true;
}

/* Every key that was recorded is there, with the same value. */
static bool
objects_agree(json_t *expected, json_t *got, char **ret_key)
{
	const char *stage = json_string_value(json_object_get(expected, "stage"));
	const char *key;
	json_t *value;

	json_object_foreach(expected, key, value)
	{
		json_t *other = json_object_get(got, key);
		bool agree;

		if (is_for_people(key))
			continue;
		if (strcmp(key, "error") == 0 && g_strcmp0(stage, "request") == 0)
			continue;
		if (strcmp(key, "replies") == 0)
			agree = replies_agree(value, other);
		else if (strcmp(key, "rules") == 0)
			agree = rules_agree(value, other);
		else
			agree = json_equal(value, other);
		if (!agree) {
			g_free(*ret_key);
			*ret_key = g_strdup(key);
			return false;
		}
	}
	return true;
}

static bool
rules_agree(json_t *expected, json_t *got)
{
	g_autofree char *key = NULL;

	if (json_array_size(expected) != json_array_size(got))
		return false;
	for (size_t i = 0; i < json_array_size(expected); i++) {
		if (!objects_agree(json_array_get(expected, i), json_array_get(got, i), &key))
			return false;
	}
	return true;
}

/* The deployed engine failed there: any denial, or any defined result, is as good. */
static bool
was_crash(json_t *expected)
{
	return json_is_true(json_object_get(expected, "crash"));
}

static bool
compare_lines(const char *recorded, const char *answered, unsigned number)
{
	json_t *entry = json_loads(recorded, 0, NULL);
	json_t *answer = answered != NULL ? json_loads(answered, 0, NULL) : NULL;
	json_t *expected = json_object_get(entry, "expected");
	const char *id = json_string_value(json_object_get(entry, "id"));
	const char *kind = json_string_value(json_object_get(entry, "kind"));
	g_autofree char *key = NULL;
	bool ok = answer != NULL &&
		  json_equal(json_object_get(entry, "id"), json_object_get(answer, "id")) &&
		  (was_crash(expected) || objects_agree(expected, answer, &key));

	printf("%sok %u - corpus_%s_%s\n", ok ? "" : "not ", number, kind, id);
	if (!ok) {
		g_autofree char *value = json_dumps(
		    json_object_get(expected, key != NULL ? key : "result"), JSON_ENCODE_ANY);

		printf("# %s should be: %s\n# answer: %s\n", key != NULL ? key : "result",
		    value != NULL ? value : "?", answered != NULL ? answered : "none");
	}
	json_decref(entry);
	json_decref(answer);
	return ok;
}

int
main(int argc, char **argv)
{
	FILE *corpus = argc == 3 ? fopen(argv[1], "re") : NULL;
	FILE *answers = argc == 3 ? fopen(argv[2], "re") : NULL;
	char *recorded = NULL, *answered = NULL;
	size_t recorded_size = 0, answered_size = 0;
	unsigned number = 0;
	bool all_ok = true;

	if (corpus == NULL || answers == NULL) {
		fputs("usage: policy_compare CORPUS ANSWERS\n", stderr);
		return 2;
	}
	while (getline(&recorded, &recorded_size, corpus) > 0) {
		bool has_answer = getline(&answered, &answered_size, answers) > 0;

		all_ok &= compare_lines(recorded, has_answer ? answered : NULL, ++number);
	}
	printf("1..%u\n", number);
	free(recorded);
	free(answered);
	fclose(corpus);
	fclose(answers);
	return all_ok && number > 0 ? 0 : 1;
}
