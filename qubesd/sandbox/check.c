/*
 * Can a sandbox be made here? Tried with bubblewrap itself, because only the kernel knows; and when
 * it says no, the reasons that are known are looked for.
 */
#include "qubesd/sandbox/sandbox.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

static bool
sysctl_is(const char *path, const char *value)
{
	g_autofree char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) && strcmp(g_strstrip(text), value) == 0;
}

/* The kernel says only "no"; these are the known reasons. */
static char *
namespace_advice(const char *said)
{
	/* clang-format off */
	static const struct {
		const char *path, *value, *advice;
	} switches[] = {
		{ "/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1" },
		{ "/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000" },
		{ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
		  "sysctl kernel.apparmor_restrict_unprivileged_userns=0" },
	};
	/* clang-format on */

	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
		if (sysctl_is(switches[i].path, switches[i].value))
			return g_strdup_printf("user namespaces are refused here: run \"%s\" (%s)",
			    switches[i].advice, said);
	return g_strdup_printf(
	    "no sandbox can be made here: bubblewrap says \"%s\". In a container, "
	    "allow it user namespaces and an unmasked /proc",
	    said);
}

char *
sandbox_check(void)
{
	g_autofree char *bwrap = g_find_program_in_path("bwrap");
	/* clang-format off */
	const char *argv[] = { bwrap, "--unshare-all", "--unshare-user", "--uid", "1000",
		"--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true", NULL };
	/* clang-format on */
	g_autofree char *said = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	if (bwrap == NULL)
		return g_strdup(SANDBOX_NO_BWRAP);
	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
		&said, &status, &error))
		return g_strdup(error->message);
	if (g_spawn_check_wait_status(status, NULL))
		return NULL;
	g_strdelimit(g_strstrip(said), "\n", ' ');
	return namespace_advice(said);
}
