/*
 * fake_daemon - a GUI daemon on a string: speaks to a real agent, shows every message as a line of
 * text, and does what it is told on standard input.
 *
 *   fake_daemon AGENT-DOMAIN WIDTHxHEIGHT [MINOR-VERSION]
 *
 * Like the real one it acknowledges dumps and destroyed windows. It also plays the judge: a line
 * that begins with "violation" says which rule of docs/gui-protocol.md the agent has broken. The
 * rules on pages are judged by a list of the runs that a daemon may still be looking at.
 *
 * Commands are the rows of the table below; WIN is an id as printed, numbers as in C.
 */
#include "shared/gui_decode.h"
#include "shared/log.h"
#include "shared/region.h"
#include "shared/vchan/vchan.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_WORDS 8
#define PIXEL_BYTES 4

/* Pages that a daemon may look at until it has acknowledged until dumps of that window. */
struct held {
	uint32_t first, count;
	unsigned until; /* G_MAXUINT: for as long as nothing replaces it */
};

struct win {
	bool mapped, dying;
	uint32_t width; /* of the newest dump, pixels */
	uint64_t offset;
	unsigned dumps, acknowledged;
	GArray *held; /* owned; struct held */
};

static struct {
	GMainLoop *loop;
	uint32_t domain, minor;
	struct gui_wire_xconf xconf;
	struct vchan *vchan;
	GSource *source;
	struct gui_reader *reader;
	bool greeted, reading, acknowledges;
	uint32_t version;
	GHashTable *wins; /* id -> struct win * */
	struct region *region;
	GString *input;
} self;

/* --- pages --------------------------------------------------------------------------------- */

static void
win_free(gpointer data)
{
	struct win *win = data;

	g_array_free(win->held, TRUE);
	g_free(win);
}

static struct win *
win_find(uint32_t id)
{
	return g_hash_table_lookup(self.wins, GUINT_TO_POINTER(id));
}

static bool
overlaps_held(uint32_t first, uint32_t count)
{
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, self.wins);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		GArray *held = ((struct win *)value)->held;

		for (guint i = 0; i < held->len; i++) {
			const struct held *run = &g_array_index(held, struct held, i);

			if (first < run->first + run->count && run->first < first + count)
				return true;
		}
	}
	return false;
}

static void
hold(struct win *win, uint32_t first, uint32_t count)
{
	struct held run = {first, count, G_MAXUINT};

	win->dumps++;
	for (guint i = 0; i < win->held->len; i++) {
		struct held *old = &g_array_index(win->held, struct held, i);

		if (old->until == G_MAXUINT)
			old->until = win->dumps;
	}
	g_array_append_val(win->held, run);
}

static void
let_go(struct win *win)
{
	for (guint i = win->held->len; i > 0; i--) {
		if (g_array_index(win->held, struct held, i - 1).until <= win->acknowledged)
			g_array_remove_index(win->held, i - 1);
	}
}

/* --- to the agent -------------------------------------------------------------------------- */

static void
send(enum gui_message type, uint32_t window, const void *body, size_t len)
{
	struct gui_wire_header header = {type, window, (uint32_t)len};

	if (vchan_write(self.vchan, &header, sizeof(header)) != sizeof(header) ||
	    (len > 0 && vchan_write(self.vchan, body, len) != (ssize_t)len))
		printf("violation: the agent does not read\n");
}

static void
acknowledge_dump(uint32_t id)
{
	struct win *win = win_find(id);

	if (win == NULL || win->acknowledged == win->dumps)
		return;
	win->acknowledged++;
	let_go(win);
	if (self.version >= GUI_VERSION(1, 7))
		send(GUI_WINDOW_DUMP_ACK, id, NULL, 0);
}

static void
acknowledge_destroy(uint32_t id)
{
	struct win *win = win_find(id);

	if (win == NULL || !win->dying)
		return;
	g_hash_table_remove(self.wins, GUINT_TO_POINTER(id));
	if (self.version >= GUI_VERSION(1, 5))
		send(GUI_DESTROY, id, NULL, 0);
}

/* --- from the agent ------------------------------------------------------------------------ */

