#include "qrexec/policy/batch.h"

#include "qrexec/policy/eval.h"
#include "qrexec/policy/include.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define DIR_VOLATILE "run/qubes/policy.d"
#define DIR_PERMANENT "etc/qubes/policy.d"
#define DIR_INCLUDE "etc/qubes/policy.d/include"
#define DIR_LEGACY "etc/qubes-rpc/policy"

/* --- the files of an entry ------------------------------------------------------------------ */

static void
remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR) &&
		    !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
			remove_tree(inner);
		else
			g_unlink(inner);
	}
	g_clear_pointer(&dir, g_dir_close);
	g_rmdir(path);
}

static bool
array_has(json_t *array, const char *text)
{
	size_t i;
	json_t *item;

	json_array_foreach(array, i, item)
	{
		if (g_strcmp0(json_string_value(item), text) == 0)
			return true;
	}
	return false;
}

static int
write_file(const char *root, const char *relative, const char *text)
{
	g_autofree char *path = g_build_filename(root, relative, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	g_auto(GStrv) parts = g_strsplit(text, "{ROOT}", -1);
	g_autofree char *content = g_strjoinv(root, parts);

	if (strstr(relative, "..") != NULL || g_mkdir_with_parents(folder, 0700) < 0)
		return -EINVAL;
	return g_file_set_contents(path, content, -1, NULL) ? 0 : -EIO;
}

static int
write_files(const char *root, json_t *entry)
{
	static const char *const folders[] = {DIR_VOLATILE, DIR_PERMANENT, DIR_INCLUDE, DIR_LEGACY};
	json_t *missing = json_object_get(entry, "missing_dirs");
	const char *path;
	json_t *text;
	int r = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *folder = g_build_filename(root, folders[i], NULL);

		if (!array_has(missing, folders[i]) && g_mkdir_with_parents(folder, 0700) < 0)
			return -errno;
	}
	json_object_foreach(json_object_get(entry, "files"), path, text)
	{
		r = json_is_string(text) ? write_file(root, path, json_string_value(text))
					 : -EINVAL;
		if (r < 0)
			return r;
	}
	return 0;
}

static struct policy_places *
places_below(const char *root)
{
	g_autofree char *first = g_build_filename(root, DIR_VOLATILE, NULL);
	g_autofree char *second = g_build_filename(root, DIR_PERMANENT, NULL);
	char *folders[] = {first, second, NULL};
	struct policy_places *places = policy_places_new(folders);

	g_array_index(places->folders, struct policy_folder, 0).optional = true;
	g_free(places->legacy_folder);
	places->legacy_folder = g_build_filename(root, DIR_LEGACY, NULL);
	return places;
}

/* --- answers -------------------------------------------------------------------------------- */

static json_t *
text_or_null(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

/* A file as the entry calls it, without the folder it was written to. */
static json_t *
place_of(const char *root, const char *file, unsigned line)
{
	const char *relative = g_str_has_prefix(file, root) ? file + strlen(root) + 1 : file;

	return json_pack(
	    "{s:s, s:o}", "file", relative, "line", line > 0 ? json_integer(line) : json_null());
}

static json_t *
lines_of(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	json_t *array = json_array();

	for (char **line = lines; *line != NULL; line++)
		json_array_append_new(array, json_string(*line));
	return array;
}

static const char *const stage_names[] = {
    [POLICY_STAGE_LOAD] = "load",
    [POLICY_STAGE_REQUEST] = "request",
    [POLICY_STAGE_NOMATCH] = "nomatch",
    [POLICY_STAGE_RULE] = "rule",
    [POLICY_STAGE_RESOLUTION] = "resolution",
    [POLICY_STAGE_ANSWER] = "answer",
};

static void
answer_load_error(json_t *answer, const char *root, const struct policy_load_error *error)
{
	json_object_set_new(answer, "result", json_string("deny"));
	json_object_set_new(answer, "stage", json_string(stage_names[POLICY_STAGE_LOAD]));
	json_object_set_new(answer, "notify", json_true());
	json_object_set_new(answer, "message", json_string(error->text));
	json_object_set_new(answer, "error", place_of(root, error->file, error->line));
}

static json_t *
token_text(const struct policy_token *token)
{
	return token != NULL ? json_string(token->text) : json_null();
}

static void
answer_rules(json_t *answer, const char *root, const struct policy *policy)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < policy_rule_count(policy); i++) {
		const struct policy_rule *rule = policy_rule_at(policy, i);
		json_t *object = place_of(root, rule->file, rule->line);
		json_t *autostart = rule->action == POLICY_ACTION_DENY
					? json_null()
					: json_boolean(rule->autostart);

		json_object_set_new(
		    object, "service", json_string(rule->service != NULL ? rule->service : "*"));
		json_object_set_new(
		    object, "argument", json_string(rule->argument != NULL ? rule->argument : "*"));
		json_object_set_new(object, "source", token_text(rule->source));
		json_object_set_new(object, "target", token_text(rule->target));
		json_object_set_new(
		    object, "action", json_string(policy_action_name(rule->action)));
		json_object_set_new(object, "notify", json_boolean(rule->notify));
		json_object_set_new(object, "user", text_or_null(rule->user));
		json_object_set_new(object, "target_redirect", token_text(rule->redirect));
		json_object_set_new(object, "default_target", token_text(rule->default_target));
		json_object_set_new(object, "autostart", autostart);
		json_array_append_new(rules, object);
	}
	json_object_set_new(answer, "result", json_string("ok"));
	json_object_set_new(answer, "rules", rules);
}

