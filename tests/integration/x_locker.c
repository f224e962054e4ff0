/*
 * x_locker INSTANCE - covers the screen with one override-redirect window of that WM_CLASS instance,
 * as screen lockers do, until it is told to end. Prints "locked" when the window is there.
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	Display *display = XOpenDisplay(NULL);
	XSetWindowAttributes attributes = {.override_redirect = True, .background_pixel = 0x101010};
	XClassHint hint = {.res_name = argc > 1 ? argv[1] : "", .res_class = "Locker"};
	Window window;
	XEvent event;

	if (display == NULL || argc < 2)
		return 1;
	window = XCreateWindow(display, DefaultRootWindow(display), 0, 0,
	    (unsigned)DisplayWidth(display, 0), (unsigned)DisplayHeight(display, 0), 0,
	    CopyFromParent, InputOutput, CopyFromParent, CWOverrideRedirect | CWBackPixel,
	    &attributes);
	XSetClassHint(display, window, &hint);
	XMapRaised(display, window);
	XSync(display, False);
	puts("locked");
	fflush(stdout);
	for (;;)
		XNextEvent(display, &event);
}
