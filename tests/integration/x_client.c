/*
 * x_client - a program of a qube on a string: makes windows as told on standard input, and prints
 * the events that reach them.
 *
 * Windows have numbers 0..9 of the script's choice; "window N 0xID" tells the X id. Events:
 *   key N press|release KEYSYM STATE       button N press|release BUTTON X Y
 *   enter N, leave N, focus N in|out       delete N, take-focus N TIME
 *   configure N X Y WIDTH HEIGHT (only of changes that somebody else made)
 */
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <glib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOWS 10
#define WORDS 8
#define EVENTS                                                                                     \
	(KeyPressMask | KeyReleaseMask | ButtonPressMask | ButtonReleaseMask | EnterWindowMask |   \
	    LeaveWindowMask | FocusChangeMask | StructureNotifyMask)

static Display *x;
static Window windows[WINDOWS];
static Atom protocols, delete_window, take_focus, net_wm_state, net_wm_name, utf8;

static long
number(const char *word)
{
	return word != NULL ? strtol(word, NULL, 0) : 0;
}

static Window
window_of(char **words)
{
	return windows[number(words[1]) % WINDOWS];
}

static int
index_of(Window window)
{
	for (int i = 0; i < WINDOWS; i++) {
		if (windows[i] == window)
			return i;
	}
	return -1;
}

/* --- commands ------------------------------------------------------------------------------ */

static XVisualInfo
visual_of_depth(int depth)
{
	XVisualInfo info;

	if (!XMatchVisualInfo(x, DefaultScreen(x), depth, TrueColor, &info)) {
		fprintf(stderr, "x_client: no visual of depth %d\n", depth);
		exit(1);
	}
	return info;
}

/* window N X Y WIDTH HEIGHT [DEPTH [OVERRIDE-REDIRECT]] */
static void
do_window(char **words)
{
	int n = (int)number(words[1]) % WINDOWS;
	guint count = g_strv_length(words);
	XVisualInfo info = visual_of_depth(count > 6 ? (int)number(words[6]) : 24);
	XSetWindowAttributes attributes = {
	    .background_pixel = 0x808080,
	    .border_pixel = 0,
	    .event_mask = EVENTS,
	    .override_redirect = count > 7 && number(words[7]) != 0,
	};

	attributes.colormap = XCreateColormap(x, DefaultRootWindow(x), info.visual, AllocNone);
	windows[n] = XCreateWindow(x, DefaultRootWindow(x), (int)number(words[2]),
	    (int)number(words[3]), (unsigned)number(words[4]), (unsigned)number(words[5]), 3,
	    info.depth, InputOutput, info.visual,
	    CWBackPixel | CWBorderPixel | CWEventMask | CWOverrideRedirect | CWColormap,
	    &attributes);
	printf("window %d 0x%lx\n", n, windows[n]);
}

/* rect N RRGGBB X Y WIDTH HEIGHT */
static void
do_rect(char **words)
{
	GC gc = XCreateGC(x, window_of(words), 0, NULL);

	XSetForeground(x, gc, (unsigned long)strtol(words[2], NULL, 16) | 0xff000000ul);
	XFillRectangle(x, window_of(words), gc, (int)number(words[3]), (int)number(words[4]),
	    (unsigned)number(words[5]), (unsigned)number(words[6]));
	XFreeGC(x, gc);
}

static void
do_map(char **words)
{
	XMapWindow(x, window_of(words));
}

static void
do_unmap(char **words)
{
	XUnmapWindow(x, window_of(words));
}

static void
do_destroy(char **words)
{
	XDestroyWindow(x, window_of(words));
	windows[number(words[1]) % WINDOWS] = None;
}

static void
do_move(char **words)
{
	XMoveResizeWindow(x, window_of(words), (int)number(words[2]), (int)number(words[3]),
	    (unsigned)number(words[4]), (unsigned)number(words[5]));
}

/* The rest of the line, with its spaces. */
static void
do_title(char **words)
{
	g_autofree char *title = g_strjoinv(" ", words + 2);

	XChangeProperty(x, window_of(words), net_wm_name, utf8, 8, PropModeReplace,
	    (unsigned char *)title, (int)strlen(title));
}

static void
do_latin1(char **words)
{
	XChangeProperty(x, window_of(words), XA_WM_NAME, XA_STRING, 8, PropModeReplace,
	    (unsigned char *)words[2], (int)strlen(words[2]));
}

