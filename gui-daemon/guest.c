#include "gui-daemon/guest.h"
#include "shared/log.h"
#include "shared/vchan/vchan.h"

#include <errno.h>
#include <string.h>

#define READS_PER_TURN 4
#define PACKETS_PER_TURN 256
#define PACKETS_PER_FENCE 256
#define RECONNECT_MS 500

struct guest_private {
	const struct guest_events *events; /* borrowed */
	struct vchan *vchan;               /* owned; NULL between two agents */
	GSource *source;                   /* owned; of the vchan */
	guint work;                        /* idle source: there is more to do; 0: none */
	guint reconnect;                   /* timeout source; 0: none */
	struct gui_reader *reader;         /* owned */
	unsigned unfenced;                 /* packets handled since the last fence */
	bool fence_under_way;
	bool was_connected;
	bool ended; /* on_end was called */
};

static void guest_connect(struct guest *guest);

/* --- windows ------------------------------------------------------------------------------ */

struct window *
guest_find_window(const struct guest *guest, struct guest_window id)
{
	return g_hash_table_lookup(guest->windows, GUINT_TO_POINTER(id.id));
}

struct window *
guest_find_by_xid(const struct guest *guest, xcb_window_t xid)
{
	return g_hash_table_lookup(guest->context.by_xid, GUINT_TO_POINTER(xid));
}

int
guest_create_window(struct guest *guest, struct guest_window id, const struct gui_create *create)
{
	struct window *window;

	if (guest_find_window(guest, id) != NULL)
		return -EPROTO;
	if (g_hash_table_size(guest->windows) >= guest->context.config->max_windows)
		return -ENOSPC;
	window = window_new(&guest->context, id, create);
	g_hash_table_insert(guest->windows, GUINT_TO_POINTER(id.id), window);
	if (id.id == 0)
		painter_set_screen(guest->painter, window);
	return 0;
}

/* Sets the owner of all windows that belong to one; NULL: they belong to none from now on. */
static void
set_owner_of_dialogs(struct guest *guest, struct window *of, struct window *owner)
{
	GHashTableIter iter;
	gpointer window;

	g_hash_table_iter_init(&iter, guest->windows);
	while (g_hash_table_iter_next(&iter, NULL, &window)) {
		if (((struct window *)window)->transient_for == of)
			window_set_transient_for(window, owner);
	}
}

static void
on_window_renewed(void *data, struct window *window)
{
	struct guest *guest = data;

	input_forget(guest->input, window);
	set_owner_of_dialogs(guest, window, window);
}

void
guest_destroy_window(struct guest *guest, struct window *window)
{
	struct guest_window id = window->id;

	painter_forget(guest->painter, window);
	input_forget(guest->input, window);
	set_owner_of_dialogs(guest, window, NULL);
	g_hash_table_remove(guest->windows, GUINT_TO_POINTER(id.id));
	if (guest->version >= GUI_VERSION(1, 5))
		painter_acknowledge(guest->painter, GUI_DESTROY, id);
}

static int
find_surface(struct guest *guest, const struct gui_window_dump *dump, struct surface **ret)
{
	if (guest->context.config->invisible)
		return -ECANCELED;
	if (guest->context.pages + dump->page_count > GUEST_MAX_PAGES)
		return -ENOSPC;
	return pixels_find_surface(painter_pixels(guest->painter), dump, ret);
}

void
guest_dump_window(struct guest *guest, struct window *window, const struct gui_window_dump *dump)
{
	struct surface *surface = NULL;
	int r;

	window_set_surface(window, NULL);
	r = find_surface(guest, dump, &surface);
	if (r < 0)
		log_debug("%s: window 0x%x: dump not used: %s", guest->context.config->name,
		    window->id.id, strerror(-r));
	window_set_surface(window, surface);
	if (guest->version >= GUI_VERSION(1, 7))
		painter_acknowledge(guest->painter, GUI_WINDOW_DUMP_ACK, window->id);
}

void
guest_set_locked(struct guest *guest, bool is_locked)
{
	GHashTableIter iter;
	gpointer window;

	guest->context.screen_is_locked = is_locked;
	g_hash_table_iter_init(&iter, guest->windows);
	while (g_hash_table_iter_next(&iter, NULL, &window))
		window_on_lock_changed(window);
}

void
guest_on_screen_changed(struct guest *guest)
{
	GHashTableIter iter;
	gpointer window;

	g_hash_table_iter_init(&iter, guest->windows);
	while (g_hash_table_iter_next(&iter, NULL, &window))
		window_on_screen_changed(window);
}

/* --- one session -------------------------------------------------------------------------- */

static void
guest_end(struct guest *guest, int error)
{
	struct guest_private *private = guest->private;

	if (private->ended)
		return;
	private->ended = true;
	private->events->on_end(private->events->data, error);
}

