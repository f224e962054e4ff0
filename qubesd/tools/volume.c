/*
 * qvm-volume - lists, changes and fills the volumes of qubes.
 */
#include "qubesd/tools/import.h"
#include "qubesd/tools/show.h"
#include "qubesd/tools/tool.h"
#include "qubesd/tools/vmnames.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct volume_options {
	int full, force, no_resize;
	const char *pool, *size;
};

static const struct option volume_options[] = {
    {'p', "pool", OPTION_TEXT, offsetof(struct volume_options, pool), 0, "POOL",
	"list: only volumes of this pool"},
    {0, "full", OPTION_FLAG, offsetof(struct volume_options, full), 1, NULL,
	"list: repeat what is the same as in the line above"},
    {'f', "force", OPTION_FLAG, offsetof(struct volume_options, force), 1, NULL,
	"do not ask; resize: let it shrink"},
    {0, "size", OPTION_TEXT, offsetof(struct volume_options, size), 0, "SIZE",
	"import: the size of the volume"},
    {0, "no-resize", OPTION_FLAG, offsetof(struct volume_options, no_resize), 1, NULL,
	"import: the volume keeps its size"},
    {0},
};

/* --- one volume ----------------------------------------------------------------------------- */

struct target {
	char *vm, *volume; /* owned */
};

static void
target_clear(struct target *target)
{
	g_free(target->vm);
	g_free(target->volume);
}

/* VM:VOLUME of a word, which must be there. */
static int
find_target(struct tool_run *run, guint n, struct target *ret)
{
	const char *word = tool_word(run, n);
	const char *colon = word != NULL ? strchr(word, ':') : NULL;
	struct client_call call;
	g_auto(GStrv) volumes = NULL;
	int status = 0;

	if (colon == NULL || colon == word || colon[1] == '\0' || strchr(colon + 1, ':') != NULL)
		return tool_usage_error(run, "name a volume: VMNAME:VOLUME");
	ret->vm = g_strndup(word, (size_t)(colon - word));
	ret->volume = g_strdup(colon + 1);
	call = tool_call(run, "admin.vm.volume.List", NULL, ret->vm, NULL);
	volumes = client_lines(call.ok ? call.content : "");
	if (client_call_failed_with(&call, "QubesVMNotFoundError"))
		status = tool_error(run, "no vm '%s'", ret->vm);
	else if (!call.ok && call.error != -EACCES)
		status = tool_error(run, "%s", call.message);
	else if (call.ok && !g_strv_contains((const char *const *)volumes, ret->volume))
		status = tool_error(run, "vm '%s' has no volume '%s'", ret->vm, ret->volume);
	client_clear(&call, 1);
	return status;
}

/* "Error: ..." is the form of what the daemon refuses here. */
static int
say_call(struct client_call *call)
{
	int status = 0;

	if (!call->ok) {
		tool_say("Error: %s", call->message);
		status = TOOL_FAILED;
	}
	client_clear(call, 1);
	return status;
}

static int
change(struct tool_run *run, const struct target *target, const char *method, const char *payload)
{
	struct client_call call = tool_call(run, method, target->volume, target->vm, payload);

	return say_call(&call);
}

/* The value of a key in lines key=value; NULL. g_free() */
static char *
find_value(const char *content, const char *key)
{
	g_auto(GStrv) lines = client_lines(content);
	size_t len = strlen(key);

	for (size_t i = 0; lines[i] != NULL; i++) {
		if (strncmp(lines[i], key, len) == 0 && lines[i][len] == '=')
			return g_strdup(lines[i] + len + 1);
	}
	return NULL;
}

/* Digits, and one of the letters of 1024s behind them. */
static bool
parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	char *end;
	uint64_t size;

	if (!g_ascii_isdigit(text[0]))
		return false;
	errno = 0;
	size = g_ascii_strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	if (*end != '\0') {
		const char *unit = strchr(units, g_ascii_tolower(*end));
		unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;

		if (unit == NULL || size > (UINT64_MAX >> shift))
			return false;
		size <<= shift;
		end++;
		if (g_ascii_strcasecmp(end, "iB") != 0 && g_ascii_strcasecmp(end, "B") != 0 &&
		    *end != '\0')
			return false;
	}
	*ret = size;
	return size > 0;
}

/* --- list ----------------------------------------------------------------------------------- */

static char **
make_row(const char *vm, const char *volume, const char *info, const char *snapshots)
{
	g_autofree char *pool = find_value(info, "pool");
	g_autofree char *vid = find_value(info, "vid");
	g_autofree char *place =
	    g_strdup_printf("%s:%s", pool != NULL ? pool : "", vid != NULL ? vid : "");

	return g_strdupv((char *[]){place, (char *)vm, (char *)volume,
	    (char *)(snapshots != NULL && snapshots[0] != '\0' ? "Yes" : "No"), NULL});
}

