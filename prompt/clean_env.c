#include "prompt/clean_env.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What stays, when its value is nothing but printable ASCII. */
static const char *const kept[] = {
    "DISPLAY",
    "XAUTHORITY",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "QUBES_RUNTIME_DIR",
    "QUBES_STATE_DIR",
    "QUBES_CONFIG_DIR",
    "QUBES_RPC_DIR",
    "GDK_SCALE",
    "GDK_DPI_SCALE",
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
};

/* What is always the same. */
static const char *const fixed[] = {
    "PATH=/usr/bin:/bin",
    "GDK_BACKEND=x11",
    "GTK_IM_MODULE=gtk-im-context-simple",
    "GSETTINGS_BACKEND=memory",
    "GIO_USE_VFS=local",
    "XDG_DATA_DIRS=/usr/share",
    "XDG_CONFIG_DIRS=/etc/xdg",
    "XDG_DATA_HOME=/nonexistent",
    "XDG_CONFIG_HOME=/nonexistent",
    "XDG_CACHE_HOME=/nonexistent",
};

static const char *
value_of(const char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; *environment != NULL; environment++) {
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	}
	return NULL;
}

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (!g_ascii_isprint(*text))
			return false;
	}
	return true;
}

char **
clean_env_of(const char *const *environment)
{
	GPtrArray *clean = g_ptr_array_new();

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(clean, g_strdup(fixed[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(kept); i++) {
		const char *value = value_of(environment, kept[i]);

		if (value != NULL && is_printable(value))
			g_ptr_array_add(clean, g_strdup_printf("%s=%s", kept[i], value));
	}
	/* Without a bus GTK would start one of its own to look for assistive tools. */
	if (value_of(environment, "DBUS_SESSION_BUS_ADDRESS") == NULL)
		g_ptr_array_add(clean, g_strdup("NO_AT_BRIDGE=1"));
	g_ptr_array_add(clean, NULL);
	return (char **)g_ptr_array_free(clean, FALSE);
}

int
clean_env_ensure(char **argv)
{
	g_auto(GStrv) clean = clean_env_of((const char *const *)environ);

	if (g_strv_equal((const char *const *)clean, (const char *const *)environ))
		return 0;
	execve("/proc/self/exe", argv, clean);
	return -errno;
}