/* Everything that belongs to the agent that was, before the first message of the next one. */
static void
guest_disconnect(struct guest *guest)
{
	struct guest_private *private = guest->private;

	guest->version = 0;
	private->unfenced = 0;
	private->fence_under_way = false;
	display_forget(guest->context.display, guest);
	g_hash_table_remove_all(guest->windows);
	g_clear_pointer(&guest->painter, painter_free);
	g_clear_pointer(&guest->input, input_free);
	g_clear_pointer(&guest->outbox, outbox_free);
	g_clear_pointer(&private->reader, gui_reader_free);
	g_clear_handle_id(&private->work, g_source_remove);
	if (private->source != NULL) {
		g_source_destroy(private->source);
		g_clear_pointer(&private->source, g_source_unref);
	}
	g_clear_pointer(&private->vchan, vchan_close);
	guest->context.outbox = NULL;
	guest->context.pages = 0;
}

static gboolean
on_reconnect(gpointer data)
{
	struct guest *guest = data;

	guest->private->reconnect = 0;
	guest_connect(guest);
	return G_SOURCE_REMOVE;
}

static void
guest_reconnect_later(struct guest *guest)
{
	guest_disconnect(guest);
	guest->private->reconnect = g_timeout_add(RECONNECT_MS, on_reconnect, guest);
}

static struct region *
open_region(const struct guest *guest)
{
	struct region *region = NULL;
	int r;

	if (guest->context.config->invisible)
		return NULL;
	r = region_open(NULL, guest->context.config->domid, &region);
	if (r < 0)
		log_warn("%s: no memory region, its windows stay empty: %s",
		    guest->context.config->name, strerror(-r));
	return region;
}

static void
send_handshake(struct guest *guest)
{
	const struct rect *screen = &guest->context.display->screen;
	struct gui_wire_xconf xconf = {
	    .width = (screen->width + 7) / 8 * 8,
	    .height = screen->height,
	    .depth = DISPLAY_DEPTH,
	    .mem_kib = screen->width * screen->height * 4 / 1024 + 1,
	};

	if (guest->version >= GUI_VERSION(1, 4))
		outbox_send_raw(guest->outbox, &guest->version, sizeof(guest->version));
	outbox_send_raw(guest->outbox, &xconf, sizeof(xconf));
}

/* Returns 1 when the agent has said its version, 0 when it has not yet, -EPROTO. */
static int
guest_handshake(struct guest *guest)
{
	struct guest_private *private = guest->private;
	struct untrusted_u32 untrusted_version;
	uint32_t version, major;

	if (guest->version != 0)
		return 1;
	if (!gui_reader_take(private->reader, &untrusted_version, sizeof(untrusted_version)))
		return 0;
	if (gui_decode_agent_version(untrusted_version, &major, &version) < 0) {
		log_error("%s: its GUI agent speaks protocol %u, this daemon 1: update %s",
		    guest->context.config->name, major, major < 1 ? "the agent" : "the daemon");
		return -EPROTO;
	}
	guest->version = version;
	gui_reader_set_version(private->reader, version);
	send_handshake(guest);
	guest->painter = painter_new(guest->context.display, guest->outbox,
	    pixels_new(guest->context.display, open_region(guest)));
	guest->input = input_new(guest->context.display, guest->outbox);
	if (guest->context.config->log_level > 0)
		log_info("%s: GUI agent connected, protocol 1.%u", guest->context.config->name,
		    version & 0xffff);
	if (!private->was_connected) {
		private->was_connected = true;
		private->events->on_connected(private->events->data);
	}
	return 1;
}

/* --- reading and writing ------------------------------------------------------------------ */

static gboolean on_work(gpointer data);

static void
schedule_work(struct guest *guest)
{
	if (guest->private->work == 0)
		guest->private->work = g_idle_add_full(G_PRIORITY_DEFAULT, on_work, guest, NULL);
}

/* Whether the agent's stream may be read: not while what it causes piles up. */
static bool
may_read(const struct guest *guest)
{
	return !outbox_is_full(guest->outbox) && !guest->private->fence_under_way &&
	       (guest->painter == NULL || !painter_is_full(guest->painter));
}

static int
handle_packet(struct guest *guest, const struct gui_packet *packet)
{
	int r = guest->private->events->on_packet(guest, packet);

	if (r < 0)
		log_error("%s: %s of window 0x%x: %s", guest->context.config->name,
		    gui_message_name(packet->type), packet->window.id,
		    r == -ENOSPC ? "too many windows" : "breaks the protocol");
	return r;
}

static void
on_fence(void *data, const void *reply)
{
	struct guest *guest = data;

	(void)reply;
	guest->private->fence_under_way = false;
	schedule_work(guest);
}

/* A packet may cost the X server requests and us events: after so many the agent waits for both. */
static void
count_packet(struct guest *guest)
{
	struct guest_private *private = guest->private;

	if (++private->unfenced < PACKETS_PER_FENCE)
		return;
	private->unfenced = 0;
	private->fence_under_way = true;
	display_fence(guest->context.display, on_fence, guest);
}

