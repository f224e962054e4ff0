/*
 * frame_oracle [-s NUMBER] BORDER NAME:LABEL:COLOUR[,COLOUR...]... - looks at the screen, again and again, and
 * tells every moment at which pixels of a qube were not inside that qube's frame.
 *
 * Each scripted qube gives its windows pixels of a palette of its own (COLOUR, 0xRRGGBB), which
 * nothing else on the screen has. Under XGrabServer the picture of the root window and the tree of
 * windows are taken together; then:
 *   ring     every visible pixel less than BORDER from the edge of a window of a qube (found by
 *            _QUBES_VMNAME) has that qube's label colour
 *   inside   every pixel of a palette lies inside such a window of that qube, at least BORDER deep
 *   outline  next to a palette's pixel there is the same palette, or the label's colour, BORDER
 *            thick unless something cuts it off, or another label; or what cuts it off: a window
 *            above, the edge of the screen, the edge of a window manager's frame
 *   screen   an override-redirect window of a qube is wholly on the screen, or wholly off it
 * A window manager's frame whose background is "none" keeps the picture of a window that shrank in
 * it or left it, until the manager draws. Nobody but the manager draws there, so such pixels do not
 * count.
 *
 * A picture is taken at every change of the screen and sixty times a second. With -s it also serves
 * as display NUMBER for one client, and takes a picture after every request of that client.
 *
 * Commands on stdin, a line each; every one is answered by a line:
 *   begin CASE           starts to look
 *   end                  prints "CASE grabs=N violations=N pixels=N steps=N first=TEXT": grabs with
 *                        a violation, the most palette pixels that one grab showed, requests
 *   look                 one grab, at once
 *   resize NAME STEPS    for 1..STEPS: makes the topmost window of that qube so much larger and
 *                        smaller, and looks each time; then restores it
 */
#include "tests/integration/x_stepper.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/Xdamage.h>
#include <glib.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_QUBES 8
#define MAX_COLORS 16
#define MAX_WINDOWS 4096
#define FRAME_MS 16

struct qube {
	char *name;
	uint32_t label;
	unsigned color_count;
	uint32_t colors[MAX_COLORS];
};

struct clip {
	int left, top, right, bottom;
};

/* A visible window, as far as it matters: what it covers, and whose it is. */
struct seen {
	Window id;
	int x, y, width, height; /* on the screen */
	struct clip clip;        /* what its parents and the screen leave of it */
	int qube;                /* -1: of no qube */
	bool override_redirect;
};

struct oracle {
	Display *display;
	Window root;
	Atom vm_name;
	int width, height, border;
	Damage damage;
	int damage_event;
	unsigned qube_count;
	struct qube qubes[MAX_QUBES];

	unsigned seen_count;
	struct seen seen[MAX_WINDOWS]; /* in stacking order, lowest first; 0 is the root */
	uint16_t *owner;               /* of each pixel: index into seen */
	const uint32_t *pixels;

	struct x_stepper *stepper; /* NULL: none */
	char *running;             /* name of the case; NULL: not looking */
	unsigned grabs, steps, violations, most_pixels;
	char *first;
	char *found; /* the violation of this grab; NULL: none */
};

/* --- the tree of windows ------------------------------------------------------------------ */

static int
qube_of_window(struct oracle *oracle, Window window)
{
	unsigned char *value = NULL;
	unsigned long count, left;
	int format, qube = -1;
	Atom type;

	if (XGetWindowProperty(oracle->display, window, oracle->vm_name, 0, 16, False, XA_STRING,
		&type, &format, &count, &left, &value) != Success)
		return -1;
	for (unsigned i = 0; value != NULL && i < oracle->qube_count; i++) {
		if (strcmp((char *)value, oracle->qubes[i].name) == 0)
			qube = (int)i;
	}
	XFree(value);
	return qube;
}

static struct clip
clip_to(struct clip clip, const struct seen *seen)
{
	return (struct clip){
	    MAX(clip.left, seen->x),
	    MAX(clip.top, seen->y),
	    MIN(clip.right, seen->x + seen->width),
	    MIN(clip.bottom, seen->y + seen->height),
	};
}

