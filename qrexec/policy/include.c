#include "qrexec/policy/include.h"

#include "qrexec/policy/parse.h"
#include "qrexec/policy/policy_file.h"
#include "shared/paths.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define POLICY_SUFFIX ".policy"

/* A file being read, and the line that asked for it. On the stack, innermost first. */
struct frame {
	const struct frame *parent; /* NULL for a file of the policy folders themselves */
	const char *file;
	unsigned line; /* where the reader stands */
	unsigned depth;
	dev_t device;
	ino_t inode;
};

struct loader {
	const struct policy_places *places; /* NULL: one text alone */
	struct policy *policy;              /* owned until it is done */
	struct policy_load_error *error;
	struct policy_load_notes *notes;
	const char *base; /* what relative paths are relative to */
	unsigned files;
	size_t bytes;
};

/* How the lines of a file are read. */
struct reading {
	enum policy_format format;
	const char *service, *argument; /* service format; NULL: any */
};

static const struct reading reading_rules = {.format = POLICY_FORMAT_RULES};

/* --- the objects of the header -------------------------------------------------------------- */

static void
places_add(struct policy_places *places, char *path, bool optional)
{
	struct policy_folder folder = {.path = path, .optional = optional};

	g_array_append_val(places->folders, folder);
}

struct policy_places *
policy_places_new(char *const *folders)
{
	struct policy_places *places = g_new0(struct policy_places, 1);

	places->folders = g_array_new(FALSE, FALSE, sizeof(struct policy_folder));
	places->legacy_folder = path_in_rpc_dir("policy");
	if (folders == NULL) {
		places_add(places, path_in_runtime_dir("policy.d"), true);
		places_add(places, path_in_config_dir("policy.d"), false);
		return places;
	}
	for (; *folders != NULL; folders++)
		places_add(places, g_strdup(*folders), false);
	return places;
}

void
policy_places_free(struct policy_places *places)
{
	if (places == NULL)
		return;
	for (guint i = 0; i < places->folders->len; i++)
		g_free(g_array_index(places->folders, struct policy_folder, i).path);
	g_array_free(places->folders, TRUE);
	g_free(places->legacy_folder);
	g_free(places);
}

void
policy_load_error_clear(struct policy_load_error *error)
{
	g_clear_pointer(&error->file, g_free);
	g_clear_pointer(&error->text, g_free);
	error->line = 0;
}

char *
policy_load_error_format(const struct policy_load_error *error)
{
	return g_strdup_printf("%s:%u: %s", error->file, error->line, error->text);
}

