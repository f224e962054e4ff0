#include "qubesd/tools/session/wanted.h"

#include "shared/text.h"

#include <string.h>

#define ICON_DIR "/usr/share/icons/hicolor/128x128/devices/"

void
wanted_qube_free(struct wanted_qube *qube)
{
	if (qube == NULL)
		return;
	g_free(qube->name);
	g_free(qube->klass);
	g_free(qube->label);
	g_free(qube->icon);
	g_free(qube->guivm);
	g_free(qube->colour);
	g_free(qube);
}

struct wanted_qube *
wanted_qube_copy(const struct wanted_qube *qube)
{
	struct wanted_qube *copy = g_memdup2(qube, sizeof(*qube));

	copy->name = g_strdup(qube->name);
	copy->klass = g_strdup(qube->klass);
	copy->label = g_strdup(qube->label);
	copy->icon = g_strdup(qube->icon);
	copy->guivm = g_strdup(qube->guivm);
	copy->colour = g_strdup(qube->colour);
	return copy;
}

bool
wanted_is_same(const struct wanted_qube *a, const struct wanted_qube *b)
{
	return g_strcmp0(a->name, b->name) == 0 && g_strcmp0(a->label, b->label) == 0 &&
	       g_strcmp0(a->colour, b->colour) == 0 && a->label_index == b->label_index &&
	       g_strcmp0(a->icon, b->icon) == 0 && a->xid == b->xid && a->debug == b->debug &&
	       a->qrexec_clipboard == b->qrexec_clipboard;
}

static bool
is_colour(const char *text)
{
	if (text == NULL || strlen(text) != 8 || !g_str_has_prefix(text, "0x"))
		return false;
	for (const char *p = text + 2; *p != '\0'; p++) {
		if (!g_ascii_isxdigit(*p))
			return false;
	}
	return true;
}

enum wanted_verdict
wanted_verdict(const struct wanted_qube *qube, const char *own_name)
{
	if (qube->xid <= 0 || !qube->gui || qube->is_preload ||
	    g_strcmp0(qube->guivm, own_name) != 0 || g_strcmp0(qube->klass, "AdminVM") == 0)
		return WANTED_NO;
	if (qube->name == NULL || !text_is_qube_name(qube->name) || !is_colour(qube->colour) ||
	    qube->label_index < 1)
		return WANTED_REFUSED;
	return WANTED_DAEMON;
}

static void
add(GPtrArray *argv, const char *option, char *value)
{
	g_ptr_array_add(argv, g_strdup(option));
	if (value != NULL)
		g_ptr_array_add(argv, value);
}

static void
add_kde(GPtrArray *argv, const struct wanted_qube *qube)
{
	g_autofree char *scheme = g_strdup_printf("%s.colors", qube->label);
	g_autofree char *path = g_build_filename(g_get_user_data_dir(), "qubes-kde", scheme, NULL);

	add(argv, "-T", NULL);
	add(argv, "-p", g_strdup_printf("_KDE_NET_WM_COLOR_SCHEME=s:%s", path));
}

char **
wanted_argv(const struct wanted_qube *qube, const char *program, const char *conf_path,
    bool foreground, bool kde)
{
	GPtrArray *argv = g_ptr_array_new();

	add(argv, program, NULL);
	if (foreground)
		add(argv, "-f", NULL);
	add(argv, "-N", g_strdup(qube->name));
	add(argv, "-c", g_strdup(qube->colour));
	add(argv, "-i", g_strconcat(ICON_DIR, qube->icon, ".png", NULL));
	add(argv, "-l", g_strdup_printf("%d", qube->label_index));
	if (qube->debug) {
		add(argv, "-v", NULL);
		add(argv, "-v", NULL);
	} else {
		add(argv, "-q", NULL);
	}
	if (qube->qrexec_clipboard)
		add(argv, "-Q", NULL);
	add(argv, "-C", g_strdup(conf_path));
	if (kde)
		add_kde(argv, qube);
	add(argv, "-d", g_strdup_printf("%" G_GINT64_FORMAT, (gint64)qube->xid));
	g_ptr_array_add(argv, NULL);
	return (char **)g_ptr_array_free(argv, FALSE);
}