static void
cover(struct oracle *oracle, struct clip clip, unsigned index)
{
	for (int y = clip.top; y < clip.bottom; y++) {
		for (int x = clip.left; x < clip.right; x++)
			oracle->owner[y * oracle->width + x] = (uint16_t)index;
	}
}

/* Paints the visible windows into the map of owners, lowest first. A qube's window counts as one. */
static void
walk(struct oracle *oracle, Window window, int parent_x, int parent_y, struct clip clip)
{
	struct seen *seen = &oracle->seen[oracle->seen_count];
	XWindowAttributes attributes;
	Window root, parent, *children = NULL;
	unsigned count;

	if (oracle->seen_count == MAX_WINDOWS ||
	    !XGetWindowAttributes(oracle->display, window, &attributes) ||
	    attributes.map_state != IsViewable || attributes.class != InputOutput)
		return;
	seen->id = window;
	seen->x = parent_x + attributes.x;
	seen->y = parent_y + attributes.y;
	seen->width = attributes.width + 2 * attributes.border_width;
	seen->height = attributes.height + 2 * attributes.border_width;
	seen->override_redirect = attributes.override_redirect;
	seen->qube = window == oracle->root ? -1 : qube_of_window(oracle, window);
	clip = seen->clip = clip_to(clip, seen);
	cover(oracle, clip, oracle->seen_count++);
	if (seen->qube >= 0 ||
	    !XQueryTree(oracle->display, window, &root, &parent, &children, &count))
		return;
	for (unsigned i = 0; i < count; i++)
		walk(oracle, children[i], seen->x + attributes.border_width,
		    seen->y + attributes.border_width, clip);
	XFree(children);
}

/* --- the rules ---------------------------------------------------------------------------- */

static void G_GNUC_PRINTF(2, 3) violation(struct oracle *oracle, const char *format, ...)
{
	va_list args;

	if (oracle->found != NULL)
		return;
	va_start(args, format);
	oracle->found = g_strdup_vprintf(format, args);
	va_end(args);
}

static uint32_t
pixel_at(const struct oracle *oracle, int x, int y)
{
	return oracle->pixels[y * oracle->width + x] & 0xffffff;
}

static unsigned
owner_at(const struct oracle *oracle, int x, int y)
{
	return oracle->owner[y * oracle->width + x];
}

/* The qube in whose palette a colour is, or -1. */
static int
palette_of(const struct oracle *oracle, uint32_t color)
{
	for (unsigned i = 0; i < oracle->qube_count; i++) {
		for (unsigned j = 0; j < oracle->qubes[i].color_count; j++) {
			if (oracle->qubes[i].colors[j] == color)
				return (int)i;
		}
	}
	return -1;
}

static bool
is_label(const struct oracle *oracle, uint32_t color)
{
	for (unsigned i = 0; i < oracle->qube_count; i++) {
		if (oracle->qubes[i].label == color)
			return true;
	}
	return false;
}

static bool
in_ring(const struct oracle *oracle, const struct seen *seen, int x, int y)
{
	int b = oracle->border;

	return x < seen->x + b || y < seen->y + b || x >= seen->x + seen->width - b ||
	       y >= seen->y + seen->height - b;
}

static bool
is_of_manager(const struct oracle *oracle, int x, int y)
{
	unsigned owner = owner_at(oracle, x, y);

	return owner != 0 && oracle->seen[owner].qube < 0;
}

static void
check_place(struct oracle *oracle, int x, int y)
{
	const struct seen *seen = &oracle->seen[owner_at(oracle, x, y)];
	uint32_t color = pixel_at(oracle, x, y);
	int palette = palette_of(oracle, color);

	if (seen->qube >= 0 && in_ring(oracle, seen, x, y) &&
	    color != oracle->qubes[seen->qube].label)
		violation(oracle, "ring: %d,%d of %s is %06x", x, y, oracle->qubes[seen->qube].name,
		    color);
	else if (palette >= 0 && seen->qube != palette && !is_of_manager(oracle, x, y))
		violation(oracle, "inside: %d,%d has a colour of %s and is none of its windows", x,
		    y, oracle->qubes[palette].name);
}

