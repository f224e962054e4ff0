/*
 * bench_stamp_app WIDTH HEIGHT PERIOD_MS - an application to measure with. Its window repaints as
 * a whole every PERIOD_MS (0: only on a key press), and each repaint carries the time at which it began.
 */
#include "tests/bench/stamp.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct app {
	Display *display;
	Window window;
	GC gc;
	XImage *row;
	uint32_t pixels[STAMP_PIXELS];
	unsigned width, height;
	uint32_t counter;
};

static void
repaint(struct app *app)
{
	uint64_t began = stamp_now_ns();

	app->counter++;
	XSetForeground(app->display, app->gc, 0x202020 + app->counter * 0x010203 % 0x808080);
	XFillRectangle(app->display, app->window, app->gc, 0, 0, app->width, app->height);
	stamp_write(app->pixels, app->counter, began);
	XPutImage(app->display, app->window, app->gc, app->row, 0, 0, 0, 0, STAMP_PIXELS, 1);
	XFlush(app->display);
}

static void
handle_events(struct app *app)
{
	while (XPending(app->display) > 0) {
		XEvent event;

		XNextEvent(app->display, &event);
		if (event.type == KeyPress || (event.type == Expose && event.xexpose.count == 0))
			repaint(app);
	}
}

int
main(int argc, char **argv)
{
	struct app app = {0};
	int period_ms, screen;

	if (argc != 4)
		return 2;
	app.width = (unsigned)atoi(argv[1]);
	app.height = (unsigned)atoi(argv[2]);
	period_ms = atoi(argv[3]);
	app.display = XOpenDisplay(NULL);
	if (app.display == NULL || app.width < STAMP_PIXELS)
		return 1;
	screen = DefaultScreen(app.display);
	app.window = XCreateSimpleWindow(
	    app.display, RootWindow(app.display, screen), 40, 40, app.width, app.height, 0, 0, 0);
	XSelectInput(app.display, app.window, KeyPressMask | ExposureMask);
	XStoreName(app.display, app.window, "stamp");
	app.gc = XCreateGC(app.display, app.window, 0, NULL);
	app.row = XCreateImage(app.display, DefaultVisual(app.display, screen),
	    (unsigned)DefaultDepth(app.display, screen), ZPixmap, 0, (char *)app.pixels,
	    STAMP_PIXELS, 1, 32, 0);
	XMapWindow(app.display, app.window);
	XFlush(app.display);
	for (;;) {
		struct pollfd pfd = {.fd = ConnectionNumber(app.display), .events = POLLIN};

		if (XPending(app.display) == 0 &&
		    poll(&pfd, 1, period_ms > 0 ? period_ms : -1) == 0)
			repaint(&app);
		handle_events(&app);
	}
}
