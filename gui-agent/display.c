#include "gui-agent/display.h"

#include "shared/log.h"

#include <X11/XKBlib.h>
#include <X11/Xlib-xcb.h>
#include <X11/extensions/XTest.h>
#include <X11/extensions/Xcomposite.h>
#include <X11/extensions/Xdamage.h>
#include <X11/extensions/Xfixes.h>
#include <X11/extensions/Xrandr.h>
#include <errno.h>

#define EVENTS_PER_TURN 64

static const char *const atom_names[ATOM_COUNT] = {
    [ATOM_NET_ACTIVE_WINDOW] = "_NET_ACTIVE_WINDOW",
    [ATOM_NET_CLIENT_LIST] = "_NET_CLIENT_LIST",
    [ATOM_NET_SUPPORTED] = "_NET_SUPPORTED",
    [ATOM_NET_SUPPORTING_WM_CHECK] = "_NET_SUPPORTING_WM_CHECK",
    [ATOM_NET_WM_NAME] = "_NET_WM_NAME",
    [ATOM_NET_WM_STATE] = "_NET_WM_STATE",
    [ATOM_NET_WM_STATE_DEMANDS_ATTENTION] = "_NET_WM_STATE_DEMANDS_ATTENTION",
    [ATOM_NET_WM_STATE_FULLSCREEN] = "_NET_WM_STATE_FULLSCREEN",
    [ATOM_NET_WM_STATE_HIDDEN] = "_NET_WM_STATE_HIDDEN",
    [ATOM_QUBES_TIME] = "_QUBES_TIME",
    [ATOM_UTF8_STRING] = "UTF8_STRING",
    [ATOM_WM_CHANGE_STATE] = "WM_CHANGE_STATE",
    [ATOM_WM_DELETE_WINDOW] = "WM_DELETE_WINDOW",
    [ATOM_WM_PROTOCOLS] = "WM_PROTOCOLS",
    [ATOM_WM_STATE] = "WM_STATE",
    [ATOM_WM_TAKE_FOCUS] = "WM_TAKE_FOCUS",
};

static int
on_x_error(Display *x, XErrorEvent *event)
{
	char text[128];

	XGetErrorText(x, event->error_code, text, sizeof(text));
	log_debug("X error %s, request %d.%d, resource 0x%lx", text, event->request_code,
	    event->minor_code, event->resourceid);
	return 0;
}

static bool
query_damage(struct display *d)
{
	int error;

	return XDamageQueryExtension(d->x, &d->damage_event, &error);
}

static bool
query_fixes(struct display *d)
{
	int event, error, major = 5, minor = 0;

	return XFixesQueryExtension(d->x, &event, &error) &&
	       XFixesQueryVersion(d->x, &major, &minor) && major >= 3;
}

static bool
query_composite(struct display *d)
{
	int event, error;

	return XCompositeQueryExtension(d->x, &event, &error);
}

static bool
query_test(struct display *d)
{
	int event, error, major, minor;

	return XTestQueryExtension(d->x, &event, &error, &major, &minor);
}

static bool
query_xkb(struct display *d)
{
	int opcode, error, major = XkbMajorVersion, minor = XkbMinorVersion;

	return XkbQueryExtension(d->x, &opcode, &d->xkb_event, &error, &major, &minor);
}

static bool
query_randr(struct display *d)
{
	int error, major, minor;

	return XRRQueryExtension(d->x, &d->randr_event, &error) &&
	       XRRQueryVersion(d->x, &major, &minor) && (major > 1 || minor >= 2);
}

static const struct {
	const char *name;
	bool (*query)(struct display *display);
} extensions[] = {
    {"Composite", query_composite},
    {"DAMAGE", query_damage},
    {"XFIXES 3", query_fixes},
    {"XTEST", query_test},
    {"XKEYBOARD", query_xkb},
    {"RANDR 1.2", query_randr},
};

static int
check_extensions(struct display *display)
{
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++) {
		if (!extensions[i].query(display)) {
			log_error("the X server of this qube lacks %s", extensions[i].name);
			return -ENOTSUP;
		}
	}
	return 0;
}

static void
fill(struct display *display)
{
	XSetWindowAttributes attributes = {
	    .override_redirect = True, .event_mask = PropertyChangeMask};

	display->xcb = XGetXCBConnection(display->x);
	display->screen = DefaultScreen(display->x);
	display->root = RootWindow(display->x, display->screen);
	display->width = (unsigned)DisplayWidth(display->x, display->screen);
	display->height = (unsigned)DisplayHeight(display->x, display->screen);
	XInternAtoms(display->x, (char **)atom_names, ATOM_COUNT, False, display->atoms);
	XRRSelectInput(display->x, display->root, RRScreenChangeNotifyMask);
	/* InputOnly: never tracked, by us or by another agent's eyes. */
	display->own = XCreateWindow(display->x, display->root, -1, -1, 1, 1, 0, 0, InputOnly,
	    CopyFromParent, CWOverrideRedirect | CWEventMask, &attributes);
}

int
display_open(const char *name, struct display **ret)
{
	struct display *display = g_new0(struct display, 1);
	int r;

	XSetErrorHandler(on_x_error);
	display->x = XOpenDisplay(name);
	if (display->x == NULL) {
		g_free(display);
		return -ECONNREFUSED;
	}
	fill(display);
	r = check_extensions(display);
	if (r < 0) {
		display_close(display);
		return r;
	}
	*ret = display;
	return 0;
}

void
display_close(struct display *display)
{
	if (display == NULL)
		return;
	XCloseDisplay(display->x);
	g_free(display);
}

/* --- the source ---------------------------------------------------------------------------- */

struct display_source {
	GSource base;
	struct display *display;               /* borrowed */
	const struct display_handler *handler; /* borrowed */
	void *data;
	gpointer fd_tag;
	bool paused;
};

static gboolean
is_ready(struct display_source *source)
{
	if (source->paused) {
		XFlush(source->display->x);
		return FALSE;
	}
	return XPending(source->display->x) > 0 || source->handler->has_more(source->data);
}

static gboolean
on_prepare(GSource *base, gint *timeout_ms)
{
	*timeout_ms = -1;
	return is_ready((struct display_source *)base);
}

static gboolean
on_check(GSource *base)
{
	return is_ready((struct display_source *)base);
}

static gboolean
on_dispatch(GSource *base, GSourceFunc callback, gpointer callback_data)
{
	struct display_source *source = (struct display_source *)base;

	(void)callback;
	(void)callback_data;
	for (int i = 0; i < EVENTS_PER_TURN; i++) {
		XEvent event;

		if (XEventsQueued(source->display->x, QueuedAlready) == 0)
			break;
		XNextEvent(source->display->x, &event);
		source->handler->on_event(&event, source->data);
	}
	source->handler->on_turn_end(source->data);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {
    .prepare = on_prepare,
    .check = on_check,
    .dispatch = on_dispatch,
};

GSource *
display_source_new(struct display *display, const struct display_handler *handler, void *data)
{
	GSource *base = g_source_new(&source_funcs, sizeof(struct display_source));
	struct display_source *source = (struct display_source *)base;

	source->display = display;
	source->handler = handler;
	source->data = data;
	source->fd_tag = g_source_add_unix_fd(base, ConnectionNumber(display->x), G_IO_IN);
	return base;
}

void
display_source_set_paused(GSource *base, bool paused)
{
	struct display_source *source = (struct display_source *)base;

	if (source->paused == paused)
		return;
	source->paused = paused;
	g_source_modify_unix_fd(base, source->fd_tag, paused ? 0 : G_IO_IN);
}
