/*
 * qvm-pool - lists, adds, removes and sets the pools that volumes lie in.
 */
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"

#include <string.h>

struct pool_options {
	int list, drivers;
	const char *info, *add, *remove, *set;
	GPtrArray *options;
};

static const struct option pool_options[] = {
    {'o', "option", OPTION_TEXTS, offsetof(struct pool_options, options), 0, "KEY=VALUE,...",
	"add, set: options of the pool; repeatable"},
    /* Spellings of old. */
    {'l', "list", OPTION_FLAG, offsetof(struct pool_options, list), 1, NULL, NULL},
    {0, "help-drivers", OPTION_FLAG, offsetof(struct pool_options, drivers), 1, NULL, NULL},
    {'i', "info", OPTION_TEXT, offsetof(struct pool_options, info), 0, "POOL", NULL},
    {'a', "add", OPTION_TEXT, offsetof(struct pool_options, add), 0, "POOL", NULL},
    {'r', "remove", OPTION_TEXT, offsetof(struct pool_options, remove), 0, "POOL", NULL},
    {'s', "set", OPTION_TEXT, offsetof(struct pool_options, set), 0, "POOL", NULL},
    {0},
};

static char *
find_driver(const char *info)
{
	g_auto(GStrv) lines = client_lines(info);

	for (size_t i = 0; lines[i] != NULL; i++) {
		if (g_str_has_prefix(lines[i], "driver="))
			return g_strdup(lines[i] + strlen("driver="));
	}
	return g_strdup("");
}

static int
show_rows(struct tool_run *run, const char *const *keys, const char *const *titles, GPtrArray *rows)
{
	if (run->json) {
		show_json_rows(stdout, keys, rows);
		return 0;
	}
	if (titles != NULL)
		g_ptr_array_insert(rows, 0, g_strdupv((char **)titles));
	show_table(stdout, rows);
	return 0;
}