/* The volumes of one qube, all asked for at once. */
static void
add_rows(struct tool_run *run, const struct volume_options *options, const char *vm, char **volumes,
    GPtrArray *rows)
{
	guint count = g_strv_length(volumes);
	g_autofree struct client_call *calls = g_new0(struct client_call, 2 * count);

	for (guint i = 0; i < count; i++) {
		calls[2 * i] = (struct client_call){
		    .method = "admin.vm.volume.Info", .arg = volumes[i], .dest = vm};
		calls[2 * i + 1] = (struct client_call){
		    .method = "admin.vm.volume.ListSnapshots", .arg = volumes[i], .dest = vm};
	}
	client_run(run->client, calls, 2 * count);
	for (guint i = 0; i < count; i++) {
		g_autofree char *pool =
		    calls[2 * i].ok ? find_value(calls[2 * i].content, "pool") : NULL;

		if (pool != NULL && (options->pool == NULL || strcmp(options->pool, pool) == 0))
			g_ptr_array_add(rows, make_row(vm, volumes[i], calls[2 * i].content,
						  calls[2 * i + 1].content));
	}
	client_clear(calls, 2 * count);
}

static int
compare_rows(const void *a, const void *b)
{
	char *const *first = *(char **const *)a, *const *second = *(char **const *)b;

	return strcmp(first[0], second[0]);
}

/* On a terminal a cell that repeats the one above is blank. */
static void
blank_repeated(GPtrArray *rows)
{
	for (guint i = rows->len - 1; i > 1; i--) {
		char **row = rows->pdata[i], **above = rows->pdata[i - 1];

		if (strcmp(row[0], above[0]) != 0)
			continue;
		g_free(row[0]);
		row[0] = g_strdup("");
	}
}

static int
run_list(struct tool_run *run, const struct volume_options *options)
{
	static const char *const keys[] = {
	    "pool_volume", "vmname", "volume_name", "revert_possible", NULL};
	static const char *const titles[] = {
	    "POOL:VOLUME", "VMNAME", "VOLUME_NAME", "REVERT_POSSIBLE", NULL};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autoptr(GPtrArray) vms = NULL;
	struct selection everything = {.all = 1};
	int status;

	for (guint i = 1; i < run->words->len; i++)
		g_ptr_array_add(names, run->words->pdata[i]);
	status = vmnames_select(run, names, names->len == 0 ? &everything : NULL, true, NULL, &vms);
	for (guint i = 0; status == 0 && i < vms->len; i++) {
		const char *vm = ((struct vm *)vms->pdata[i])->name;
		struct client_call call = tool_call(run, "admin.vm.volume.List", NULL, vm, NULL);
		g_auto(GStrv) volumes = client_lines(call.ok ? call.content : "");

		client_clear(&call, 1);
		add_rows(run, options, vm, volumes, rows);
	}
	if (status != 0)
		return status;
	g_ptr_array_sort(rows, compare_rows);
	if (run->json) {
		show_json_rows(stdout, keys, rows);
		return 0;
	}
	g_ptr_array_insert(rows, 0, g_strdupv((char **)titles));
	if (!options->full && show_is_terminal(stdout))
		blank_repeated(rows);
	show_table(stdout, rows);
	return 0;
}

/* --- info and config ------------------------------------------------------------------------ */

static void
show_revisions(const char *content)
{
	g_auto(GStrv) revisions = client_lines(content);

	if (revisions[0] == NULL) {
		printf("List of available revisions (for revert): none\n");
		return;
	}
	printf("List of available revisions (for revert):\n");
	for (size_t i = 0; revisions[i] != NULL; i++) {
		g_autofree char *line = g_strconcat("  ", revisions[i], NULL);

		show_line(stdout, line);
	}
}

static void
show_info(const char *info, const char *revisions)
{
	static const char *const keys[] = {"pool", "vid", "rw", "source", "save_on_stop",
	    "snap_on_start", "size", "usage", "revisions_to_keep", "ephemeral", "is_outdated"};
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *value = find_value(info, keys[i]);

		if (value != NULL)
			g_ptr_array_add(rows, g_strdupv((char *[]){(char *)keys[i], value, NULL}));
	}
	show_table(stdout, rows);
	show_revisions(revisions);
}

