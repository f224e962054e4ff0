#include "qubesd/domain_files.h"

#include "qubesd/domain.h"
#include "qubesd/qubes_app.h"
#include "qubesd/sandbox/tree.h"
#include "qubesd/storage/driver.h"
#include "qubesd/storage/volume.h"
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

/*
 * Where qubes have folders: the state folder first, then the folders of pools that lie elsewhere.
 * g_ptr_array_unref()
 */
static GPtrArray *
find_roots(const struct qubes_app *app)
{
	const GPtrArray *pools = qubes_app_pools(app);
	GPtrArray *roots = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *state = path_in_state_dir("");

	g_ptr_array_add(roots, g_canonicalize_filename(state, NULL));
	for (guint i = 0; i < pools->len; i++) {
		const struct pool *pool = pools->pdata[i];
		const struct volume_driver *driver = volume_driver_find(pool->driver);
		const char *dir = pool_get(pool, "dir_path");
		g_autofree char *root = NULL;

		if (driver == NULL || !driver->has_content || dir == NULL)
			continue;
		root = g_canonicalize_filename(dir, NULL);
		if (!g_ptr_array_find_with_equal_func(roots, root, g_str_equal, NULL))
			g_ptr_array_add(roots, g_steal_pointer(&root));
	}
	return roots;
}

static const char *
kind_folder(const struct domain *domain)
{
	return domain_class(domain) == DOMAIN_TEMPLATE ? "vm-templates" : "appvms";
}

static char *
folder_in(const char *root, const struct domain *domain)
{
	return g_build_filename(root, kind_folder(domain), domain_name(domain), NULL);
}

static char *
aside_in(const char *root, const char *uuid)
{
	return g_build_filename(root, ASIDE, uuid, NULL);
}

/* Removes the folder and its "private" when there is nothing in them. */
static void
remove_empty(const char *dir)
{
	g_autofree char *private = g_build_filename(dir, "private", NULL);

	(void)rmdir(private);
	(void)rmdir(dir);
}

static bool
fail_make(const struct domain *domain, const char *dir, int error, struct admin_error *ret)
{
	/* The path is for the log: who asks may be a qube. */
	log_warn("%s: cannot make %s: %s", domain_name(domain), dir, strerror(error));
	return admin_error_set(ret, "QubesException", "The folder of qube '%s' cannot be made: %s",
	    domain_name(domain),
	    error == EEXIST ? "an older qube of that name left files behind" : strerror(error));
}

bool
domain_files_make(const struct domain *domain, struct admin_error *error)
{
	g_autoptr(GPtrArray) roots = find_roots(domain_app(domain));
	g_autofree char *dir = domain_dir(domain);
	g_autofree char *parent = g_path_get_dirname(dir);
	g_autofree char *private = domain_private_dir(domain);

	if (!has_folder(domain))
		return true;
	for (guint i = 1; i < roots->len; i++) {
		g_autofree char *elsewhere = folder_in(roots->pdata[i], domain);

		remove_empty(elsewhere);
		if (g_file_test(elsewhere, G_FILE_TEST_EXISTS))
			return fail_make(domain, elsewhere, EEXIST, error);
	}
	remove_empty(dir);
	if (g_mkdir_with_parents(parent, 0755) < 0 || mkdir(dir, 0711) < 0)
		return fail_make(domain, dir, errno, error);
	if (domain_class(domain) != DOMAIN_DISP && mkdir(private, 0700) < 0)
		return fail_make(domain, dir, errno, error);
	return true;
}

bool
domain_files_make_folders(
    const struct domain *domain, const GPtrArray *volumes, struct admin_error *error)
{
	for (guint i = 0; i < volumes->len; i++) {
		const struct volume *volume = volumes->pdata[i];
		const struct pool *pool = qubes_app_pool(domain_app(domain), volume->pool);
		const struct volume_driver *driver =
		    pool != NULL ? volume_driver_find(pool->driver) : NULL;
		const char *root = pool != NULL ? pool_get(pool, "dir_path") : NULL;
		g_autofree char *dir = NULL;

		if (driver == NULL || !driver->has_content || root == NULL || volume->vid == NULL)
			continue;
		dir = folder_in(root, domain);
		if (g_mkdir_with_parents(dir, 0711) < 0)
			return fail_make(domain, dir, errno, error);
	}
	return true;
}

void
domain_files_set_aside(const struct domain *domain)
{
	g_autoptr(GPtrArray) roots = find_roots(domain_app(domain));

	for (guint i = 0; has_folder(domain) && i < roots->len; i++) {
		g_autofree char *dir = folder_in(roots->pdata[i], domain);
		g_autofree char *aside = aside_in(roots->pdata[i], domain_uuid(domain));
		g_autofree char *parent = g_path_get_dirname(aside);

		if (!g_file_test(dir, G_FILE_TEST_EXISTS))
			continue;
		g_mkdir_with_parents(parent, 0700);
		if (rename(dir, aside) < 0 && errno != ENOENT)
			log_warn("%s: cannot set its folder aside: %s", domain_name(domain),
			    strerror(errno));
	}
}

void
domain_files_bring_back(const struct domain *domain)
{
	g_autoptr(GPtrArray) roots = find_roots(domain_app(domain));

	for (guint i = 0; has_folder(domain) && i < roots->len; i++) {
		g_autofree char *dir = folder_in(roots->pdata[i], domain);
		g_autofree char *aside = aside_in(roots->pdata[i], domain_uuid(domain));

		if (rename(aside, dir) < 0 && errno != ENOENT)
			log_error("%s: its folder stays in %s: %s", domain_name(domain), aside,
			    strerror(errno));
	}
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
	g_autoptr(GPtrArray) roots = find_roots(domain_app(domain));

	for (guint i = 0; has_folder(domain) && i < roots->len; i++) {
		g_autofree char *aside = aside_in(roots->pdata[i], domain_uuid(domain));

		if (g_file_test(aside, G_FILE_TEST_EXISTS))
			delete_in_thread(g_steal_pointer(&aside));
	}
}

void
domain_files_unmake(const struct domain *domain)
{
	g_autofree char *dir = domain_dir(domain);

	if (!has_folder(domain))
		return;
	remove_empty(dir);
	domain_files_set_aside(domain);
	domain_files_delete(domain);
}

static void
recover_root(struct qubes_app *app, const char *root)
{
	g_autofree char *aside = g_build_filename(root, ASIDE, NULL);
	g_autoptr(GDir) handle = g_dir_open(aside, 0, NULL);
	const char *name;

	while (handle != NULL && (name = g_dir_read_name(handle)) != NULL) {
		struct domain *domain = text_is_uuid(name) ? qubes_app_find_uuid(app, name) : NULL;

		if (!text_is_uuid(name))
			continue;
		if (domain != NULL)
			domain_files_bring_back(domain);
		else
			delete_in_thread(aside_in(root, name));
	}
}

void
domain_files_recover(struct qubes_app *app)
{
	g_autoptr(GPtrArray) roots = find_roots(app);

	for (guint i = 0; i < roots->len; i++)
		recover_root(app, roots->pdata[i]);
}
