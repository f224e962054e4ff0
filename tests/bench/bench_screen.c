/*
 * bench_screen COUNT [key] - watches the screen for the stamps of bench_stamp_app and prints how
 * old each was when it was seen: median and 95th percentile, in milliseconds. With "key" it presses a key
 * (XTEST) for each, and prints the time from the key press to the pixels on the screen instead.
 *
 * The screen is read in a tight loop of one small GetImage; each read's own cost is printed too.
 */
#include "tests/bench/stamp.h"

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_UP_NS 5000000000u
#define KEY_PAUSE_NS 40000000 /* between two keys: nobody types faster */

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print_ms(const char *what, double *ms, unsigned count)
{
	qsort(ms, count, sizeof(*ms), compare);
	printf("%-34s p50 %8.3f ms   p95 %8.3f ms   n %u\n", what, ms[count / 2],
	    ms[count * 95 / 100], count);
}

/* Finds the stamp's place on the screen. */
static bool
find_stamp(Display *display, int *ret_x, int *ret_y)
{
	Window root = DefaultRootWindow(display);
	unsigned width = (unsigned)DisplayWidth(display, 0);
	unsigned height = (unsigned)DisplayHeight(display, 0);
	XImage *image = XGetImage(display, root, 0, 0, width, height, AllPlanes, ZPixmap);
	bool found = false;

	for (unsigned y = 0; image != NULL && y < height && !found; y++) {
		const uint32_t *row =
		    (const uint32_t *)(image->data + (size_t)y * (size_t)image->bytes_per_line);

		for (unsigned x = 0; x + STAMP_PIXELS <= width && !found; x++) {
			uint32_t counter;

			if (stamp_read(row + x, &counter) != 0) {
				*ret_x = (int)x;
				*ret_y = (int)y;
				found = true;
			}
		}
	}
	if (image != NULL)
		XDestroyImage(image);
	return found;
}

static uint64_t
look(Display *display, int x, int y, uint32_t *ret_counter)
{
	XImage *image = XGetImage(
	    display, DefaultRootWindow(display), x, y, STAMP_PIXELS, 1, AllPlanes, ZPixmap);
	uint64_t time_ns = 0;

	if (image != NULL) {
		time_ns = stamp_read((const uint32_t *)image->data, ret_counter);
		XDestroyImage(image);
	}
	return time_ns;
}

int
main(int argc, char **argv)
{
	Display *display = XOpenDisplay(NULL);
	unsigned wanted = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
	bool by_key = argc > 2 && strcmp(argv[2], "key") == 0;
	double *ages, *looks;
	unsigned seen = 0, looked = 0;
	uint32_t last = 0, counter = 0;
	uint64_t began;
	int x, y;

	if (display == NULL || wanted == 0)
		return 2;
	began = stamp_now_ns();
	while (!find_stamp(display, &x, &y)) {
		if (stamp_now_ns() - began > GIVE_UP_NS) {
			fprintf(stderr, "no stamp on the screen\n");
			return 1;
		}
	}
	ages = calloc(wanted, sizeof(*ages));
	looks = calloc(wanted, sizeof(*looks));
	look(display, x, y, &last);
	while (seen < wanted) {
		uint64_t pressed = stamp_now_ns();
		uint64_t stamped, now;

		if (by_key) {
			KeyCode code = XKeysymToKeycode(display, XK_a);
			struct timespec pause = {.tv_nsec = KEY_PAUSE_NS};

			nanosleep(&pause, NULL);
			pressed = stamp_now_ns();
			XTestFakeKeyEvent(display, code, True, 0);
			XTestFakeKeyEvent(display, code, False, 0);
			XFlush(display);
		}
		do {
			uint64_t before = stamp_now_ns();

			stamped = look(display, x, y, &counter);
			now = stamp_now_ns();
			looks[looked++ % wanted] = (double)(now - before) / 1e6;
			if (now - pressed > GIVE_UP_NS) {
				fprintf(stderr, "the window has stopped changing\n");
				return 1;
			}
		} while (stamped == 0 || counter == last);
		last = counter;
		ages[seen++] = (double)(now - (by_key ? pressed : stamped)) / 1e6;
	}
	print_ms(by_key ? "key press to screen" : "drawing to screen", ages, wanted);
	print_ms("  one look at the screen", looks, looked < wanted ? looked : wanted);
	return 0;
}