static int
run_info(struct tool_run *run, const struct volume_options *options)
{
	const char *property = tool_word(run, 2);
	struct target target = {0};
	int status = find_target(run, 1, &target);
	struct client_call calls[] = {
	    {.method = "admin.vm.volume.Info", .arg = target.volume, .dest = target.vm},
	    {.method = "admin.vm.volume.ListSnapshots", .arg = target.volume, .dest = target.vm}};
	g_autofree char *value = NULL;

	(void)options;
	if (status != 0) {
		target_clear(&target);
		return status;
	}
	client_run(run->client, calls, G_N_ELEMENTS(calls));
	for (size_t i = 0; status == 0 && i < G_N_ELEMENTS(calls); i++) {
		if (!calls[i].ok) {
			tool_say("Error: %s", calls[i].message);
			status = TOOL_FAILED;
		}
	}
	if (status == 0 && property != NULL && strcmp(property, "revisions") == 0)
		fputs(calls[1].content, stdout);
	else if (status == 0 && property != NULL)
		value = find_value(calls[0].content, property);
	else if (status == 0)
		show_info(calls[0].content, calls[1].content);
	if (value != NULL)
		show_line(stdout, value);
	else if (status == 0 && property != NULL && strcmp(property, "revisions") != 0)
		status = tool_usage_error(run, "no such property: '%s'", property);
	client_clear(calls, G_N_ELEMENTS(calls));
	target_clear(&target);
	return status;
}

static int
run_config(struct tool_run *run, const struct volume_options *options)
{
	static const char *const settings[] = {"rw", "revisions_to_keep", "ephemeral", NULL};
	const char *setting = tool_word(run, 2), *value = tool_word(run, 3);
	g_autofree char *method = NULL;
	struct target target = {0};
	int status;

	(void)options;
	if (value == NULL || run->words->len > 4)
		return tool_usage_error(run, "give VMNAME:VOLUME, a property and its value");
	if (!g_strv_contains(settings, setting))
		return tool_usage_error(run, "no such property: '%s'", setting);
	status = find_target(run, 1, &target);
	method = g_strconcat("admin.vm.volume.Set.", setting, NULL);
	if (status == 0)
		status = change(run, &target, method, value);
	target_clear(&target);
	return status;
}

/* --- resize, revert, clear, clone ----------------------------------------------------------- */

static int
resize_target(struct tool_run *run, const struct volume_options *options,
    const struct target *target, uint64_t size)
{
	struct client_call call =
	    tool_call(run, "admin.vm.volume.Info", target->volume, target->vm, NULL);
	g_autofree char *text = call.ok ? find_value(call.content, "size") : NULL;
	g_autofree char *payload = g_strdup_printf("%" G_GUINT64_FORMAT, size);

	client_clear(&call, 1);
	if (text != NULL && !options->force && size < g_ascii_strtoull(text, NULL, 10)) {
		tool_say("Error: %s:%s is larger: to make it smaller, say --force", target->vm,
		    target->volume);
		return TOOL_FAILED;
	}
	return change(run, target, "admin.vm.volume.Resize", payload);
}

static int
run_resize(struct tool_run *run, const struct volume_options *options)
{
	struct target target = {0};
	uint64_t size;
	int status;

	if (run->words->len != 3 || !parse_size(tool_word(run, 2), &size))
		return tool_usage_error(run, "give VMNAME:VOLUME and a size (10737418240, 10g)");
	status = find_target(run, 1, &target);
	if (status == 0)
		status = resize_target(run, options, &target, size);
	target_clear(&target);
	return status;
}

/* The newest revision (g_free()), NULL after saying why there is none. */
static char *
newest_revision(struct tool_run *run, const struct target *target)
{
	struct client_call call =
	    tool_call(run, "admin.vm.volume.ListSnapshots", target->volume, target->vm, NULL);
	g_auto(GStrv) revisions = client_lines(call.ok ? call.content : "");
	guint count = g_strv_length(revisions);

	if (count == 0)
		tool_say(
		    "Error: %s", call.ok ? "There is no revision to go back to" : call.message);
	client_clear(&call, 1);
	return count > 0 ? g_strdup(revisions[count - 1]) : NULL;
}

static int
run_revert(struct tool_run *run, const struct volume_options *options)
{
	struct target target = {0};
	g_autofree char *revision = g_strdup(tool_word(run, 2));
	int status;

	(void)options;
	if (run->words->len > 3)
		return tool_usage_error(run, "give VMNAME:VOLUME and at most one revision");
	status = find_target(run, 1, &target);
	if (status == 0 && revision == NULL) {
		revision = newest_revision(run, &target);
		status = revision != NULL ? 0 : TOOL_FAILED;
	}
	if (status == 0)
		status = change(run, &target, "admin.vm.volume.Revert", revision);
	target_clear(&target);
	return status;
}