static void
do_class(char **words)
{
	XClassHint hint = {.res_class = words[2], .res_name = words[3]};

	XSetClassHint(x, window_of(words), &hint);
}

/* hints N MIN-WIDTH MIN-HEIGHT BASE INC */
static void
do_hints(char **words)
{
	XSizeHints hints = {.flags = PMinSize | PBaseSize | PResizeInc};

	hints.min_width = (int)number(words[2]);
	hints.min_height = (int)number(words[3]);
	hints.base_width = hints.base_height = (int)number(words[4]);
	hints.width_inc = hints.height_inc = (int)number(words[5]);
	XSetWMNormalHints(x, window_of(words), &hints);
}

static void
do_transient(char **words)
{
	XSetTransientForHint(x, window_of(words), windows[number(words[2]) % WINDOWS]);
}

static void
do_protocols(char **words)
{
	Atom atoms[] = {delete_window, take_focus};

	XSetWMProtocols(x, window_of(words), atoms, 2);
}

static void
do_no_input(char **words)
{
	XWMHints hints = {.flags = InputHint, .input = False};

	XSetWMHints(x, window_of(words), &hints);
}

/* state N ACTION ATOM */
static void
do_state(char **words)
{
	XEvent event = {.xclient = {
			    .type = ClientMessage,
			    .window = window_of(words),
			    .message_type = net_wm_state,
			    .format = 32,
			}};

	event.xclient.data.l[0] = number(words[2]);
	event.xclient.data.l[1] = (long)XInternAtom(x, words[3], False);
	XSendEvent(x, DefaultRootWindow(x), False,
	    SubstructureNotifyMask | SubstructureRedirectMask, &event);
}

static void
do_iconify(char **words)
{
	XIconifyWindow(x, window_of(words), DefaultScreen(x));
}

/* Prints "state N" and the atoms of _NET_WM_STATE. */
static void
do_show_state(char **words)
{
	Atom type;
	int format;
	unsigned long count = 0, rest;
	unsigned char *data = NULL;

	XGetWindowProperty(x, window_of(words), net_wm_state, 0, 32, False, XA_ATOM, &type, &format,
	    &count, &rest, &data);
	printf("state %s", words[1]);
	for (unsigned long i = 0; i < count; i++) {
		char *name = XGetAtomName(x, ((Atom *)data)[i]);

		printf(" %s", name);
		XFree(name);
	}
	printf("\n");
	if (data != NULL)
		XFree(data);
}

/* churn COUNT: opens, maps, draws into and closes this many windows, one after the other. */
static void
do_churn(char **words)
{
	for (long i = 0; i < number(words[1]); i++) {
		Window window = XCreateSimpleWindow(
		    x, DefaultRootWindow(x), 10, 10, 100 + (unsigned)i % 200, 80, 0, 0, 0x336699);

		XMapWindow(x, window);
		XSync(x, False);
		usleep(3000);
		XDestroyWindow(x, window);
		XSync(x, False);
	}
	printf("churned\n");
}

/* flicker N COUNT: so many small updates, as fast as the server takes them. */
static void
do_flicker(char **words)
{
	GC gc = XCreateGC(x, window_of(words), 0, NULL);

	for (long i = 0; i < number(words[2]); i++) {
		XSetForeground(x, gc, (unsigned long)i);
		XFillRectangle(x, window_of(words), gc, (int)(i % 50), (int)(i / 50 % 50), 3, 3);
	}
	XSync(x, False);
	XFreeGC(x, gc);
	printf("flickered\n");
}

/* titles N COUNT: so many titles, one after the other. */
static void
do_titles(char **words)
{
	for (long i = 0; i < number(words[2]); i++) {
		char title[32];

		snprintf(title, sizeof(title), "title %ld", i);
		XChangeProperty(x, window_of(words), net_wm_name, utf8, 8, PropModeReplace,
		    (unsigned char *)title, (int)strlen(title));
		XSync(x, False);
	}
	printf("titled\n");
}

static const struct {
	const char *name;
	guint words; /* at least */
	void (*run)(char **words);
} commands[] = {
    {"window", 6, do_window},
    {"rect", 7, do_rect},
    {"map", 2, do_map},
    {"unmap", 2, do_unmap},
    {"destroy", 2, do_destroy},
    {"move", 6, do_move},
    {"title", 3, do_title},
    {"latin1", 3, do_latin1},
    {"class", 4, do_class},
    {"hints", 6, do_hints},
    {"transient", 3, do_transient},
    {"protocols", 2, do_protocols},
    {"no-input", 2, do_no_input},
    {"state", 4, do_state},
    {"iconify", 2, do_iconify},
    {"show-state", 2, do_show_state},
    {"churn", 2, do_churn},
    {"flicker", 3, do_flicker},
    {"titles", 3, do_titles},
};