/* Inside the window, but its parent (a window manager's frame) ends before it does. */
static bool
is_cut_off(const struct seen *seen, int x, int y)
{
	bool in_window =
	    x >= seen->x && y >= seen->y && x < seen->x + seen->width && y < seen->y + seen->height;
	bool in_clip = x >= seen->clip.left && y >= seen->clip.top && x < seen->clip.right &&
		       y < seen->clip.bottom;

	return in_window && !in_clip;
}

/* Follows one direction out of a palette pixel, until something says that all is well or not. */
static void
check_outline(struct oracle *oracle, int x, int y, int dx, int dy, int qube)
{
	unsigned here = owner_at(oracle, x, y);
	uint32_t label = oracle->qubes[qube].label;

	for (int depth = 0; depth <= oracle->border; depth++) {
		uint32_t color;

		x += dx;
		y += dy;
		if (x < 0 || y < 0 || x >= oracle->width || y >= oracle->height)
			return;
		color = pixel_at(oracle, x, y);
		if (depth == 0 && palette_of(oracle, color) == qube)
			return;
		if (color == label && depth < oracle->border)
			continue;
		if (depth == oracle->border || is_label(oracle, color) ||
		    owner_at(oracle, x, y) > here || is_cut_off(&oracle->seen[here], x, y))
			return;
		violation(oracle, "outline: %d,%d is %06x, %d from pixels of %s", x, y, color,
		    depth + 1, oracle->qubes[qube].name);
		return;
	}
}

static void
check_pixels(struct oracle *oracle)
{
	unsigned palette_pixels = 0;

	for (int y = 0; y < oracle->height; y++) {
		for (int x = 0; x < oracle->width; x++) {
			int qube = palette_of(oracle, pixel_at(oracle, x, y));

			check_place(oracle, x, y);
			if (qube < 0)
				continue;
			palette_pixels++;
			if (is_of_manager(oracle, x, y))
				continue;
			check_outline(oracle, x, y, 1, 0, qube);
			check_outline(oracle, x, y, -1, 0, qube);
			check_outline(oracle, x, y, 0, 1, qube);
			check_outline(oracle, x, y, 0, -1, qube);
		}
	}
	oracle->most_pixels = MAX(oracle->most_pixels, palette_pixels);
}

static void
check_on_screen(struct oracle *oracle)
{
	for (unsigned i = 1; i < oracle->seen_count; i++) {
		const struct seen *seen = &oracle->seen[i];
		bool outside = seen->x >= oracle->width || seen->y >= oracle->height ||
			       seen->x + seen->width <= 0 || seen->y + seen->height <= 0;
		bool inside = seen->x >= 0 && seen->y >= 0 &&
			      seen->x + seen->width <= oracle->width &&
			      seen->y + seen->height <= oracle->height;

		if (seen->qube >= 0 && seen->override_redirect && !outside && !inside)
			violation(oracle, "screen: 0x%lx at %d,%d %dx%d", seen->id, seen->x,
			    seen->y, seen->width, seen->height);
	}
}

/* --- looking ------------------------------------------------------------------------------ */

static void
take_tree(struct oracle *oracle)
{
	struct clip all = {0, 0, oracle->width, oracle->height};

	oracle->seen_count = 0;
	walk(oracle, oracle->root, 0, 0, all);
}

/*
 * A server that is grabbed listens to one client, but it still notices when another is gone. So a
 * violation counts only if the tree is the same before and after.
 */
static bool
tree_has_changed(struct oracle *oracle)
{
	unsigned count = oracle->seen_count;
	size_t bytes = count * sizeof(oracle->seen[0]);
	g_autofree struct seen *before = g_memdup2(oracle->seen, bytes);

	take_tree(oracle);
	return oracle->seen_count != count || memcmp(before, oracle->seen, bytes) != 0;
}