void
policy_load_notes_init(struct policy_load_notes *notes)
{
	notes->warnings = g_ptr_array_new_with_free_func(g_free);
	notes->folders = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void
policy_load_notes_fini(struct policy_load_notes *notes)
{
	g_clear_pointer(&notes->warnings, g_ptr_array_unref);
	g_clear_pointer(&notes->folders, g_hash_table_unref);
}

/* --- errors and warnings -------------------------------------------------------------------- */

static int refuse(struct loader *loader, int code, const char *file, unsigned line,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Only the first error counts; what follows is its consequence. */
static int
refuse(struct loader *loader, int code, const char *file, unsigned line, const char *format, ...)
{
	va_list args;

	if (loader->error->text != NULL)
		return code;
	va_start(args, format);
	loader->error->file = g_strdup(file);
	loader->error->line = line;
	loader->error->text = g_strdup_vprintf(format, args);
	va_end(args);
	return code;
}

/* The error of a file as a whole: blamed on the line that includes it, if one does. */
static int
refuse_file(
    struct loader *loader, int code, const struct frame *parent, const char *path, const char *what)
{
	if (parent == NULL)
		return refuse(loader, code, path, 0, "%s", what);
	return refuse(loader, code, parent->file, parent->line, "%s: %s", path, what);
}

static void
warn_of_token(struct loader *loader, const struct frame *frame, const struct policy_token *token)
{
	if (policy_token_is_plain(token->value) || token->kind == POLICY_TOKEN_ANY)
		return;
	g_ptr_array_add(loader->notes->warnings, g_strdup_printf("%s:%u: no qube can match '%s'",
						     frame->file, frame->line, token->text));
}

static void
note_folder(struct loader *loader, const char *path)
{
	g_hash_table_add(loader->notes->folders, g_strdup(path));
}

static void
note_folder_of(struct loader *loader, const char *path)
{
	g_autofree char *link_target = realpath(path, NULL);

	g_hash_table_add(loader->notes->folders, g_path_get_dirname(path));
	if (link_target != NULL)
		g_hash_table_add(loader->notes->folders, g_path_get_dirname(link_target));
}

/* --- folders -------------------------------------------------------------------------------- */

static bool
has_policy_suffix(const char *name)
{
	return g_str_has_suffix(name, POLICY_SUFFIX);
}

static bool
is_policy_name(const char *name)
{
	return name[strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz_.-")] == '\0';
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The ".policy" files of a folder. As policy_file_list(), and refuses bad names. */
static GPtrArray *
list_policy_files(struct loader *loader, const char *path, int *ret_error)
{
	g_autoptr(GPtrArray) names = policy_file_list(path, has_policy_suffix, ret_error);

	note_folder(loader, path);
	if (names == NULL)
		return NULL;
	g_ptr_array_sort(names, compare_names);
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		g_autofree char *file = NULL;

		if (is_policy_name(name))
			continue;
		file = g_build_filename(path, name, NULL);
		*ret_error = refuse(
		    loader, -EINVAL, file, 0, "only 0-9, a-z, '_', '.' and '-' may be in the name");
		return NULL;
	}
	return g_steal_pointer(&names);
}

/* --- statements ----------------------------------------------------------------------------- */

static int load_file(struct loader *loader, const struct frame *parent, const char *path,
    const struct reading *reading);

static int
on_rule(struct loader *loader, const struct frame *frame, const struct reading *reading,
    const struct policy_statement *statement)
{
	struct policy *policy = loader->policy;
	struct policy_rule rule = {
	    .service = policy_intern(policy, statement->service),
	    .argument = policy_intern(policy, statement->argument),
	    .source = policy_intern_token(policy, &statement->source),
	    .target = policy_intern_token(policy, &statement->target),
	    .action = statement->action,
	    .user = policy_intern(policy, statement->user),
	    .notify = statement->notify,
	    .autostart = statement->autostart,
	    .file = policy_intern(policy, frame->file),
	    .line = frame->line,
	};

	(void)reading;
	warn_of_token(loader, frame, &statement->source);
	warn_of_token(loader, frame, &statement->target);
	if (statement->has_redirect) {
		warn_of_token(loader, frame, &statement->redirect);
		rule.redirect = policy_intern_token(policy, &statement->redirect);
	}
	if (statement->has_default_target) {
		warn_of_token(loader, frame, &statement->default_target);
		rule.default_target = policy_intern_token(policy, &statement->default_target);
	}
	policy_add_rule(policy, &rule);
	return 0;
}

static char *
resolve_path(const struct loader *loader, const char *path)
{
	if (g_path_is_absolute(path))
		return g_strdup(path);
	return g_build_filename(loader->base, path, NULL);
}

static int
on_include(struct loader *loader, const struct frame *frame, const struct reading *reading,
    const struct policy_statement *statement)
{
	g_autofree char *path = resolve_path(loader, statement->path);

	return load_file(loader, frame, path, reading);
}

static int
on_include_dir(struct loader *loader, const struct frame *frame, const struct reading *reading,
    const struct policy_statement *statement)
{
	g_autofree char *path = resolve_path(loader, statement->path);
	g_autoptr(GPtrArray) names = NULL;
	int r = 0;

	names = list_policy_files(loader, path, &r);
	if (names == NULL)
		return refuse_file(loader, r, frame, path, g_strerror(-r));
	for (guint i = 0; i < names->len && r == 0; i++) {
		g_autofree char *file = g_build_filename(path, g_ptr_array_index(names, i), NULL);

		r = load_file(loader, frame, file, reading);
	}
	return r;
}

static int
on_include_service(struct loader *loader, const struct frame *frame, const struct reading *reading,
    const struct policy_statement *statement)
{
	g_autofree char *path = resolve_path(loader, statement->path);
	struct reading service = {
	    .format = POLICY_FORMAT_SERVICE,
	    .service = policy_intern(loader->policy, statement->service),
	    .argument = policy_intern(loader->policy, statement->argument),
	};

	(void)reading;
	return load_file(loader, frame, path, &service);
}

/* --- the legacy folder: a file a service ---------------------------------------------------- */

static bool
is_legacy_name(const char *name)
{
	static const char *const leftovers[] = {".rpmsave", ".rpmnew", ".swp"};

	for (size_t i = 0; i < G_N_ELEMENTS(leftovers); i++) {
		if (g_str_has_suffix(name, leftovers[i]))
			return false;
	}
	for (const char *p = name; *p != '\0'; p++) {
		if (!g_ascii_isalnum(*p) && strchr("+-._", *p) == NULL)
			return false;
	}
	return name[0] != '+';
}

/* By service; of one service by argument, and the file for all other arguments last. */
static int
compare_legacy_names(gconstpointer a, gconstpointer b)
{
	const char *name_a = *(const char *const *)a;
	const char *name_b = *(const char *const *)b;
	size_t len_a = strcspn(name_a, "+");
	size_t len_b = strcspn(name_b, "+");
	int order = memcmp(name_a, name_b, MIN(len_a, len_b));

	if (order != 0)
		return order;
	if (len_a != len_b)
		return len_a < len_b ? -1 : 1;
	if ((name_a[len_a] == '\0') != (name_b[len_b] == '\0'))
		return name_a[len_a] == '\0' ? 1 : -1;
	return strcmp(name_a + len_a, name_b + len_b);
}

/* A legacy file for one argument also denied whatever it did not allow. */
static void
add_implied_deny(
    struct loader *loader, const char *path, const struct reading *reading, const char *target)
{
	struct policy *policy = loader->policy;
	struct policy_token token;
	struct policy_rule rule = {
	    .service = reading->service,
	    .argument = reading->argument,
	    .action = POLICY_ACTION_DENY,
	    .notify = true,
	    .file = policy_intern(policy, path),
	};

	policy_token_parse("@anyvm", POLICY_COLUMN_SOURCE, &token);
	rule.source = policy_intern_token(policy, &token);
	policy_token_parse(target, POLICY_COLUMN_TARGET, &token);
	rule.target = policy_intern_token(policy, &token);
	policy_add_rule(policy, &rule);
}

static int
load_legacy_file(struct loader *loader, const struct frame *frame, const char *name)
{
	g_autofree char *path = g_build_filename(loader->places->legacy_folder, name, NULL);
	g_autofree char *service = g_strndup(name, strcspn(name, "+"));
	const char *argument = strchr(name, '+');
	struct reading reading = {
	    .format = POLICY_FORMAT_SERVICE,
	    .service = policy_intern(loader->policy, service),
	    .argument = policy_intern(loader->policy, argument),
	};
	int r;

	r = load_file(loader, frame, path, &reading);
	if (r < 0 || argument == NULL)
		return r;
	add_implied_deny(loader, path, &reading, "@anyvm");
	add_implied_deny(loader, path, &reading, "@adminvm");
	return 0;
}

static int
on_compat(struct loader *loader, const struct frame *frame, const struct reading *reading,
    const struct policy_statement *statement)
{
	const char *folder = loader->places->legacy_folder;
	const char *base = loader->base;
	g_autoptr(GPtrArray) names = NULL;
	int r = 0;

	(void)reading;
	(void)statement;
	g_ptr_array_add(loader->notes->warnings,
	    g_strdup_printf("%s:%u: the old policy folder %s is still in use", frame->file,
		frame->line, folder));
	note_folder(loader, folder);
	names = policy_file_list(folder, is_legacy_name, &r);
	if (names == NULL)
		return refuse_file(loader, r, frame, folder, g_strerror(-r));
	g_ptr_array_sort(names, compare_legacy_names);
	loader->base = folder;
	for (guint i = 0; i < names->len && r == 0; i++)
		r = load_legacy_file(loader, frame, g_ptr_array_index(names, i));
	loader->base = base;
	return r;
}

typedef int (*statement_handler)(
    struct loader *, const struct frame *, const struct reading *, const struct policy_statement *);

static const statement_handler statement_handlers[] = {
    [POLICY_RULE] = on_rule,
    [POLICY_INCLUDE] = on_include,
    [POLICY_INCLUDE_DIR] = on_include_dir,
    [POLICY_INCLUDE_SERVICE] = on_include_service,
    [POLICY_COMPAT] = on_compat,
};

/* --- files ---------------------------------------------------------------------------------- */

static int
take_statement(struct loader *loader, const struct frame *frame, const struct reading *reading,
    const struct policy_statement *statement)
{
	if (statement->kind != POLICY_RULE && loader->places == NULL)
		return refuse(loader, -EINVAL, frame->file, frame->line, "no directives here");
	return statement_handlers[statement->kind](loader, frame, reading, statement);
}

static int
load_statements(struct loader *loader, struct frame *frame, const struct reading *reading,
    const char *bytes, size_t len)
{
	struct policy_parser parser;
	struct policy_statement statement;
	int r;

	policy_parser_init(
	    &parser, reading->format, reading->service, reading->argument, bytes, len);
	while ((r = policy_parser_next(&parser, &statement)) > 0) {
		frame->line = parser.line;
		r = take_statement(loader, frame, reading, &statement);
		if (r < 0)
			break;
	}
	if (parser.error != NULL)
		refuse(loader, r, frame->file, parser.line, "%s", parser.error);
	policy_parser_fini(&parser);
	return r;
}

/* "a -> b -> a", for the error about a circle. */
static char *
chain_format(const struct frame *frame)
{
	GString *chain = g_string_new(frame->file);

	for (const struct frame *f = frame->parent; f != NULL; f = f->parent) {
		g_string_prepend(chain, " -> ");
		g_string_prepend(chain, f->file);
	}
	return g_string_free(chain, FALSE);
}

static int
check_chain(struct loader *loader, const struct frame *frame)
{
	g_autofree char *chain = NULL;
	const char *what = NULL;

	for (const struct frame *f = frame->parent; f != NULL && what == NULL; f = f->parent) {
		if (f->device == frame->device && f->inode == frame->inode)
			what = "include goes round in a circle";
	}
	if (what == NULL && frame->depth > POLICY_DEPTH_MAX)
		what = "includes too deep";
	if (what == NULL)
		return 0;
	chain = chain_format(frame);
	return refuse(
	    loader, -ELOOP, frame->parent->file, frame->parent->line, "%s: %s", what, chain);
}

static int
load_file(struct loader *loader, const struct frame *parent, const char *path,
    const struct reading *reading)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct frame frame = {
	    .parent = parent,
	    .file = path,
	    .depth = parent != NULL ? parent->depth + 1 : 0,
	};
	struct stat state = {0};
	int r;

	if (++loader->files > POLICY_TOTAL_FILES)
		return refuse_file(loader, -E2BIG, parent, path, "too many files");
	note_folder_of(loader, path);
	r = policy_file_read(path, &state, bytes);
	if (r < 0)
		return refuse_file(loader, r, parent, path, policy_file_error_text(r));
	loader->bytes += bytes->len;
	if (loader->bytes > POLICY_TOTAL_BYTES)
		return refuse_file(loader, -E2BIG, parent, path, "too many bytes in all files");
	frame.device = state.st_dev;
	frame.inode = state.st_ino;
	r = check_chain(loader, &frame);
	if (r < 0)
		return r;
	return load_statements(loader, &frame, reading, (const char *)bytes->data, bytes->len);
}

/* --- the whole ------------------------------------------------------------------------------ */

/* Base name -> folder for every file in use. Sorted afterwards; both texts are borrowed. */
struct source_file {
	char *name; /* owned */
	const char *folder;
};

static void
source_file_clear(gpointer data)
{
	g_free(((struct source_file *)data)->name);
}

static int
compare_source_files(gconstpointer a, gconstpointer b)
{
	return strcmp(((const struct source_file *)a)->name, ((const struct source_file *)b)->name);
}

/* Adds the files of one folder that no earlier folder has. */
static int
collect_folder(
    struct loader *loader, const struct policy_folder *folder, GHashTable *seen, GArray *files)
{
	g_autoptr(GPtrArray) names = NULL;
	int r = 0;

	names = list_policy_files(loader, folder->path, &r);
	if (names == NULL && r == -ENOENT && folder->optional)
		return 0;
	if (names == NULL)
		return refuse(loader, r, folder->path, 0, "%s", g_strerror(-r));
	for (guint i = 0; i < names->len; i++) {
		struct source_file file = {.folder = folder->path};

		if (!g_hash_table_add(seen, g_strdup(g_ptr_array_index(names, i))))
			continue;
		file.name = g_strdup(g_ptr_array_index(names, i));
		g_array_append_val(files, file);
	}
	return 0;
}

static int
load_all(struct loader *loader)
{
	const GArray *folders = loader->places->folders;
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(struct source_file));
	int r = 0;

	g_array_set_clear_func(files, source_file_clear);
	for (guint i = 0; i < folders->len && r == 0; i++)
		r = collect_folder(
		    loader, &g_array_index(folders, struct policy_folder, i), seen, files);
	g_array_sort(files, compare_source_files);
	for (guint i = 0; i < files->len && r == 0; i++) {
		const struct source_file *file = &g_array_index(files, struct source_file, i);
		g_autofree char *path = g_build_filename(file->folder, file->name, NULL);

		loader->base = file->folder;
		r = load_file(loader, NULL, path, &reading_rules);
	}
	return r;
}

int
policy_load(const struct policy_places *places, struct policy **ret,
    struct policy_load_error *error, struct policy_load_notes *notes)
{
	struct loader loader = {
	    .places = places,
	    .policy = policy_new(),
	    .error = error,
	    .notes = notes,
	};
	int r;

	*error = (struct policy_load_error){0};
	r = load_all(&loader);
	if (r < 0) {
		policy_free(loader.policy);
		return r;
	}
	*ret = loader.policy;
	return 0;
}

int
policy_load_text(const char *name, const char *text, size_t len, struct policy **ret,
    struct policy_load_error *error)
{
	struct policy_load_notes notes;
	struct loader loader = {.policy = policy_new(), .error = error, .notes = &notes};
	struct frame frame = {.file = name};
	int r;

	*error = (struct policy_load_error){0};
	policy_load_notes_init(&notes);
	r = load_statements(&loader, &frame, &reading_rules, text, len);
	policy_load_notes_fini(&notes);
	if (r < 0) {
		policy_free(loader.policy);
		return r;
	}
	*ret = loader.policy;
	return 0;
}