static int
on_create(struct win *win, const struct gui_packet *packet)
{
	struct gui_create create;
	struct win *made;

	if (win != NULL)
		printf("violation: create 0x%x twice\n", packet->window.id);
	if (gui_decode_create(packet->untrusted_body, &create) < 0)
		return -EPROTO;
	made = g_new0(struct win, 1);
	made->held = g_array_new(FALSE, FALSE, sizeof(struct held));
	g_hash_table_insert(self.wins, GUINT_TO_POINTER(packet->window.id), made);
	printf("create 0x%x %d %d %u %u %d\n", packet->window.id, create.geometry.x,
	    create.geometry.y, create.geometry.width, create.geometry.height,
	    create.override_redirect);
	return 0;
}

static int
on_destroy(struct win *win, const struct gui_packet *packet)
{
	win->dying = true;
	printf("destroy 0x%x\n", packet->window.id);
	if (self.acknowledges)
		acknowledge_destroy(packet->window.id);
	return 0;
}

static int
on_map(struct win *win, const struct gui_packet *packet)
{
	struct gui_map map;

	if (gui_decode_map(packet->untrusted_body, &map) < 0)
		return -EPROTO;
	win->mapped = true;
	printf(
	    "map 0x%x 0x%x %d\n", packet->window.id, map.transient_for.id, map.override_redirect);
	return 0;
}

static int
on_unmap(struct win *win, const struct gui_packet *packet)
{
	win->mapped = false;
	g_array_set_size(win->held, 0);
	printf("unmap 0x%x\n", packet->window.id);
	return 0;
}

static int
on_configure(struct win *win, const struct gui_packet *packet)
{
	struct gui_geometry geometry;

	(void)win;
	if (gui_decode_configure(packet->untrusted_body, &geometry) < 0)
		return -EPROTO;
	printf("configure 0x%x %d %d %u %u\n", packet->window.id, geometry.x, geometry.y,
	    geometry.width, geometry.height);
	return 0;
}

static int
on_window_dump(struct win *win, const struct gui_packet *packet)
{
	struct gui_window_dump dump;
	uint32_t first;

	if (gui_decode_window_dump(packet->untrusted_body, &dump) < 0)
		return -EPROTO;
	if (region_find_run(self.region, dump.untrusted_refs, dump.page_count, &win->offset) < 0)
		return -EPROTO;
	first = (uint32_t)(win->offset / REGION_PAGE_BYTES);
	if (overlaps_held(first, (uint32_t)dump.page_count))
		printf("violation: dump 0x%x on pages in use\n", packet->window.id);
	hold(win, first, (uint32_t)dump.page_count);
	win->width = dump.width;
	printf("dump 0x%x %u %u page %u count %zu\n", packet->window.id, dump.width, dump.height,
	    first, dump.page_count);
	if (self.acknowledges)
		acknowledge_dump(packet->window.id);
	return 0;
}

static int
on_shmimage(struct win *win, const struct gui_packet *packet)
{
	struct gui_shmimage image;

	if (win->dumps == 0)
		printf("violation: shmimage 0x%x before any dump\n", packet->window.id);
	if (gui_decode_shmimage(packet->untrusted_body, &image) < 0)
		return -EPROTO;
	printf("shmimage 0x%x %u %u %u %u\n", packet->window.id, image.x, image.y, image.width,
	    image.height);
	return 0;
}

static int
on_wmname(struct win *win, const struct gui_packet *packet)
{
	struct gui_title title;

	(void)win;
	if (gui_decode_wmname(packet->untrusted_body, &title) < 0)
		return -EPROTO;
	printf("name 0x%x %s\n", packet->window.id, title.untrusted_text);
	return 0;
}

static int
on_wmclass(struct win *win, const struct gui_packet *packet)
{
	struct gui_wmclass class;

	(void)win;
	if (gui_decode_wmclass(packet->untrusted_body, &class) < 0)
		return -EPROTO;
	printf(
	    "class 0x%x %s %s\n", packet->window.id, class.untrusted_class, class.untrusted_name);
	return 0;
}

static int
on_window_hints(struct win *win, const struct gui_packet *packet)
{
	struct gui_window_hints hints;

	(void)win;
	if (gui_decode_window_hints(packet->untrusted_body, &hints) < 0)
		return -EPROTO;
	printf("hints 0x%x 0x%x min %u %u max %u %u inc %u %u base %u %u\n", packet->window.id,
	    hints.flags, hints.min_width, hints.min_height, hints.max_width, hints.max_height,
	    hints.width_inc, hints.height_inc, hints.base_width, hints.base_height);
	return 0;
}

