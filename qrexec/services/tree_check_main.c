/*
 * qubes-fs-tree-check - looks at files before they are sent: exit 0 fine, 2 only names that need a
 * receiver which allows all of them, 1 refused.
 */
#include "qrexec/services/tree_check.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct flag {
	const char *name;
	bool *value;
};

static bool
set_flag(const struct flag *flags, size_t count, const char *argument)
{
	bool value = !g_str_has_prefix(argument, "--no-");
	const char *name = argument + (value ? 2 : 5);

	if (!g_str_has_prefix(argument, "--"))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(flags[i].name, name) == 0) {
			*flags[i].value = value;
			return true;
		}
	}
	return false;
}

int
main(int argc, char **argv)
{
	struct tree_check_options options = {.allow_links = true, .allow_directories = true};
	const struct flag flags[] = {
	    {"allow-symlinks", &options.allow_links},
	    {"allow-directories", &options.allow_directories},
	    {"allow-all-names", &options.allow_all_names},
	    {"ignore-symlinks", &options.ignore_links},
	    {"machine-readable", &options.quiet},
	};
	enum tree_check result = TREE_CHECK_FINE;
	uint64_t bytes = 0;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (!set_flag(flags, G_N_ELEMENTS(flags), argv[i]))
			goto usage;
	}
	if (i == argc)
		goto usage;
	for (; i < argc && result != TREE_CHECK_REFUSED; i++) {
		enum tree_check one = tree_check(argv[i], &options, &bytes);

		result = one == TREE_CHECK_FINE ? result : one;
	}
	if (options.quiet && result != TREE_CHECK_REFUSED)
		printf("%" PRIu64 "\n", bytes);
	return (int)result;

usage:
	fputs("usage: qubes-fs-tree-check [--machine-readable] [--[no-]allow-symlinks] "
	      "[--[no-]allow-directories]\n"
	      "       [--[no-]allow-all-names] [--[no-]ignore-symlinks] -- PATH...\n",
	    stderr);
	return 1;
}