static bool
is_confirmed(const struct volume_options *options, const struct target *target, const char *what)
{
	g_autofree char *question = g_strdup_printf(
	    "All data in %s:%s will be replaced. Go on? [y/N] ", target->vm, target->volume);

	if (options->force || tool_confirm(question, "y"))
		return true;
	printf("%s cancelled.\n", what);
	return false;
}

static int
run_clear(struct tool_run *run, const struct volume_options *options)
{
	struct target target = {0};
	int status = find_target(run, 1, &target);

	if (status == 0 && is_confirmed(options, &target, "Clear"))
		status = change(run, &target, "admin.vm.volume.Clear", NULL);
	target_clear(&target);
	return status;
}

static int
clone_target(struct tool_run *run, const struct target *from, const struct target *to)
{
	struct client_call call =
	    tool_call(run, "admin.vm.volume.CloneFrom", from->volume, from->vm, NULL);
	g_autofree char *token = g_strdup(call.ok ? call.content : NULL);
	int status = say_call(&call);

	return status != 0 ? status : change(run, to, "admin.vm.volume.CloneTo", token);
}

static int
run_clone(struct tool_run *run, const struct volume_options *options)
{
	struct target from = {0}, to = {0};
	int status = find_target(run, 1, &from);

	if (status == 0)
		status = find_target(run, 2, &to);
	if (status == 0 && is_confirmed(options, &to, "Clone"))
		status = clone_target(run, &from, &to);
	target_clear(&from);
	target_clear(&to);
	return status;
}

/* --- import --------------------------------------------------------------------------------- */

/* A folder can be opened, but not read: told before the volume is touched. Or a negative errno. */
static int
open_image(const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = fstat(fd, &status) < 0 ? -errno : S_ISDIR(status.st_mode) ? -EISDIR : 0;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int
import_target(struct tool_run *run, const struct volume_options *options,
    const struct target *target, const char *path, uint64_t size)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct import import = {.vm = target->vm, .volume = target->volume, .size = size};
	g_autofree char *error = NULL;

	import.fd = is_stdin ? STDIN_FILENO : open_image(path);
	if (import.fd < 0)
		return tool_error(run, "%s: %s", path, strerror(-import.fd));
	if (size == 0 && !options->no_resize)
		import.size = import_file_size(import.fd);
	error = import_run(run, &import);
	if (!is_stdin)
		close(import.fd);
	if (error == NULL)
		return 0;
	tool_say("Error: %s", error);
	return TOOL_FAILED;
}

static int
run_import(struct tool_run *run, const struct volume_options *options)
{
	struct target target = {0};
	uint64_t size = 0;
	int status;

	if (run->words->len != 3)
		return tool_usage_error(run, "give VMNAME:VOLUME and a file, or - for stdin");
	if (options->size != NULL && (options->no_resize || !parse_size(options->size, &size)))
		return tool_usage_error(run, "--size needs a size, and no --no-resize");
	status = find_target(run, 1, &target);
	if (status == 0)
		status = import_target(run, options, &target, tool_word(run, 2), size);
	target_clear(&target);
	return status;
}

/* --- the tool ------------------------------------------------------------------------------- */

static const struct {
	const char *words; /* its names, between blanks */
	int (*run)(struct tool_run *run, const struct volume_options *options);
} commands[] = {
    {" list ls l ", run_list},
    {" info i ", run_info},
    {" config c set s ", run_config},
    {" resize extend ", run_resize},
    {" revert rv r ", run_revert},
    {" import ", run_import},
    {" clone ", run_clone},
    {" clear ", run_clear},
};

static int
volume_main(struct tool_run *run, void *options)
{
	const char *word = run->words->len > 0 ? tool_word(run, 0) : "list";
	g_autofree char *wanted = g_strdup_printf(" %s ", word);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strchr(word, ' ') == NULL && strstr(commands[i].words, wanted) != NULL)
			return commands[i].run(run, options);
	}
	return tool_usage_error(run, "no such command: '%s'", word);
}

const struct tool tool_volume = {
    "qvm-volume",
    "list [-p POOL] [--full] [VMNAME...]\n"
    "info VMNAME:VOLUME [PROPERTY]\n"
    "config VMNAME:VOLUME PROPERTY VALUE\n"
    "resize [-f] VMNAME:VOLUME SIZE\n"
    "revert VMNAME:VOLUME [REVISION]\n"
    "import [--size SIZE|--no-resize] VMNAME:VOLUME FILE|-\n"
    "clone [-f] VMNAME:VOLUME VMNAME:VOLUME\n"
    "clear [-f] VMNAME:VOLUME",
    "Lists, changes and fills the volumes of qubes.",
    volume_options,
    sizeof(struct volume_options),
    volume_main,
};