static int
on_window_flags(struct win *win, const struct gui_packet *packet)
{
	struct gui_window_flags flags;

	(void)win;
	if (gui_decode_window_flags(packet->untrusted_body, &flags) < 0)
		return -EPROTO;
	printf("flags 0x%x set %u unset %u\n", packet->window.id, flags.set, flags.unset);
	return 0;
}

static int
on_clipboard_data(struct win *win, const struct gui_packet *packet)
{
	(void)win;
	printf("clipboard 0x%x %zu\n", packet->window.id, packet->untrusted_body.len);
	return 0;
}

/* clang-format off */
static const struct {
	bool needs_window;
	int (*handler)(struct win *win, const struct gui_packet *packet);
} messages[] = {
	[GUI_CREATE]         = { false, on_create },
	[GUI_DESTROY]        = { true,  on_destroy },
	[GUI_MAP]            = { true,  on_map },
	[GUI_UNMAP]          = { true,  on_unmap },
	[GUI_CONFIGURE]      = { true,  on_configure },
	[GUI_SHMIMAGE]       = { true,  on_shmimage },
	[GUI_CLIPBOARD_DATA] = { false, on_clipboard_data },
	[GUI_WMNAME]         = { true,  on_wmname },
	[GUI_WINDOW_HINTS]   = { true,  on_window_hints },
	[GUI_WINDOW_FLAGS]   = { true,  on_window_flags },
	[GUI_WMCLASS]        = { true,  on_wmclass },
	[GUI_WINDOW_DUMP]    = { true,  on_window_dump },
};
/* clang-format on */

static void
on_packet(const struct gui_packet *packet)
{
	struct win *win = win_find(packet->window.id);

	if (packet->type >= G_N_ELEMENTS(messages) || messages[packet->type].handler == NULL)
		printf("violation: message %u\n", packet->type);
	else if (messages[packet->type].needs_window && (win == NULL || win->dying))
		printf("violation: %s for no window 0x%x\n", gui_message_name(packet->type),
		    packet->window.id);
	else if (messages[packet->type].handler(win, packet) < 0)
		printf("violation: a bad %s for 0x%x\n", gui_message_name(packet->type),
		    packet->window.id);
}

/* --- the channel --------------------------------------------------------------------------- */

static void
greet(void)
{
	struct untrusted_u32 untrusted_version;
	uint32_t major;

	if (!gui_reader_take(self.reader, &untrusted_version, sizeof(untrusted_version)))
		return;
	if (gui_decode_agent_version(untrusted_version, &major, &self.version) < 0) {
		printf("violation: version %u\n", major);
		return;
	}
	self.version = MIN(self.version, GUI_VERSION(1, self.minor));
	gui_reader_set_version(self.reader, self.version);
	vchan_write(self.vchan, &self.version, sizeof(self.version));
	vchan_write(self.vchan, &self.xconf, sizeof(self.xconf));
	self.greeted = true;
	printf("greeted 1.%u\n", self.version & 0xffff);
}

static gboolean
on_vchan(gpointer data)
{
	struct gui_packet packet;
	size_t room;
	void *space;
	ssize_t n;

	(void)data;
	if (!self.reading)
		return G_SOURCE_CONTINUE;
	space = gui_reader_space(self.reader, &room);
	n = vchan_read(self.vchan, space, room);
	if (n == -EAGAIN)
		return G_SOURCE_CONTINUE;
	if (n <= 0) {
		printf("gone\n");
		return G_SOURCE_REMOVE;
	}
	gui_reader_filled(self.reader, (size_t)n);
	if (!self.greeted)
		greet();
	while (self.greeted && gui_reader_next(self.reader, &packet) > 0)
		on_packet(&packet);
	return G_SOURCE_CONTINUE;
}

static void
connect_agent(void)
{
	int r = vchan_connect("socket", self.domain, GUI_PORT, 0, &self.vchan);

	if (r < 0) {
		fprintf(stderr, "fake_daemon: connect: %s\n", strerror(-r));
		exit(1);
	}
	self.reader = gui_reader_new(GUI_SENDER_AGENT);
	self.greeted = false;
	self.source = vchan_source_new(self.vchan);
	g_source_set_callback(self.source, on_vchan, NULL, NULL);
	g_source_attach(self.source, NULL);
}

static void
disconnect_agent(void)
{
	g_source_destroy(self.source);
	g_source_unref(self.source);
	vchan_close(self.vchan);
	gui_reader_free(self.reader);
	g_hash_table_remove_all(self.wins);
}

/* --- commands ------------------------------------------------------------------------------ */

