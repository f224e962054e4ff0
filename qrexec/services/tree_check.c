#include "qrexec/services/tree_check.h"

#include "qrexec/services/safe_name.h"
#include "qrexec/services/tree.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

struct check {
	const struct tree_check_options *options;
	uint64_t *bytes;
	enum tree_check result;
};

static void G_GNUC_PRINTF(3, 4)
    say(const struct check *check, const char *path, const char *format, ...)
{
	g_autofree char *shown = g_strescape(path, NULL);
	g_autofree char *text = NULL;
	va_list args;

	if (check->options->quiet)
		return;
	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	fprintf(stderr, "\"%s\": %s\n", shown, text);
}

static int
refuse(struct check *check, const char *path, const char *why)
{
	say(check, path, "%s", why);
	check->result = TREE_CHECK_REFUSED;
	return -EPERM;
}

static void
note_unsafe(struct check *check, const char *path)
{
	if (check->options->allow_all_names)
		return;
	say(check, path, "unusual characters in the name");
	check->result = TREE_CHECK_UNSAFE_NAMES;
}

static int
add_size(struct check *check, const struct tree_node *node)
{
	if (__builtin_add_overflow(*check->bytes, (uint64_t)node->info.st_size, check->bytes))
		return refuse(check, node->path, "too large");
	return 0;
}

static int
check_link(struct check *check, const struct tree_node *node)
{
	g_autofree char *target = tree_read_link(node);

	if (!check->options->allow_links)
		return refuse(check, node->path, "is a link");
	if (target == NULL)
		return refuse(check, node->path, "cannot be read");
	if (safe_link(node->path, strlen(node->path), target, strlen(target), true, false) !=
	    SAFE_LINK_FINE)
		return refuse(check, node->path, "is a link out of what is to be sent");
	if (!safe_string(target, strlen(target)))
		note_unsafe(check, node->path);
	return add_size(check, node);
}

static int
check_node(const struct tree_node *node, void *data)
{
	struct check *check = data;

	if (node->kind != TREE_DIRECTORY_END && node->kind != TREE_OTHER &&
	    !safe_string(node->path, strlen(node->path)))
		note_unsafe(check, node->path);
	switch (node->kind) {
	case TREE_FILE:
		return add_size(check, node);
	case TREE_LINK:
		return check_link(check, node);
	case TREE_DIRECTORY:
		if (!check->options->allow_directories)
			return refuse(check, node->path, "is a directory");
		break;
	case TREE_DIRECTORY_END:
	case TREE_OTHER:
		break;
	}
	return 0;
}

enum tree_check
tree_check(const char *argument, const struct tree_check_options *options, uint64_t *bytes)
{
	struct check check = {options, bytes, TREE_CHECK_FINE};
	g_autofree char *failed = NULL;
	int r;

	r = tree_walk(argument, options->ignore_links, check_node, &check, &failed);
	if (r < 0 && check.result != TREE_CHECK_REFUSED) {
		say(&check, failed != NULL ? failed : argument, "%s",
		    r == -EINVAL ? "has no name of its own" : strerror(-r));
		return TREE_CHECK_REFUSED;
	}
	return check.result;
}