/* Returns false when it has to be done again. */
static bool
try_to_look(struct oracle *oracle)
{
	XImage *image;

	take_tree(oracle);
	image = XGetImage(oracle->display, oracle->root, 0, 0, (unsigned)oracle->width,
	    (unsigned)oracle->height, AllPlanes, ZPixmap);
	if (image == NULL)
		return true;
	oracle->pixels = (const uint32_t *)image->data;
	check_pixels(oracle);
	check_on_screen(oracle);
	XDestroyImage(image);
	if (oracle->found == NULL || !tree_has_changed(oracle))
		return true;
	g_clear_pointer(&oracle->found, g_free);
	return false;
}

static void
look(struct oracle *oracle)
{
	XGrabServer(oracle->display);
	while (!try_to_look(oracle))
		;
	XUngrabServer(oracle->display);
	XFlush(oracle->display);
	oracle->grabs++;
	if (oracle->found == NULL)
		return;
	oracle->violations++;
	if (oracle->first == NULL)
		oracle->first = g_steal_pointer(&oracle->found);
	g_clear_pointer(&oracle->found, g_free);
}

static void
resize(struct oracle *oracle, const char *name, int steps)
{
	const struct seen *top = NULL;
	Window id;
	int width, height;

	look(oracle);
	for (unsigned i = 1; i < oracle->seen_count; i++) {
		const struct seen *seen = &oracle->seen[i];

		if (seen->qube >= 0 && strcmp(oracle->qubes[seen->qube].name, name) == 0)
			top = seen;
	}
	if (top == NULL) {
		oracle->violations++;
		return;
	}
	id = top->id;
	width = top->width;
	height = top->height;
	for (int step = 1; step <= steps; step++) {
		XResizeWindow(
		    oracle->display, id, (unsigned)(width + step), (unsigned)(height + step));
		XSync(oracle->display, False);
		look(oracle);
		XResizeWindow(oracle->display, id, (unsigned)MAX(width - step, 1),
		    (unsigned)MAX(height - step, 1));
		XSync(oracle->display, False);
		look(oracle);
	}
	XResizeWindow(oracle->display, id, (unsigned)width, (unsigned)height);
	XSync(oracle->display, False);
}

static void
begin(struct oracle *oracle, const char *name)
{
	g_free(oracle->running);
	oracle->running = g_strdup(name);
	oracle->grabs = oracle->steps = oracle->violations = oracle->most_pixels = 0;
	g_clear_pointer(&oracle->first, g_free);
}

static void
end(struct oracle *oracle)
{
	look(oracle);
	printf("%s grabs=%u violations=%u pixels=%u steps=%u first=%s\n", oracle->running,
	    oracle->grabs, oracle->violations, oracle->most_pixels, oracle->steps,
	    oracle->first != NULL ? oracle->first : "none");
	g_clear_pointer(&oracle->running, g_free);
}

static void
obey(struct oracle *oracle, char *line)
{
	char *save = NULL;
	const char *command = strtok_r(line, " \n", &save);
	const char *argument = strtok_r(NULL, " \n", &save);
	const char *number = strtok_r(NULL, " \n", &save);

	if (command == NULL)
		return;
	if (strcmp(command, "begin") == 0 && argument != NULL)
		begin(oracle, argument);
	else if (strcmp(command, "end") == 0 && oracle->running != NULL) {
		end(oracle);
		fflush(stdout);
		return;
	} else if (strcmp(command, "look") == 0)
		look(oracle);
	else if (strcmp(command, "resize") == 0 && number != NULL)
		resize(oracle, argument, atoi(number));
	else
		fprintf(stderr, "frame_oracle: %s?\n", command);
	printf("done %s\n", command);
	fflush(stdout);
}

static bool
drain_events(struct oracle *oracle)
{
	bool changed = false;

	while (XPending(oracle->display) > 0) {
		XEvent event;

		XNextEvent(oracle->display, &event);
		changed = changed || event.type == oracle->damage_event;
	}
	if (changed)
		XDamageSubtract(oracle->display, oracle->damage, None, None);
	return changed;
}