static uint32_t
number(const char *word)
{
	return word != NULL ? (uint32_t)strtol(word, NULL, 0) : 0;
}

static bool
is_word(const char *word, const char *wanted)
{
	return g_strcmp0(word, wanted) == 0;
}

static void
do_key(char **words)
{
	struct gui_wire_keypress key = {
	    .type = is_word(words[3], "down") ? 2 : 3,
	    .keycode = number(words[2]),
	    .state = number(words[4]),
	};

	send(GUI_KEYPRESS, number(words[1]), &key, sizeof(key));
}

static void
do_button(char **words)
{
	struct gui_wire_button button = {
	    .type = is_word(words[3], "down") ? 4 : 5,
	    .button = number(words[2]),
	    .x = (int32_t)number(words[4]),
	    .y = (int32_t)number(words[5]),
	    .state = number(words[6]),
	};

	send(GUI_BUTTON, number(words[1]), &button, sizeof(button));
}

static void
do_motion(char **words)
{
	struct gui_wire_motion motion = {
	    .x = (int32_t)number(words[2]),
	    .y = (int32_t)number(words[3]),
	    .state = number(words[4]),
	};

	send(GUI_MOTION, number(words[1]), &motion, sizeof(motion));
}

static void
do_crossing(char **words)
{
	struct gui_wire_crossing crossing = {
	    .type = is_word(words[0], "enter") ? 7 : 8,
	    .x = (int32_t)number(words[2]),
	    .y = (int32_t)number(words[3]),
	};

	send(GUI_CROSSING, number(words[1]), &crossing, sizeof(crossing));
}

static void
do_focus(char **words)
{
	struct gui_wire_focus focus = {.type = is_word(words[2], "in") ? 9 : 10};

	send(GUI_FOCUS, number(words[1]), &focus, sizeof(focus));
}

static void
do_keymap(char **words)
{
	struct gui_wire_keymap_notify keymap = {{0}};

	for (char **word = words + 1; *word != NULL; word++)
		keymap.keys[number(*word) / 8 % 32] |= (uint8_t)(1u << number(*word) % 8);
	send(GUI_KEYMAP_NOTIFY, 0, &keymap, sizeof(keymap));
}

static void
do_configure(char **words)
{
	struct gui_wire_configure configure = {
	    .x = (int32_t)number(words[2]),
	    .y = (int32_t)number(words[3]),
	    .width = number(words[4]),
	    .height = number(words[5]),
	};

	send(GUI_CONFIGURE, number(words[1]), &configure, sizeof(configure));
}

static void
do_map(char **words)
{
	struct gui_wire_map map = {.override_redirect = number(words[2])};

	send(GUI_MAP, number(words[1]), &map, sizeof(map));
}

static void
do_flags(char **words)
{
	struct gui_wire_window_flags flags = {number(words[2]), number(words[3])};

	send(GUI_WINDOW_FLAGS, number(words[1]), &flags, sizeof(flags));
}

static void
do_close(char **words)
{
	send(GUI_CLOSE, number(words[1]), NULL, 0);
}

static void
do_clipboard(char **words)
{
	send(GUI_CLIPBOARD_REQ, number(words[1]), NULL, 0);
	send(GUI_CLIPBOARD_DATA, number(words[1]), "text", 4);
}

/* A message that no agent knows, to be skipped by its length. */
static void
do_unknown(char **words)
{
	char body[1000] = "";

	send((enum gui_message)number(words[1]), 0, body, MIN(number(words[2]), sizeof(body)));
}

/* "acks off" holds acknowledgements back; "acks on" sends those that are owed. */
static void
do_acks(char **words)
{
	g_autofree gpointer *ids = NULL;
	guint count;

	self.acknowledges = is_word(words[1], "on");
	if (!self.acknowledges)
		return;
	ids = g_hash_table_get_keys_as_array(self.wins, &count);
	for (guint i = 0; i < count; i++) {
		uint32_t id = GPOINTER_TO_UINT(ids[i]);
		struct win *win = win_find(id);

		while (win->acknowledged < win->dumps)
			acknowledge_dump(id);
		acknowledge_destroy(id);
	}
}

/* "read off": like a daemon that is stopped. */
static void
do_read(char **words)
{
	self.reading = is_word(words[1], "on");
	vchan_source_set_reading(self.source, self.reading);
}

