#include "qubesd/guest/xen.h"
#include "qubesd/guest/command.h"
#include "qubesd/guest/guest.h"
#include "shared/log.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONF_WORD "bordure.conf="

static const char *const modules[][4] = {
    {"modprobe", "xen-evtchn", NULL},
    /* pages that this qube may share: the default of 1024 is less than one window */
    {"modprobe", "xen-gntalloc", "limit=65536", NULL},
    {"modprobe", "xen-gntdev", NULL},
};

/* What libxenvchan and the window buffers need. Never privcmd, which speaks to the hypervisor. */
static const char *const devices[] = {
    "/dev/xen/evtchn",
    "/dev/xen/gntalloc",
    "/dev/xen/gntdev",
    "/dev/xen/xenbus",
};

void
xen_open_devices(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(modules); i++)
		if (command_run(modules[i]) != 0)
			log_warn("the module %s cannot be loaded", modules[i][1]);
	for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
		if (chown(devices[i], 0, GUEST_QUBES_GROUP) < 0 || chmod(devices[i], 0660) < 0)
			log_warn("%s: %s", devices[i], strerror(errno));
}

char *
xen_conf_of_cmdline(const char *cmdline)
{
	g_auto(GStrv) words = g_strsplit_set(cmdline, " \t\n", -1);
	char *text = NULL;
	gsize len;

	for (size_t i = 0; words[i] != NULL && text == NULL; i++) {
		if (!g_str_has_prefix(words[i], CONF_WORD))
			continue;
		text = (char *)g_base64_decode(words[i] + strlen(CONF_WORD), &len);
		if (len == 0 || strlen(text) != len)
			g_clear_pointer(&text, g_free);
	}
	return text;
}

/* xenstore-read prints this domain's id and a newline. */
static int
own_domain(char **ret)
{
	g_autoptr(GError) error = NULL;
	char *argv[] = {(char *)"xenstore-read", (char *)"domid", NULL};
	char *text = NULL;
	gint status;

	if (!g_spawn_sync(
		NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &text, NULL, &status, &error) ||
	    !g_spawn_check_wait_status(status, &error)) {
		log_error("xenstore-read domid: %s", error->message);
		g_free(text);
		return -EIO;
	}
	*ret = g_strchomp(text);
	return 0;
}

int
xen_write_conf(void)
{
	g_autofree char *cmdline = NULL;
	g_autofree char *text = NULL;
	g_autofree char *domain = NULL;
	g_autofree char *all = NULL;
	g_autoptr(GError) error = NULL;
	int r;

	if (!g_file_get_contents("/proc/cmdline", &cmdline, NULL, &error)) {
		log_error("%s", error->message);
		return -EIO;
	}
	text = xen_conf_of_cmdline(cmdline);
	if (text == NULL) {
		log_error("no %sBASE64 on the kernel's command line", CONF_WORD);
		return -ENOENT;
	}
	r = own_domain(&domain);
	if (r < 0)
		return r;
	all =
	    g_strdup_printf("%s%sxid=%s\n", text, g_str_has_suffix(text, "\n") ? "" : "\n", domain);
	return guest_save_conf(all);
}