struct question {
	const struct policy *policy;
	const struct system_info *info;
	struct policy_request request;
};

static void
answer_ask(json_t *answer, const struct question *question, const struct policy_decision *asked)
{
	json_t *targets = json_array();
	json_t *replies = json_object();
	struct policy_decision answered;

	for (guint i = 0; i < asked->choices->len; i++) {
		const char *target = g_array_index(asked->choices, struct policy_choice, i).target;

		policy_answer(
		    question->policy, question->info, &question->request, asked, target, &answered);
		json_array_append_new(targets, json_string(target));
		json_object_set_new(replies, target,
		    answered.result == POLICY_ALLOWED ? lines_of(answered.reply)
						      : json_string("deny"));
		policy_decision_clear(&answered);
	}
	policy_answer(question->policy, question->info, &question->request, asked,
	    asked->requested_target, &answered);
	json_object_set_new(answer, "assume_yes",
	    json_string(answered.result == POLICY_ALLOWED ? "allow" : "deny"));
	policy_decision_clear(&answered);
	json_object_set_new(answer, "targets", targets);
	json_object_set_new(answer, "replies", replies);
	json_object_set_new(answer, "default_target",
	    json_string(asked->default_target != NULL ? asked->default_target : ""));
	json_object_set_new(answer, "guivm", text_or_null(asked->guivm));
}

static void
answer_decision(json_t *answer, const char *root, const struct question *question)
{
	static const char *const results[] = {
	    [POLICY_DENIED] = "deny", [POLICY_ALLOWED] = "allow", [POLICY_ASK] = "ask"};
	struct policy_decision decision;

	policy_evaluate(question->policy, question->info, &question->request, &decision);
	json_object_set_new(answer, "result", json_string(results[decision.result]));
	json_object_set_new(answer, "notify", json_boolean(decision.notify));
	if (decision.rule != NULL)
		json_object_set_new(
		    answer, "rule", place_of(root, decision.rule->file, decision.rule->line));
	switch (decision.result) {
	case POLICY_ALLOWED:
		json_object_set_new(answer, "reply", lines_of(decision.reply));
		break;
	case POLICY_ASK:
		answer_ask(answer, question, &decision);
		break;
	case POLICY_DENIED:
		json_object_set_new(answer, "stage", json_string(stage_names[decision.stage]));
		json_object_set_new(answer, "message", json_string(decision.reason));
		break;
	}
	policy_decision_clear(&decision);
}

/* --- entries -------------------------------------------------------------------------------- */

static const char *
text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static int
answer_evaluate(json_t *answer, const char *root, json_t *entry, const struct policy *policy)
{
	json_t *request = json_object_get(entry, "request");
	g_autofree char *text =
	    json_dumps(json_object_get(entry, "system_info"), JSON_COMPACT | JSON_ENCODE_ANY);
	g_autofree char *service = NULL, *argument = NULL;
	struct system_info *info;
	int r;

	if (text == NULL)
		return -EINVAL;
	r = system_info_parse(text, strlen(text), &info);
	if (r < 0)
		return r;
	policy_split_descriptor(text_of(request, "service_and_arg"), &service, &argument);
	answer_decision(answer, root,
	    &(struct question){
		.policy = policy,
		.info = info,
		.request =
		    {
			.service = service,
			.argument = argument,
			.source = text_of(request, "source"),
			.target = text_of(request, "target"),
			.requested_source = text_of(request, "requested_source"),
		    },
	    });
	system_info_free(info);
	return 0;
}

static int
answer_entry(json_t *answer, const char *root, json_t *entry)
{
	struct policy_places *places = places_below(root);
	struct policy_load_error error = {0};
	struct policy_load_notes notes;
	struct policy *policy = NULL;
	int r;

	policy_load_notes_init(&notes);
	r = policy_load(places, &policy, &error, &notes);
	if (r < 0) {
		answer_load_error(answer, root, &error);
		r = 0;
	} else if (strcmp(text_of(entry, "kind"), "parse") == 0) {
		answer_rules(answer, root, policy);
	} else {
		r = answer_evaluate(answer, root, entry, policy);
	}
	policy_free(policy);
	policy_load_error_clear(&error);
	policy_load_notes_fini(&notes);
	policy_places_free(places);
	return r;
}

static int
answer_line(const char *line, FILE *out)
{
	g_autofree char *root = g_dir_make_tmp("qubes-policy-XXXXXX", NULL);
	json_t *entry = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	json_t *answer = json_object();
	int r = entry != NULL && root != NULL ? 0 : -EINVAL;

	if (r == 0) {
		json_object_set(answer, "id", json_object_get(entry, "id"));
		r = write_files(root, entry);
	}
	if (r == 0)
		r = answer_entry(answer, root, entry);
	if (r < 0)
		json_object_set_new(answer, "error", json_string("this line is no entry"));
	json_dumpf(answer, out, JSON_COMPACT | JSON_ENSURE_ASCII);
	fputc('\n', out);
	json_decref(answer);
	json_decref(entry);
	if (root != NULL)
		remove_tree(root);
	return r;
}

int
policy_batch(FILE *in, FILE *out)
{
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	while (getline(&line, &size, in) > 0) {
		if (line[strspn(line, " \t\r\n")] == '\0')
			continue;
		if (answer_line(line, out) < 0)
			result = -EINVAL;
	}
	free(line);
	return result;
}