static int
list_pools(struct tool_run *run)
{
	static const char *const keys[] = {"name", "driver", NULL};
	static const char *const titles[] = {"NAME", "DRIVER", NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	struct client_call list = tool_call(run, "admin.pool.List", NULL, "dom0", NULL);
	g_auto(GStrv) names = client_lines(list.ok ? list.content : "");
	int status = list.ok ? 0 : tool_error(run, "%s", list.message);

	client_clear(&list, 1);
	for (size_t i = 0; names[i] != NULL; i++) {
		struct client_call call = tool_call(run, "admin.pool.Info", names[i], "dom0", NULL);
		g_autofree char *driver = find_driver(call.ok ? call.content : "");

		g_ptr_array_add(rows, g_strdupv((char *[]){names[i], driver, NULL}));
		client_clear(&call, 1);
	}
	return status != 0 ? status : show_rows(run, keys, titles, rows);
}

static int
list_drivers(struct tool_run *run)
{
	static const char *const keys[] = {"driver", "options", NULL};
	static const char *const titles[] = {"DRIVER", "OPTIONS", NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	struct client_call call = tool_call(run, "admin.pool.ListDrivers", NULL, "dom0", NULL);
	g_auto(GStrv) lines = client_lines(call.ok ? call.content : "");
	int status = call.ok ? 0 : tool_error(run, "%s", call.message);

	client_clear(&call, 1);
	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
		g_autofree char *parameters =
		    words[0] != NULL ? g_strjoinv(", ", words + 1) : g_strdup("");

		g_ptr_array_add(rows,
		    g_strdupv((char *[]){words[0] != NULL ? words[0] : "", parameters, NULL}));
	}
	return status != 0 ? status : show_rows(run, keys, titles, rows);
}

static int
compare_rows(const void *a, const void *b)
{
	char *const *first = *(char **const *)a, *const *second = *(char **const *)b;
	int name = (strcmp(second[0], "name") == 0) - (strcmp(first[0], "name") == 0);

	return name != 0 ? name : strcmp(first[0], second[0]);
}

/* What a failure of a call about one pool is: an unknown pool is wrong usage. */
static int
say_pool_failure(
    struct tool_run *run, const struct client_call *call, const char *what, const char *pool)
{
	if (client_call_failed_with(call, "PermissionDenied") && strcmp(what, "add") != 0)
		return tool_usage_error(run, "No such pools: ['%s']", pool);
	return tool_error(run, "Failed to %s pool %s: %s", what, pool, call->message);
}

static int
show_pool(struct tool_run *run, const char *pool)
{
	static const char *const keys[] = {"key", "value", NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	struct client_call call = tool_call(run, "admin.pool.Info", pool, "dom0", NULL);
	g_auto(GStrv) lines = client_lines(call.ok ? call.content : "");
	int status = call.ok ? 0 : say_pool_failure(run, &call, "read", pool);

	client_clear(&call, 1);
	for (size_t i = 0; lines[i] != NULL; i++)
		g_ptr_array_add(rows, g_strsplit(lines[i], "=", 2));
	g_ptr_array_sort(rows, compare_rows);
	return status != 0 ? status : show_rows(run, keys, NULL, rows);
}

/* Every KEY=VALUE of every -o; NULL when one is none. g_strfreev() */
static char **
split_options(const GPtrArray *options)
{
	GPtrArray *pairs = g_ptr_array_new_with_free_func(g_free);
	bool ok = true;

	for (guint i = 0; options != NULL && i < options->len; i++) {
		g_auto(GStrv) parts = g_strsplit(options->pdata[i], ",", -1);

		for (size_t k = 0; parts[k] != NULL; k++) {
			ok = ok && strchr(parts[k], '=') != NULL && parts[k][0] != '=' &&
			     strpbrk(parts[k], "\n") == NULL;
			g_ptr_array_add(pairs, g_strdup(parts[k]));
		}
	}
	g_ptr_array_add(pairs, NULL);
	if (ok)
		return (char **)g_ptr_array_free(pairs, FALSE);
	g_ptr_array_unref(pairs);
	return NULL;
}

static int
change_pool(struct tool_run *run, const char *what, const char *method, const char *arg,
    const char *payload, const char *pool)
{
	struct client_call call = tool_call(run, method, arg, "dom0", payload);
	int status = call.ok ? 0 : say_pool_failure(run, &call, what, pool);

	client_clear(&call, 1);
	return status;
}

static int
add_pool(
    struct tool_run *run, const struct pool_options *options, const char *pool, const char *driver)
{
	g_auto(GStrv) pairs = split_options(options->options);
	g_autofree char *lines = NULL;
	g_autofree char *payload = NULL;

	if (driver == NULL)
		return tool_usage_error(run, "give the pool a name and a driver");
	if (pairs == NULL)
		return tool_usage_error(run, "-o needs KEY=VALUE");
	lines = g_strjoinv("\n", pairs);
	payload = g_strdup_printf("name=%s\n%s", pool, lines);
	return change_pool(run, "add", "admin.pool.Add", driver, payload, pool);
}

static int
set_pool(struct tool_run *run, const struct pool_options *options, const char *pool)
{
	g_auto(GStrv) pairs = split_options(options->options);
	int status = 0;

	if (pairs == NULL || pairs[0] == NULL)
		return tool_usage_error(run, "-o needs KEY=VALUE");
	for (size_t i = 0; status == 0 && pairs[i] != NULL; i++) {
		g_auto(GStrv) pair = g_strsplit(pairs[i], "=", 2);
		g_autofree char *method = g_strconcat("admin.pool.Set.", pair[0], NULL);

		if (strcmp(pair[0], "revisions_to_keep") != 0 &&
		    strcmp(pair[0], "ephemeral_volatile") != 0)
			return tool_usage_error(run, "no such property: '%s'", pair[0]);
		status = change_pool(run, "set", method, pool, pair[1], pool);
	}
	return status;
}

static int
remove_pools(struct tool_run *run, guint first)
{
	int status = 0;

	if (run->words->len <= first)
		return tool_usage_error(run, "name a pool");
	for (guint i = first; status == 0 && i < run->words->len; i++)
		status = change_pool(
		    run, "remove", "admin.pool.Remove", tool_word(run, i), NULL, tool_word(run, i));
	return status;
}

static bool
is_any(const char *word, const char *const *words)
{
	return g_strv_contains(words, word);
}

#define ANY(...) ((const char *const[]){__VA_ARGS__, NULL})

static int
run_words(struct tool_run *run, const struct pool_options *options)
{
	const char *word = run->words->len > 0 ? tool_word(run, 0) : "list";
	const char *pool = tool_word(run, 1);

	if (is_any(word, ANY("list", "l", "ls")))
		return list_pools(run);
	if (is_any(word, ANY("drivers", "d")))
		return list_drivers(run);
	if (is_any(word, ANY("remove", "r", "rm")))
		return remove_pools(run, 1);
	if (!is_any(word, ANY("info", "i", "add", "a", "set", "s")))
		return tool_usage_error(run, "no such command: '%s'", word);
	if (pool == NULL)
		return tool_usage_error(run, "name a pool");
	if (word[0] == 'i')
		return show_pool(run, pool);
	return word[0] == 'a' ? add_pool(run, options, pool, tool_word(run, 2))
			      : set_pool(run, options, pool);
}

static int
pool_main(struct tool_run *run, void *data)
{
	const struct pool_options *options = data;

	if (options->list)
		return list_pools(run);
	if (options->drivers)
		return list_drivers(run);
	if (options->info != NULL)
		return show_pool(run, options->info);
	if (options->add != NULL)
		return add_pool(run, options, options->add, tool_word(run, 0));
	if (options->remove != NULL)
		return change_pool(
		    run, "remove", "admin.pool.Remove", options->remove, NULL, options->remove);
	if (options->set != NULL)
		return set_pool(run, options, options->set);
	return run_words(run, options);
}

const struct tool tool_pool = {
    "qvm-pool",
    "[list]\ndrivers\ninfo POOL\nadd POOL DRIVER -o KEY=VALUE[,...]\nremove POOL...\n"
    "set POOL -o KEY=VALUE[,...]",
    "Lists, adds, removes and sets the pools that volumes lie in.",
    pool_options,
    sizeof(struct pool_options),
    pool_main,
};