static void
do_pixel(char **words)
{
	struct win *win = win_find(number(words[1]));
	uint32_t x = number(words[2]), y = number(words[3]), pixel = 0;

	if (win == NULL || win->dumps == 0 ||
	    pread(region_fd(self.region), &pixel, sizeof(pixel),
		(off_t)(win->offset + ((uint64_t)y * win->width + x) * PIXEL_BYTES)) < 0)
		printf("pixel %s none\n", words[1]);
	else
		printf("pixel %s %u %u %06x\n", words[1], x, y, pixel & 0xffffff);
}

/* "reconnect [WIDTH HEIGHT]" */
static void
do_reconnect(char **words)
{
	if (words[1] != NULL && words[2] != NULL) {
		self.xconf.width = number(words[1]);
		self.xconf.height = number(words[2]);
	}
	disconnect_agent();
	connect_agent();
}

/* "echo WORD": for the reader of our output to find its place. */
static void
do_echo(char **words)
{
	printf("echo %s\n", words[1]);
}

static void
do_quit(char **words)
{
	(void)words;
	g_main_loop_quit(self.loop);
}

static const struct {
	const char *name;
	guint words; /* at least */
	void (*run)(char **words);
} commands[] = {
    {"key", 5, do_key},             /* WIN KEYCODE down|up STATE */
    {"button", 7, do_button},       /* WIN BUTTON down|up X Y STATE */
    {"motion", 5, do_motion},       /* WIN X Y STATE */
    {"enter", 4, do_crossing},      /* WIN X Y */
    {"leave", 4, do_crossing},      /* WIN X Y */
    {"focus", 3, do_focus},         /* WIN in|out */
    {"keymap", 1, do_keymap},       /* KEYCODE... */
    {"configure", 6, do_configure}, /* WIN X Y WIDTH HEIGHT */
    {"map", 3, do_map},             /* WIN OVERRIDE-REDIRECT */
    {"flags", 4, do_flags},         /* WIN SET UNSET */
    {"close", 2, do_close},         /* WIN */
    {"clipboard", 2, do_clipboard}, /* WIN */
    {"unknown", 3, do_unknown},     /* TYPE LENGTH */
    {"acks", 2, do_acks},           /* on|off */
    {"read", 2, do_read},           /* on|off */
    {"pixel", 4, do_pixel},         /* WIN X Y */
    {"reconnect", 1, do_reconnect}, /* [WIDTH HEIGHT] */
    {"echo", 2, do_echo},           /* WORD */
    {"quit", 1, do_quit},
};

static void
run_command(const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", COMMAND_WORDS);

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (is_word(words[0], commands[i].name) &&
		    g_strv_length(words) >= commands[i].words) {
			commands[i].run(words);
			return;
		}
	}
	fprintf(stderr, "fake_daemon: not a command: %s\n", line);
	exit(1);
}

static gboolean
on_input(gint fd, GIOCondition condition, gpointer data)
{
	char bytes[4096], *newline;
	ssize_t n = read(fd, bytes, sizeof(bytes));

	(void)condition;
	(void)data;
	if (n <= 0) {
		g_main_loop_quit(self.loop);
		return G_SOURCE_REMOVE;
	}
	g_string_append_len(self.input, bytes, n);
	while ((newline = strchr(self.input->str, '\n')) != NULL) {
		g_autofree char *line =
		    g_strndup(self.input->str, (gsize)(newline - self.input->str));

		g_string_erase(self.input, 0, newline - self.input->str + 1);
		run_command(line);
	}
	return G_SOURCE_CONTINUE;
}

int
main(int argc, char **argv)
{
	int r;

	log_init("fake_daemon");
	if (argc < 3 || sscanf(argv[2], "%ux%u", &self.xconf.width, &self.xconf.height) != 2) {
		fprintf(stderr, "fake_daemon AGENT-DOMAIN WIDTHxHEIGHT [MINOR-VERSION]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	self.domain = number(argv[1]);
	self.minor = argc > 3 ? number(argv[3]) : 8;
	self.xconf.depth = 24;
	self.reading = self.acknowledges = true;
	self.wins = g_hash_table_new_full(NULL, NULL, NULL, win_free);
	self.input = g_string_new("");
	self.loop = g_main_loop_new(NULL, FALSE);
	r = region_open("socket", self.domain, &self.region);
	if (r < 0) {
		fprintf(stderr, "fake_daemon: region: %s\n", strerror(-r));
		return 1;
	}
	connect_agent();
	g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_input, NULL);
	g_main_loop_run(self.loop);
	disconnect_agent();
	return 0;
}
