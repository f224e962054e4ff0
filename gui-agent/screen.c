#include "gui-agent/screen.h"

#include "shared/log.h"

#include <X11/extensions/Xrandr.h>
#include <errno.h>
#include <stdio.h>

#define GROWTH_STEP 512 /* pixels */
#define DOTS_PER_INCH 96.0
#define REFRESH_HZ 60

static int
millimetres(unsigned pixels)
{
	return (int)(pixels * 25.4 / DOTS_PER_INCH + 0.5);
}

static RRMode
find_mode(const XRRScreenResources *resources, unsigned width, unsigned height)
{
	for (int i = 0; i < resources->nmode; i++) {
		if (resources->modes[i].width == width && resources->modes[i].height == height)
			return resources->modes[i].id;
	}
	return None;
}

static RRMode
make_mode(const struct display *display, unsigned width, unsigned height)
{
	char name[32];
	XRRModeInfo mode = {
	    .width = width,
	    .height = height,
	    .dotClock = (unsigned long)width * height * REFRESH_HZ,
	    .hTotal = width,
	    .vTotal = height,
	    .name = name,
	};

	mode.nameLength = (unsigned)snprintf(name, sizeof(name), "QB%ux%u", width, height);
	return XRRCreateMode(display->x, display->root, &mode);
}

static void
disable_all(const struct display *display, XRRScreenResources *resources)
{
	for (int i = 0; i < resources->ncrtc; i++)
		XRRSetCrtcConfig(display->x, resources, resources->crtcs[i], CurrentTime, 0, 0,
		    None, RR_Rotate_0, NULL, 0);
}

/* All on the first output: the qube has one screen, whatever monitors the desktop has. */
static void
show_on_first(
    const struct display *display, XRRScreenResources *resources, unsigned width, unsigned height)
{
	RRMode mode = find_mode(resources, width, height);

	if (mode == None)
		mode = make_mode(display, width, height);
	XRRAddOutputMode(display->x, resources->outputs[0], mode);
	XRRSetCrtcConfig(display->x, resources, resources->crtcs[0], CurrentTime, 0, 0, mode,
	    RR_Rotate_0, &resources->outputs[0], 1);
}

static int
resize(struct display *display, unsigned width, unsigned height)
{
	XRRScreenResources *resources = XRRGetScreenResources(display->x, display->root);

	if (resources == NULL)
		return -ENOTSUP;
	if (resources->ncrtc < 1 || resources->noutput < 1) {
		XRRFreeScreenResources(resources);
		return -ENOTSUP;
	}
	XGrabServer(display->x); /* nobody sees a screen without a monitor */
	disable_all(display, resources);
	XRRSetScreenSize(display->x, display->root, (int)width, (int)height, millimetres(width),
	    millimetres(height));
	show_on_first(display, resources, width, height);
	XUngrabServer(display->x);
	XRRFreeScreenResources(resources);
	display->width = width;
	display->height = height;
	return 0;
}

int
screen_fit(struct display *display, unsigned width, unsigned height)
{
	int least_width, least_height, most_width, most_height;
	unsigned possible_width, possible_height;

	if (!XRRGetScreenSizeRange(
		display->x, display->root, &least_width, &least_height, &most_width, &most_height))
		return -ENOTSUP;
	possible_width = CLAMP(width, (unsigned)least_width, (unsigned)most_width);
	possible_height = CLAMP(height, (unsigned)least_height, (unsigned)most_height);
	if (possible_width != width || possible_height != height)
		log_warn("the desktop has %ux%u pixels, this qube's X server only goes to %ux%u",
		    width, height, possible_width, possible_height);
	if (possible_width == display->width && possible_height == display->height)
		return 0;
	return resize(display, possible_width, possible_height);
}

static unsigned
grown(unsigned size, int position)
{
	unsigned steps = (unsigned)position / GROWTH_STEP + 1;

	return position < 0 ? size : MAX(size, steps * GROWTH_STEP);
}

void
screen_reach(struct display *display, int *x, int *y)
{
	bool outside = *x >= (int)display->width || *y >= (int)display->height;

	if (outside && !display->screen_is_largest) {
		unsigned width = display->width, height = display->height;

		screen_fit(display, grown(width, *x), grown(height, *y));
		display->screen_is_largest = display->width == width && display->height == height;
	}
	*x = CLAMP(*x, 0, (int)display->width - 1);
	*y = CLAMP(*y, 0, (int)display->height - 1);
}

void
screen_on_event(struct display *display, XEvent *event)
{
	if (event->type != display->randr_event + RRScreenChangeNotify)
		return;
	XRRUpdateConfiguration(event);
	display->width = (unsigned)DisplayWidth(display->x, display->screen);
	display->height = (unsigned)DisplayHeight(display->x, display->screen);
}
