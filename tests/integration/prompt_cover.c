/*
 * prompt_cover - does to the prompt what a hostile qube or a careless window would.
 *
 *   prompt_cover cover X Y WIDTH HEIGHT [QUBE]   an override-redirect window there, until stdin
 *                                                ends; with the mark of a qube's window if named
 *   prompt_cover close WINDOW                    asks a window to close, as window managers do
 *   prompt_cover send WINDOW                     Return, pressed and released, as an event of ours
 *   prompt_cover managed                         an ordinary window, until stdin ends; prints its id
 */
#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/keysym.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
until_stdin_ends(Display *display)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
	    {.fd = ConnectionNumber(display), .events = POLLIN}};
	char byte;

	XSync(display, False);
	while (poll(fds, 2, -1) > 0) {
		XEvent event;

		if (fds[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			return;
		while (XPending(display) > 0)
			XNextEvent(display, &event);
	}
}

static Window
make_window(Display *display, int x, int y, unsigned width, unsigned height, Bool redirect)
{
	XSetWindowAttributes attributes = {
	    .override_redirect = redirect,
	    .background_pixel = 0x803030,
	    .event_mask = KeyPressMask | KeyReleaseMask,
	};

	return XCreateWindow(display, DefaultRootWindow(display), x, y, width, height, 0,
	    CopyFromParent, InputOutput, CopyFromParent,
	    CWOverrideRedirect | CWBackPixel | CWEventMask, &attributes);
}

static void
cover(Display *display, char **words, const char *qube)
{
	Window window = make_window(display, atoi(words[0]), atoi(words[1]),
	    (unsigned)atoi(words[2]), (unsigned)atoi(words[3]), True);

	if (qube != NULL)
		XChangeProperty(display, window, XInternAtom(display, "_QUBES_VMNAME", False),
		    XA_STRING, 8, PropModeReplace, (const unsigned char *)qube, (int)strlen(qube));
	XMapRaised(display, window);
	XSync(display, False);
	puts("up");
	fflush(stdout);
	until_stdin_ends(display);
}

static void
close_window(Display *display, Window window)
{
	XEvent event = {0};

	event.xclient.type = ClientMessage;
	event.xclient.window = window;
	event.xclient.message_type = XInternAtom(display, "WM_PROTOCOLS", False);
	event.xclient.format = 32;
	event.xclient.data.l[0] = (long)XInternAtom(display, "WM_DELETE_WINDOW", False);
	XSendEvent(display, window, False, NoEventMask, &event);
	XSync(display, False);
}

static void
send_return(Display *display, Window window)
{
	XEvent event = {0};

	event.xkey.display = display;
	event.xkey.window = window;
	event.xkey.root = DefaultRootWindow(display);
	event.xkey.same_screen = True;
	event.xkey.keycode = XKeysymToKeycode(display, XK_Return);
	event.xkey.type = KeyPress;
	XSendEvent(display, window, True, KeyPressMask, &event);
	event.xkey.type = KeyRelease;
	XSendEvent(display, window, True, KeyReleaseMask, &event);
	XSync(display, False);
}

static void
managed(Display *display)
{
	Window window = make_window(display, 10, 10, 200, 100, False);

	XStoreName(display, window, "other");
	XMapWindow(display, window);
	XSync(display, False);
	printf("%lu\n", window);
	fflush(stdout);
	until_stdin_ends(display);
}

int
main(int argc, char **argv)
{
	Display *display = XOpenDisplay(NULL);

	if (display == NULL)
		return 1;
	if (argc >= 6 && strcmp(argv[1], "cover") == 0)
		cover(display, argv + 2, argc > 6 ? argv[6] : NULL);
	else if (argc == 3 && strcmp(argv[1], "close") == 0)
		close_window(display, strtoul(argv[2], NULL, 0));
	else if (argc == 3 && strcmp(argv[1], "send") == 0)
		send_return(display, strtoul(argv[2], NULL, 0));
	else if (argc == 2 && strcmp(argv[1], "managed") == 0)
		managed(display);
	else
		return 2;
	XCloseDisplay(display);
	return 0;
}
