/*
 * qvm-copy, qvm-move, qvm-copy-to-vm, qvm-move-to-vm - sends files to another qube, from inside one.
 *
 * Looks at the files, makes one call of qubes.Filecopy with qfile-agent as its local program and,
 * to move, deletes what has provably arrived. Which of the four it is, its name says.
 */
#include "qrexec/services/move.h"
#include "qrexec/services/tree.h"
#include "qrexec/services/tree_check.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_KEPT 3

struct copy {
	const char *name; /* of the tool */
	bool moves, names_target;
	bool with_progress, ignore_links, allow_disposable;
	const char *target;
	GPtrArray *files; /* owned strings */
	uint64_t total_bytes;
	bool all_names;
};

static void
usage(const struct copy *copy, FILE *to)
{
	fprintf(to,
	    "usage: %s [--with-progress|--without-progress] [--[no-]ignore-symlinks]%s%s FILE...\n",
	    copy->name, copy->moves ? " [--allow-disposable]" : "",
	    copy->names_target ? " DEST" : "");
}

/* --- the command line ----------------------------------------------------------------------- */

static bool
parse_option(struct copy *copy, const char *option)
{
	if (strcmp(option, "--with-progress") == 0 || strcmp(option, "--without-progress") == 0)
		copy->with_progress = strcmp(option, "--with-progress") == 0;
	else if (strcmp(option, "--ignore-symlinks") == 0)
		copy->ignore_links = true;
	else if (strcmp(option, "--no-ignore-symlinks") == 0)
		copy->ignore_links = false;
	else if (strcmp(option, "--allow-disposable") == 0 && copy->moves)
		copy->allow_disposable = true;
	else
		return false;
	return true;
}

static void
parse_arguments(struct copy *copy, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			usage(copy, stdout);
			exit(0);
		}
		if (!parse_option(copy, argv[i])) {
			usage(copy, stderr);
			exit(1);
		}
	}
	copy->target = "@default";
	if (copy->names_target && i < argc)
		copy->target = argv[i++];
	if (i == argc) {
		usage(copy, stderr);
		exit(1);
	}
	for (; i < argc; i++)
		g_ptr_array_add(copy->files, tree_strip_slashes(argv[i]));
	if (copy->names_target)
		fprintf(stderr,
		    "%s: the target is asked for again where the policy says so; %s does without\n",
		    copy->name, copy->moves ? "qvm-move" : "qvm-copy");
}

/* --- before --------------------------------------------------------------------------------- */

static void
check_files(struct copy *copy)
{
	const struct tree_check_options options = {
	    .allow_links = true,
	    .allow_directories = true,
	    .ignore_links = copy->ignore_links,
	};

	for (guint i = 0; i < copy->files->len; i++) {
		const char *file = g_ptr_array_index(copy->files, i);

		switch (tree_check(file, &options, &copy->total_bytes)) {
		case TREE_CHECK_FINE:
			break;
		case TREE_CHECK_UNSAFE_NAMES:
			copy->all_names = true;
			break;
		case TREE_CHECK_REFUSED:
			exit(TREE_CHECK_REFUSED);
		}
	}
}

/* What goes to a disposable is gone when it is. */
static void
check_target(const struct copy *copy)
{
	if (!copy->moves || copy->allow_disposable ||
	    (!g_str_has_prefix(copy->target, "@dispvm") &&
		!g_str_has_prefix(copy->target, "$dispvm")))
		return;
	fprintf(stderr,
	    "%s: what is moved to a disposable is lost with it; copy it, or give "
	    "--allow-disposable\n",
	    copy->name);
	exit(1);
}

static struct move *
note_files(const struct copy *copy)
{
	struct move *move;

	if (!copy->moves)
		return NULL;
	move = move_new();
	for (guint i = 0; i < copy->files->len; i++) {
		if (move_add(move, g_ptr_array_index(copy->files, i), copy->ignore_links) < 0)
			exit(1);
	}
	return move;
}

/* --- the call ------------------------------------------------------------------------------- */

static void
set_progress(const struct copy *copy)
{
	g_autofree char *total = g_strdup_printf("%" PRIu64, copy->total_bytes);

	/* A file manager sets the type itself and reads what comes. */
	if (g_getenv("PROGRESS_TYPE") == NULL)
		g_setenv("PROGRESS_TYPE", copy->with_progress ? "console" : "none", TRUE);
	g_setenv("FILECOPY_TOTAL_BYTES", total, TRUE);
}

static void G_GNUC_NORETURN
run_client(const struct copy *copy)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	g_autofree char *client = path_program("qrexec-client-vm");
	g_autofree char *packer = path_program("qfile-agent");

	set_progress(copy);
	g_ptr_array_add(argv, client);
	g_ptr_array_add(argv, "--filter-escape-chars-stderr");
	g_ptr_array_add(argv, "--");
	g_ptr_array_add(argv, (gpointer)copy->target);
	g_ptr_array_add(
	    argv, copy->all_names ? "qubes.Filecopy+allow-all-names" : "qubes.Filecopy");
	g_ptr_array_add(argv, packer);
	if (copy->ignore_links)
		g_ptr_array_add(argv, "--ignore-symlinks");
	g_ptr_array_add(argv, "--");
	for (guint i = 0; i < copy->files->len; i++)
		g_ptr_array_add(argv, g_ptr_array_index(copy->files, i));
	g_ptr_array_add(argv, NULL);
	execv(client, (char **)argv->pdata);
	fprintf(stderr, "%s: %s: %s\n", copy->name, client, strerror(errno));
	_exit(127);
}

static int
call(const struct copy *copy)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		run_client(copy);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		fprintf(stderr, "%s: %s\n", copy->name, strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
main(int argc, char **argv)
{
	g_autofree char *name = g_path_get_basename(argv[0]);
	struct copy copy = {
	    .name = name,
	    .moves = g_str_has_prefix(name, "qvm-move"),
	    .names_target = g_str_has_suffix(name, "-to-vm"),
	    .with_progress = true,
	    .files = g_ptr_array_new_with_free_func(g_free),
	};
	struct move *move;
	int exit_code;

	parse_arguments(&copy, argc, argv);
	check_target(&copy);
	check_files(&copy);
	move = note_files(&copy);
	exit_code = call(&copy);
	if (exit_code == 0 && move != NULL && move_delete(move) > 0)
		exit_code = EXIT_KEPT;
	move_free(move);
	g_ptr_array_unref(copy.files);
	return exit_code;
}
