#include "qubesd/sandbox/options.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define QID_MAX 9999

static bool
is_user_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
	static const char others[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";

	return name[0] != '\0' && strchr(letters, name[0]) != NULL && strlen(name) <= 31 &&
	       strspn(name, others) == strlen(name);
}

static bool
is_class(const char *klass)
{
	for (const char *p = klass; *p != '\0'; p++)
		if (!g_ascii_isalpha(*p))
			return false;
	return klass[0] != '\0';
}

static bool
is_absolute(const char *path)
{
	return path != NULL && g_path_is_absolute(path);
}

int
sandbox_options_parse(int argc, char **argv, struct sandbox_options *ret, char **ret_error)
{
	struct sandbox_options options = {.status_fd = -1, .gui_domain = -1, .memory_mib = 400};
	gint qid = 0, xid = 0, memory_mib = (gint)options.memory_mib;
	gint64 gui_domain = -1;
	gboolean discard = FALSE, debug = FALSE, try_first = FALSE;
	/* clang-format off */
	const GOptionEntry entries[] = {
		{ "name", 0, 0, G_OPTION_ARG_STRING, &options.name, "the qube's name", "NAME" },
		{ "uuid", 0, 0, G_OPTION_ARG_STRING, &options.uuid, "the qube's UUID", "UUID" },
		{ "class", 0, 0, G_OPTION_ARG_STRING, &options.klass, "the qube's class", "CLASS" },
		{ "qid", 0, 0, G_OPTION_ARG_INT, &qid, "the qube's number, for its host uids", "N" },
		{ "xid", 0, 0, G_OPTION_ARG_INT, &xid, "domain id of this run", "N" },
		{ "user", 0, 0, G_OPTION_ARG_STRING, &options.default_user, "name of uid 1000", "NAME" },
		{ "keyboard-layout", 0, 0, G_OPTION_ARG_STRING, &options.keyboard_layout, "layout+variant+options", "L" },
		{ "private", 0, 0, G_OPTION_ARG_FILENAME, &options.private_dir, "folder of /home and /rw", "DIR" },
		{ "private-source", 0, 0, G_OPTION_ARG_FILENAME, &options.private_source, "copy it from here first", "DIR" },
		{ "discard", 0, 0, G_OPTION_ARG_NONE, &discard, "start with a new private folder, remove it at the end", NULL },
		{ "root", 0, 0, G_OPTION_ARG_FILENAME, &options.root_dir, "where usr and etc are taken from", "DIR" },
		{ "memory", 0, 0, G_OPTION_ARG_INT, &memory_mib, "limit", "MIB" },
		{ "gui-domain", 0, 0, G_OPTION_ARG_INT64, &gui_domain, "domain id of the GUI domain", "N" },
		{ "services", 0, 0, G_OPTION_ARG_STRING, &options.services, "services that are switched on", "NAME..." },
		{ "debug", 0, 0, G_OPTION_ARG_NONE, &debug, "tell the guest to be verbose", NULL },
		{ "try", 0, 0, G_OPTION_ARG_NONE, &try_first, "check first", NULL },
		{ "status-fd", 0, 0, G_OPTION_ARG_INT, &options.status_fd, "where the outcome goes", "FD" },
		G_OPTION_ENTRY_NULL,
	};
	/* clang-format on */
	g_autoptr(GOptionContext) context = g_option_context_new("start|clean|check|console");
	g_autoptr(GError) error = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		*ret_error = g_strdup(error->message);
		sandbox_options_clear(&options);
		return -EINVAL;
	}
	if (argc != 1 || qid < 0 || qid > QID_MAX || xid < 0 || memory_mib < 16) {
		*ret_error = g_strdup("an argument is too many, or a number is out of range");
		sandbox_options_clear(&options);
		return -EINVAL;
	}
	options.qid = (uint32_t)qid;
	options.xid = (uint32_t)xid;
	options.memory_mib = (uint32_t)memory_mib;
	options.gui_domain = gui_domain;
	options.discard = discard;
	options.debug = debug;
	options.try_first = try_first;
	if (options.root_dir == NULL)
		options.root_dir = g_strdup("/");
	if (options.default_user == NULL)
		options.default_user = g_strdup("user");
	if (options.services == NULL)
		options.services = g_strdup("");
	if (options.keyboard_layout == NULL)
		options.keyboard_layout = g_strdup("");
	*ret = options;
	return 0;
}

int
sandbox_options_check_start(const struct sandbox_options *options, char **ret_error)
{
	const char *wrong = NULL;

	if (options->name == NULL || !text_is_qube_name(options->name))
		wrong = "--name";
	else if (options->uuid == NULL || !text_is_uuid(options->uuid))
		wrong = "--uuid";
	else if (options->klass == NULL || !is_class(options->klass))
		wrong = "--class";
	else if (options->qid == 0)
		wrong = "--qid";
	else if (options->xid == 0)
		wrong = "--xid";
	else if (!is_user_name(options->default_user))
		wrong = "--user";
	else if (!is_absolute(options->private_dir))
		wrong = "--private";
	else if (options->private_source != NULL && !is_absolute(options->private_source))
		wrong = "--private-source";
	else if (!is_absolute(options->root_dir))
		wrong = "--root";
	else if (strchr(options->keyboard_layout, '\n') != NULL)
		wrong = "--keyboard-layout";
	if (wrong == NULL)
		return 0;
	*ret_error = g_strdup_printf("%s is missing or cannot be used", wrong);
	return -EINVAL;
}

void
sandbox_options_clear(struct sandbox_options *options)
{
	g_free(options->name);
	g_free(options->uuid);
	g_free(options->klass);
	g_free(options->default_user);
	g_free(options->keyboard_layout);
	g_free(options->services);
	g_free(options->private_dir);
	g_free(options->private_source);
	g_free(options->root_dir);
	memset(options, 0, sizeof(*options));
}
