/*
 * x_count COLOUR... - prints how many pixels of the screen have one of the colours (0xRRGGBB).
 */
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	Display *display = XOpenDisplay(NULL);
	unsigned long count = 0;
	XImage *image;

	if (display == NULL || argc < 2)
		return 1;
	image =
	    XGetImage(display, DefaultRootWindow(display), 0, 0, (unsigned)DisplayWidth(display, 0),
		(unsigned)DisplayHeight(display, 0), AllPlanes, ZPixmap);
	if (image == NULL)
		return 1;
	for (int y = 0; y < image->height; y++)
		for (int x = 0; x < image->width; x++)
			for (int i = 1; i < argc; i++)
				if ((XGetPixel(image, x, y) & 0xffffff) ==
				    strtoul(argv[i], NULL, 16)) {
					count++;
					break;
				}
	printf("%lu\n", count);
	return 0;
}
