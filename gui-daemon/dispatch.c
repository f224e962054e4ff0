#include "gui-daemon/dispatch.h"
#include "gui-daemon/state.h"

#include <errno.h>

/* What a message says about its window field. */
enum window_rule {
	WINDOW_KNOWN, /* names a window that exists: else it breaks the protocol */
	WINDOW_NEW,   /* names one that does not */
	WINDOW_ANY,   /* means nothing */
};

/* window is NULL unless the rule is WINDOW_KNOWN. */
typedef int (*message_func)(
    struct guest *guest, struct window *window, const struct gui_packet *packet);

struct message {
	enum window_rule window;
	message_func handler; /* NULL: taken and forgotten */
};

static int
on_create(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_create create;
	int r;

	(void)window;
	r = gui_decode_create(packet->untrusted_body, &create);
	if (r < 0)
		return r;
	return guest_create_window(guest, packet->window, &create);
}

static int
on_destroy(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	(void)packet;
	guest_destroy_window(guest, window);
	return 0;
}

/* The window that another one belongs to: one of this guest, and no circle. */
static struct window *
find_owner(struct guest *guest, const struct window *window, struct guest_window id)
{
	struct window *owner = id.id != 0 ? guest_find_window(guest, id) : NULL;

	for (struct window *w = owner; w != NULL; w = w->transient_for) {
		if (w == window)
			return NULL;
	}
	return owner;
}

static int
on_map(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_map map;
	int r;

	r = gui_decode_map(packet->untrusted_body, &map);
	if (r < 0)
		return r;
	window_map(window, find_owner(guest, window, map.transient_for), map.override_redirect);
	return 0;
}

static int
on_unmap(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	(void)guest;
	(void)packet;
	window_unmap(window);
	return 0;
}

static int
on_configure(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_geometry geometry;
	int r;

	(void)guest;
	r = gui_decode_configure(packet->untrusted_body, &geometry);
	if (r < 0)
		return r;
	window_configure(window, &geometry);
	return 0;
}

static int
on_shmimage(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_shmimage image;
	int r;

	r = gui_decode_shmimage(packet->untrusted_body, &image);
	if (r < 0)
		return r;
	if (window->mapped)
		painter_damage(guest->painter, window,
		    (struct rect){(int32_t)image.x, (int32_t)image.y, image.width, image.height});
	return 0;
}

static int
on_window_dump(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_window_dump dump;
	int r;

	r = gui_decode_window_dump(packet->untrusted_body, &dump);
	if (r < 0)
		return r;
	guest_dump_window(guest, window, &dump);
	return 0;
}

static int
on_wmname(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_title title;
	int r;

	(void)guest;
	r = gui_decode_wmname(packet->untrusted_body, &title);
	if (r < 0)
		return r;
	window_set_title(window, &title);
	return 0;
}

static int
on_wmclass(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_wmclass wmclass;
	int r;

	(void)guest;
	r = gui_decode_wmclass(packet->untrusted_body, &wmclass);
	if (r < 0)
		return r;
	window_set_class(window, &wmclass);
	return 0;
}

static int
on_window_hints(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_window_hints hints;
	int r;

	(void)guest;
	r = gui_decode_window_hints(packet->untrusted_body, &hints);
	if (r < 0)
		return r;
	window_set_hints(window, &hints);
	return 0;
}

static int
on_window_flags(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_window_flags flags;
	int r;

	(void)guest;
	r = gui_decode_window_flags(packet->untrusted_body, &flags);
	if (r < 0)
		return r;
	state_request(window, &flags);
	return 0;
}

static int
on_cursor(struct guest *guest, struct window *window, const struct gui_packet *packet)
{
	struct gui_cursor cursor;
	int r;

	(void)guest;
	r = gui_decode_cursor(packet->untrusted_body, &cursor);
	if (r < 0)
		return r;
	window_set_cursor(window, &cursor);
	return 0;
}

/*
 * DOCK has no handler: a window that asks for the tray stays an ordinary one. CLIPBOARD_DATA has
 * none: nothing asks for it, and what was not asked for is dropped.
 */
/* clang-format off */
static const struct message messages[] = {
	/*                       window        handler */
	[GUI_CREATE]         = { WINDOW_NEW,   on_create },
	[GUI_DESTROY]        = { WINDOW_KNOWN, on_destroy },
	[GUI_MAP]            = { WINDOW_KNOWN, on_map },
	[GUI_UNMAP]          = { WINDOW_KNOWN, on_unmap },
	[GUI_CONFIGURE]      = { WINDOW_KNOWN, on_configure },
	[GUI_SHMIMAGE]       = { WINDOW_KNOWN, on_shmimage },
	[GUI_CLIPBOARD_DATA] = { WINDOW_ANY,   NULL },
	[GUI_WMNAME]         = { WINDOW_KNOWN, on_wmname },
	[GUI_DOCK]           = { WINDOW_KNOWN, NULL },
	[GUI_WINDOW_HINTS]   = { WINDOW_KNOWN, on_window_hints },
	[GUI_WINDOW_FLAGS]   = { WINDOW_KNOWN, on_window_flags },
	[GUI_WMCLASS]        = { WINDOW_KNOWN, on_wmclass },
	[GUI_WINDOW_DUMP]    = { WINDOW_KNOWN, on_window_dump },
	[GUI_CURSOR]         = { WINDOW_KNOWN, on_cursor },
};
/* clang-format on */

int
dispatch_packet(struct guest *guest, const struct gui_packet *packet)
{
	const struct message *message = &messages[packet->type];
	struct window *window = NULL;
	int r;

	if (message->window == WINDOW_KNOWN) {
		window = guest_find_window(guest, packet->window);
		if (window == NULL)
			return -EPROTO;
	}
	if (message->handler == NULL)
		return 0;
	r = message->handler(guest, window, packet);
	return r == -ENOMSG ? 0 : r;
}
