#include "qubesd/domain_files.h"

#include "qubesd/domain.h"
#include "qubesd/qubes_app.h"
#include "qubesd/sandbox/tree.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE "removed"

/* dom0 and remote qubes have no folder. */
static bool
has_folder(const struct domain *domain)
{
	enum domain_class klass = domain_class(domain);

	return klass == DOMAIN_APP || klass == DOMAIN_TEMPLATE || klass == DOMAIN_STANDALONE ||
	       klass == DOMAIN_DISP;
}

static char *
aside_path(const char *uuid)
{
	g_autofree char *relative = g_build_filename(ASIDE, uuid, NULL);

	return path_in_state_dir(relative);
}

/* Removes the folder and its "private" when there is nothing in them. */
static void
remove_empty(const char *dir)
{
	g_autofree char *private = g_build_filename(dir, "private", NULL);

	(void)rmdir(private);
	(void)rmdir(dir);
}

bool
domain_files_make(const struct domain *domain, struct admin_error *error)
{
	g_autofree char *dir = domain_dir(domain);
	g_autofree char *parent = g_path_get_dirname(dir);
	g_autofree char *private = domain_private_dir(domain);

	if (!has_folder(domain))
		return true;
	remove_empty(dir);
	if (g_mkdir_with_parents(parent, 0755) < 0 || mkdir(dir, 0711) < 0)
		goto failed;
	if (domain_class(domain) != DOMAIN_DISP && mkdir(private, 0700) < 0)
		goto failed;
	return true;
failed:
	/* The path is for the log: who asks may be a qube. */
	log_warn("%s: cannot make %s: %s", domain_name(domain), dir, strerror(errno));
	return admin_error_set(error, "QubesException",
	    "The folder of qube '%s' cannot be made: %s", domain_name(domain),
	    errno == EEXIST ? "an older qube of that name left files behind" : strerror(errno));
}

void
domain_files_set_aside(const struct domain *domain)
{
	g_autofree char *dir = domain_dir(domain);
	g_autofree char *aside = aside_path(domain_uuid(domain));
	g_autofree char *parent = g_path_get_dirname(aside);

	if (!has_folder(domain))
		return;
	g_mkdir_with_parents(parent, 0700);
	if (rename(dir, aside) < 0 && errno != ENOENT)
		log_warn(
		    "%s: cannot set its folder aside: %s", domain_name(domain), strerror(errno));
}

void
domain_files_bring_back(const struct domain *domain)
{
	g_autofree char *dir = domain_dir(domain);
	g_autofree char *aside = aside_path(domain_uuid(domain));

	if (!has_folder(domain))
		return;
	if (rename(aside, dir) < 0 && errno != ENOENT)
		log_error(
		    "%s: its folder stays in %s: %s", domain_name(domain), aside, strerror(errno));
}

static void *
delete_tree(void *data)
{
	g_autofree char *path = data;
	int r = tree_remove(path);

	if (r < 0)
		log_warn("%s could not be deleted as a whole: %s", path, strerror(-r));
	return NULL;
}

static void
delete_in_thread(char *path)
{
	g_thread_unref(g_thread_new("delete", delete_tree, path));
}

void
domain_files_delete(const struct domain *domain)
{
	if (has_folder(domain))
		delete_in_thread(aside_path(domain_uuid(domain)));
}

void
domain_files_unmake(const struct domain *domain)
{
	g_autofree char *dir = domain_dir(domain);

	if (has_folder(domain))
		remove_empty(dir);
}

void
domain_files_recover(struct qubes_app *app)
{
	g_autofree char *aside = path_in_state_dir(ASIDE);
	g_autoptr(GDir) handle = g_dir_open(aside, 0, NULL);
	const char *name;

	while (handle != NULL && (name = g_dir_read_name(handle)) != NULL) {
		struct domain *domain = qubes_app_find_uuid(app, name);

		if (!text_is_uuid(name))
			continue;
		if (domain != NULL)
			domain_files_bring_back(domain);
		else
			delete_in_thread(aside_path(name));
	}
}
