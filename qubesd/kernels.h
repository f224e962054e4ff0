/*
 * kernels - the folders of the kernel pool: one per version, holding vmlinuz and what goes with it.
 *
 * The pool is the one that the global property default_pool_kernel names. Without such a pool, or
 * without its folder, there are no kernels. Results are read from the folder, and kept as long as
 * its time of change stays the same.
 */
#ifndef QUBESD_KERNELS_H
#define QUBESD_KERNELS_H

#include <stdbool.h>

struct qubes_app;

struct kernels; /* one in every app */
struct kernels *kernels_new(void);
void kernels_free(struct kernels *kernels);

/* A folder with a vmlinuz; never for a name with '/' or a leading dot. */
bool kernels_has(struct qubes_app *app, const char *version);
/* The newest version, "" when there is none; borrowed until the next call. */
const char *kernels_newest(struct qubes_app *app);
/* The path of one of the version's files; NULL when it is not there. g_free(). */
char *kernels_file(struct qubes_app *app, const char *version, const char *name);
/*
 * What every kernel of this version is told, from its folder's default-kernelopts-common.txt, one
 * line without its end; NULL when it has none. g_free().
 */
char *kernels_common_options(struct qubes_app *app, const char *version);
/* The version's default options, one line without its end; NULL when it has none. g_free(). */
char *kernels_default_options(struct qubes_app *app, const char *version);

#endif