/* After a request of the client that goes through us: by then the server has done it. */
static void
on_step(void *data)
{
	struct oracle *oracle = data;

	if (oracle->running == NULL)
		return;
	XSync(oracle->display, False);
	look(oracle);
	oracle->steps++;
}

static void
run(struct oracle *oracle)
{
	struct pollfd fds[2 + X_STEPPER_FDS];
	char line[256];

	for (;;) {
		bool looking = oracle->running != NULL;

		if (looking && drain_events(oracle))
			look(oracle);
		XFlush(oracle->display);
		fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
		fds[1] = (struct pollfd){
		    .fd = looking ? ConnectionNumber(oracle->display) : -1, .events = POLLIN};
		if (oracle->stepper != NULL)
			x_stepper_prepare(oracle->stepper, fds + 2);
		if (poll(fds, oracle->stepper != NULL ? G_N_ELEMENTS(fds) : 2,
			looking ? FRAME_MS : -1) == 0)
			look(oracle);
		if (oracle->stepper != NULL)
			x_stepper_dispatch(oracle->stepper, fds + 2);
		if (fds[0].revents == 0)
			continue;
		if (fgets(line, sizeof(line), stdin) == NULL)
			return;
		obey(oracle, line);
	}
}

/* --- start -------------------------------------------------------------------------------- */

static bool
parse_qube(const char *text, struct qube *qube)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 3);
	g_auto(GStrv) colors = NULL;

	if (g_strv_length(parts) != 3)
		return false;
	qube->name = g_strdup(parts[0]);
	qube->label = (uint32_t)strtoul(parts[1], NULL, 16);
	colors = g_strsplit(parts[2], ",", MAX_COLORS);
	for (char **color = colors; *color != NULL; color++)
		qube->colors[qube->color_count++] = (uint32_t)strtoul(*color, NULL, 16);
	return true;
}

/* Windows come and go while we ask about them. */
static int
on_error(Display *display, XErrorEvent *event)
{
	(void)display;
	(void)event;
	return 0;
}

int
main(int argc, char **argv)
{
	struct oracle *oracle = g_new0(struct oracle, 1);
	int error_base, step_number = -1;

	if (argc > 2 && strcmp(argv[1], "-s") == 0) {
		step_number = atoi(argv[2]);
		argv += 2;
		argc -= 2;
	}
	oracle->border = argc > 1 ? atoi(argv[1]) : 0;
	for (int i = 2; i < argc && oracle->qube_count < MAX_QUBES; i++) {
		if (!parse_qube(argv[i], &oracle->qubes[oracle->qube_count++]))
			return 2;
	}
	oracle->display = XOpenDisplay(NULL);
	if (oracle->display == NULL || oracle->border < 1 || oracle->qube_count == 0) {
		fputs("usage: frame_oracle BORDER NAME:LABEL:COLOUR[,COLOUR...]...\n", stderr);
		return 2;
	}
	setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see what is there */
	XSetErrorHandler(on_error);
	oracle->root = DefaultRootWindow(oracle->display);
	oracle->width = DisplayWidth(oracle->display, 0);
	oracle->height = DisplayHeight(oracle->display, 0);
	oracle->owner = g_new0(uint16_t, (size_t)oracle->width * (size_t)oracle->height);
	oracle->vm_name = XInternAtom(oracle->display, "_QUBES_VMNAME", False);
	if (!XDamageQueryExtension(oracle->display, &oracle->damage_event, &error_base))
		return 2;
	oracle->damage_event += XDamageNotify;
	oracle->damage = XDamageCreate(oracle->display, oracle->root, XDamageReportNonEmpty);
	if (step_number >= 0) {
		oracle->stepper = x_stepper_new(
		    step_number, atoi(DisplayString(oracle->display) + 1), on_step, oracle);
		if (oracle->stepper == NULL)
			return 2;
	}
	run(oracle);
	x_stepper_free(oracle->stepper);
	return 0;
}