static void
run_command(const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(words[0], commands[i].name) == 0 &&
		    g_strv_length(words) >= commands[i].words) {
			commands[i].run(words);
			XFlush(x);
			return;
		}
	}
	fprintf(stderr, "x_client: not a command: %s\n", line);
	exit(1);
}

/* --- events -------------------------------------------------------------------------------- */

static void
print_client_message(const XClientMessageEvent *event)
{
	if (event->message_type != protocols)
		return;
	if ((Atom)event->data.l[0] == delete_window)
		printf("delete %d\n", index_of(event->window));
	else if ((Atom)event->data.l[0] == take_focus)
		printf("take-focus %d %ld\n", index_of(event->window), event->data.l[1]);
}

static void
print_key(XKeyEvent *event)
{
	KeySym symbol = NoSymbol;

	XLookupString(event, NULL, 0, &symbol, NULL);
	printf("key %d %s %s %u\n", index_of(event->window),
	    event->type == KeyPress ? "press" : "release",
	    symbol != NoSymbol ? XKeysymToString(symbol) : "none", event->state);
}

static void
print_event(XEvent *event)
{
	int n = index_of(event->xany.window);

	switch (event->type) {
	case KeyPress:
	case KeyRelease:
		print_key(&event->xkey);
		break;
	case ButtonPress:
	case ButtonRelease:
		printf("button %d %s %u %d %d\n", n,
		    event->type == ButtonPress ? "press" : "release", event->xbutton.button,
		    event->xbutton.x, event->xbutton.y);
		break;
	case EnterNotify:
	case LeaveNotify:
		printf("%s %d\n", event->type == EnterNotify ? "enter" : "leave", n);
		break;
	case FocusIn:
	case FocusOut:
		if (event->xfocus.detail != NotifyPointer)
			printf("focus %d %s\n", n, event->type == FocusIn ? "in" : "out");
		break;
	case ConfigureNotify:
		printf("configure %d %d %d %d %d\n", n, event->xconfigure.x, event->xconfigure.y,
		    event->xconfigure.width, event->xconfigure.height);
		break;
	case MapNotify:
		printf("map %d\n", n);
		break;
	case MappingNotify:
		XRefreshKeyboardMapping(&event->xmapping);
		break;
	case ClientMessage:
		print_client_message(&event->xclient);
		break;
	}
}

static void
print_events(void)
{
	while (XPending(x) > 0) {
		XEvent event;

		XNextEvent(x, &event);
		print_event(&event);
	}
}

/* Returns false at the end of the input. */
static bool
read_commands(GString *input)
{
	char bytes[4096], *newline;
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n <= 0)
		return false;
	g_string_append_len(input, bytes, n);
	while ((newline = strchr(input->str, '\n')) != NULL) {
		g_autofree char *line = g_strndup(input->str, (gsize)(newline - input->str));

		g_string_erase(input, 0, newline - input->str + 1);
		run_command(line);
	}
	return true;
}

/* Windows go while we look: no error is ours. */
static int
on_error(Display *display, XErrorEvent *event)
{
	(void)display;
	(void)event;
	return 0;
}

int
main(void)
{
	GString *input = g_string_new("");

	setvbuf(stdout, NULL, _IOLBF, 0);
	XSetErrorHandler(on_error);
	x = XOpenDisplay(NULL);
	if (x == NULL) {
		fprintf(stderr, "x_client: no display\n");
		return 1;
	}
	protocols = XInternAtom(x, "WM_PROTOCOLS", False);
	delete_window = XInternAtom(x, "WM_DELETE_WINDOW", False);
	take_focus = XInternAtom(x, "WM_TAKE_FOCUS", False);
	net_wm_state = XInternAtom(x, "_NET_WM_STATE", False);
	net_wm_name = XInternAtom(x, "_NET_WM_NAME", False);
	utf8 = XInternAtom(x, "UTF8_STRING", False);
	for (;;) {
		struct pollfd fds[] = {
		    {STDIN_FILENO, POLLIN, 0},
		    {ConnectionNumber(x), POLLIN, 0},
		};

		print_events();
		if (poll(fds, 2, -1) > 0 && fds[0].revents != 0 && !read_commands(input))
			return 0;
	}
}