/* Returns 0 when the reader is empty, 1 when the budget is used up or reading is stopped; -EPROTO.
 */
static int
handle_packets(struct guest *guest, unsigned *budget)
{
	struct gui_packet packet;
	int r;

	r = guest_handshake(guest);
	if (r <= 0)
		return r;
	for (;;) {
		if (*budget == 0 || !may_read(guest))
			return 1;
		r = gui_reader_next(guest->private->reader, &packet);
		if (r < 0)
			log_error("%s: a message that is none, or of a wrong length",
			    guest->context.config->name);
		if (r <= 0)
			return r;
		(*budget)--;
		r = handle_packet(guest, &packet);
		if (r < 0)
			return r;
		count_packet(guest);
	}
}

static int
read_some(struct guest *guest)
{
	size_t len;
	void *space = gui_reader_space(guest->private->reader, &len);
	ssize_t n = vchan_read(guest->private->vchan, space, len);

	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return (int)n;
	gui_reader_filled(guest->private->reader, (size_t)n);
	return 0;
}

/*
 * One turn of reading: 0 to go on when the vchan has news, 1 when there is more at hand, -EPROTO
 * when the agent broke the protocol, another error when the stream is over.
 */
static int
read_turn(struct guest *guest)
{
	unsigned budget = PACKETS_PER_TURN;

	for (unsigned reads = READS_PER_TURN;; reads--) {
		int r = handle_packets(guest, &budget);

		if (r < 0)
			return r;
		if (r > 0)
			return may_read(guest); /* else flushing goes on first */
		if (reads == 0)
			return 1;
		r = read_some(guest);
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
	}
}

static void
run(struct guest *guest)
{
	struct guest_private *private = guest->private;
	int r;

	r = read_turn(guest);
	if (r == -EPROTO || r == -ENOSPC) {
		guest_end(guest, r);
		return;
	}
	if (r > 0)
		schedule_work(guest);
	if (r >= 0)
		r = outbox_flush(guest->outbox, private->vchan);
	if (r < 0) {
		if (guest->context.config->log_level > 0)
			log_info("%s: GUI agent gone (%s), waiting for the next",
			    guest->context.config->name, strerror(-r));
		guest_reconnect_later(guest);
		return;
	}
	if (guest->input != NULL && !outbox_is_full(guest->outbox))
		input_resync(guest->input);
	vchan_source_set_reading(private->source, may_read(guest));
}

static gboolean
on_work(gpointer data)
{
	struct guest *guest = data;

	guest->private->work = 0;
	if (!guest->private->ended)
		run(guest);
	return G_SOURCE_REMOVE;
}

static gboolean
on_vchan(gpointer data)
{
	struct guest *guest = data;

	if (guest->private->ended)
		return G_SOURCE_REMOVE;
	run(guest);
	return G_SOURCE_CONTINUE;
}

static void
on_outbox_wake(void *data)
{
	schedule_work(data);
}

/* --- life --------------------------------------------------------------------------------- */

static void
guest_connect(struct guest *guest)
{
	struct guest_private *private = guest->private;
	const struct config *config = guest->context.config;
	int r;

	r = vchan_connect(NULL, config->domid, GUI_PORT, 0, &private->vchan);
	if (r == -ENOTCONN) {
		log_error("no way to a domain: QUBES_VCHAN is not set and nothing is found");
		guest_end(guest, r);
		return;
	}
	if (r < 0) {
		log_debug("%s: connecting: %s", config->name, strerror(-r));
		guest_reconnect_later(guest);
		return;
	}
	private->reader = gui_reader_new(GUI_SENDER_AGENT);
	guest->outbox = outbox_new(on_outbox_wake, guest);
	guest->context.outbox = guest->outbox;
	private->source = vchan_source_new(private->vchan);
	g_source_set_callback(private->source, on_vchan, guest, NULL);
	g_source_attach(private->source, NULL);
}

struct guest *
guest_new(struct display *display, const struct config *config, const struct look *look,
    const struct guest_events *events)
{
	struct guest *guest = g_new0(struct guest, 1);

	guest->context.display = display;
	guest->context.config = config;
	guest->context.look = look;
	guest->windows = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)window_free);
	guest->context.by_xid = g_hash_table_new(NULL, NULL);
	guest->context.on_renewed = on_window_renewed;
	guest->context.data = guest;
	guest->private = g_new0(struct guest_private, 1);
	guest->private->events = events;
	guest_connect(guest);
	return guest;
}

void
guest_free(struct guest *guest)
{
	if (guest == NULL)
		return;
	guest_disconnect(guest);
	g_clear_handle_id(&guest->private->reconnect, g_source_remove);
	g_hash_table_unref(guest->windows);
	g_hash_table_unref(guest->context.by_xid);
	g_free(guest->private);
	g_free(guest);
}
