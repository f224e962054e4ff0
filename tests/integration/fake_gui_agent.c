/*
 * fake_gui_agent DOMAIN FOLDER [VERSION] - plays the GUI agent of a qube, as well or as badly as its
 * script says. The vchan is the socket transport in FOLDER, where the region dom<DOMAIN>.pages is
 * made as well (64 MiB, sparse). VERSION is hexadecimal, 10008 when it is left out.
 *
 * The script comes on stdin, a command a line; numbers in any base of C. What the daemon sends is
 * printed, a message a line ("configure 7 102 130 640 480 0"), and so is "gone" when it has left.
 *
 *   create W X Y WIDTH HEIGHT OVERRIDE [PARENT]     destroy W      map W [TRANSIENT OVERRIDE]
 *   configure W X Y WIDTH HEIGHT [OVERRIDE]         unmap W        dock W
 *   dump W WIDTH HEIGHT [PAGE [PAGES]]              pages from PAGE (0) on, as many as needed
 *   dumprefs W WIDTH HEIGHT REF...                  these references
 *   fill PAGE WIDTH HEIGHT RGB [X Y W H]            writes pixels of an image at PAGE into the region
 *   image W X Y WIDTH HEIGHT                        SHMIMAGE
 *   title W TEXT        class W CLASS NAME          flags W SET UNSET     cursor W ID
 *   hints W FLAGS MINW MINH MAXW MAXH INCW INCH BASEW BASEH
 *   message TYPE W [HEX]   any message              raw HEX   any bytes
 *   answer on|off       whether CONFIGURE of a window that is there is answered with the same, as
 *                       agents do (on)
 *   reading on|off      whether the daemon is listened to (on)
 *   expect NAME [W]     waits until such a message has come that no expect has taken yet, 5 s
 *   gone                waits until the daemon has left, 5 s
 *   wobble W COUNT      so many CONFIGUREs, each a pixel beside the one before
 *   storm COUNT         so many messages about windows 1..4, at random but no breach of the protocol
 *   sleep MS            say TEXT                    reconnect
 *
 * Exit status: 0 at the end of the script, 1 when something expected did not come.
 */
#include "shared/gui_decode.h"
#include "shared/region.h"
#include "shared/vchan/vchan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION_BYTES (64u << 20)
#define MAX_WORDS 64
#define EXPECT_MS 5000

struct agent {
	uint32_t version;
	struct vchan *vchan;
	GSource *source;
	struct gui_reader *reader;
	bool handshake_done;
	bool gone;
	bool answer;
	uint8_t *region;
	GHashTable *windows; /* ids that were created and not destroyed */
	GPtrArray *received; /* char *, lines that no expect has taken */
	GMainLoop *loop;
	int status;
};

/* --- out ---------------------------------------------------------------------------------- */

static void
send_bytes(struct agent *agent, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len > 0 && !agent->gone) {
		ssize_t n = vchan_write(agent->vchan, p, len);

		if (n == -EAGAIN) { /* the daemon is slow; nothing else is to be done here */
			g_main_context_iteration(NULL, TRUE);
			continue;
		}
		if (n < 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void
send_message(struct agent *agent, uint32_t type, uint32_t window, const void *body, size_t len)
{
	struct gui_wire_header header = {type, window, (uint32_t)len};

	if (type == GUI_CREATE)
		g_hash_table_add(agent->windows, GUINT_TO_POINTER(window));
	else if (type == GUI_DESTROY)
		g_hash_table_remove(agent->windows, GUINT_TO_POINTER(window));
	send_bytes(agent, &header, sizeof(header));
	send_bytes(agent, body, len);
}

/* --- in ----------------------------------------------------------------------------------- */

static char *
describe(const struct gui_packet *packet)
{
	GString *line = g_string_new(gui_message_name(packet->type));
	const uint8_t *body = packet->untrusted_body.raw;

	g_strdelimit(line->str, " ", '_');
	g_string_append_printf(line, " %u", packet->window.id);
	if (packet->type == GUI_KEYMAP_NOTIFY) {
		g_string_append_c(line, ' ');
		for (unsigned key = 0; key < 256; key++) {
			if ((body[key / 8] >> (key % 8)) & 1)
				g_string_append_printf(line, "%u,", key);
		}
	} else {
		for (size_t i = 0; i + 4 <= packet->untrusted_body.len; i += 4) {
			int32_t value;

			memcpy(&value, body + i, sizeof(value));
			g_string_append_printf(line, " %d", value);
		}
	}
	return g_string_free(line, FALSE);
}

/* Takes over line. */
static void
report(struct agent *agent, char *line)
{
	puts(line);
	fflush(stdout);
	g_ptr_array_add(agent->received, line);
}

static void
on_packet(struct agent *agent, const struct gui_packet *packet)
{
	report(agent, describe(packet));
	if (packet->type == GUI_CONFIGURE && agent->answer &&
	    g_hash_table_contains(agent->windows, GUINT_TO_POINTER(packet->window.id)))
		send_message(agent, GUI_CONFIGURE, packet->window.id, packet->untrusted_body.raw,
		    packet->untrusted_body.len);
}

static bool
finish_handshake(struct agent *agent)
{
	uint8_t bytes[4 + sizeof(struct gui_wire_xconf)];
	size_t len = sizeof(bytes) - (agent->version < GUI_VERSION(1, 4) ? 4 : 0);

	if (!agent->handshake_done && gui_reader_take(agent->reader, bytes, len)) {
		agent->handshake_done = true;
		report(agent, g_strdup("connected"));
	}
	return agent->handshake_done;
}

static gboolean
on_vchan(gpointer data)
{
	struct agent *agent = data;
	struct gui_packet packet;
	size_t len;
	void *space;
	ssize_t n;

	if (agent->gone)
		return G_SOURCE_CONTINUE;
	space = gui_reader_space(agent->reader, &len);
	n = vchan_read(agent->vchan, space, len);
	if (n > 0)
		gui_reader_filled(agent->reader, (size_t)n);
	while (finish_handshake(agent) && gui_reader_next(agent->reader, &packet) > 0)
		on_packet(agent, &packet);
	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		agent->gone = true;
		vchan_source_set_reading(agent->source, FALSE);
		puts("gone");
		fflush(stdout);
	}
	return G_SOURCE_CONTINUE;
}

static void
agent_disconnect(struct agent *agent)
{
	if (agent->vchan == NULL)
		return;
	vchan_drain(agent->vchan, 1000);
	g_source_destroy(agent->source);
	g_source_unref(agent->source);
	vchan_close(agent->vchan);
	gui_reader_free(agent->reader);
	agent->vchan = NULL;
}

static void
agent_connect(struct agent *agent)
{
	int r = vchan_listen("socket", 0, GUI_PORT, 0, &agent->vchan);

	if (r < 0) {
		fprintf(stderr, "fake_gui_agent: listening: %s\n", strerror(-r));
		exit(1);
	}
	agent->reader = gui_reader_new(GUI_SENDER_DAEMON);
	agent->handshake_done = false;
	agent->gone = false;
	agent->source = vchan_source_new(agent->vchan);
	g_source_set_callback(agent->source, on_vchan, agent, NULL);
	g_source_attach(agent->source, NULL);
	send_bytes(agent, &agent->version, sizeof(agent->version));
}

/* --- waiting ------------------------------------------------------------------------------ */

static gboolean
on_timeout(gpointer data)
{
	*(bool *)data = true;
	return G_SOURCE_REMOVE;
}

static void
pass_time(unsigned ms)
{
	bool over = false;

	g_timeout_add(ms, on_timeout, &over);
	while (!over)
		g_main_context_iteration(NULL, TRUE);
}

/* Takes the first line that begins with prefix. */
static bool
take_line(struct agent *agent, const char *prefix)
{
	for (guint i = 0; i < agent->received->len; i++) {
		const char *line = g_ptr_array_index(agent->received, i);
		size_t len = strlen(prefix);

		if (strncmp(line, prefix, len) == 0 && (line[len] == '\0' || line[len] == ' ')) {
			g_ptr_array_remove_index(agent->received, i);
			return true;
		}
	}
	return false;
}

static void
expect(struct agent *agent, const char *prefix)
{
	bool over = false;
	guint timer = g_timeout_add(EXPECT_MS, on_timeout, &over);

	while (!over && !take_line(agent, prefix))
		g_main_context_iteration(NULL, TRUE);
	if (over) {
		printf("missing %s\n", prefix);
		fflush(stdout);
		agent->status = 1;
		return;
	}
	g_source_remove(timer);
}

static void
expect_gone(struct agent *agent)
{
	bool over = false;
	guint timer = g_timeout_add(EXPECT_MS, on_timeout, &over);

	while (!over && !agent->gone)
		g_main_context_iteration(NULL, TRUE);
	if (over) {
		puts("missing gone");
		agent->status = 1;
		return;
	}
	g_source_remove(timer);
}

/* --- commands ----------------------------------------------------------------------------- */

struct words {
	unsigned count;
	char *word[MAX_WORDS];
	const char *rest; /* of the line, behind the second word, with its spaces */
};

static uint32_t
number(const struct words *words, unsigned i)
{
	return i < words->count ? (uint32_t)strtoll(words->word[i], NULL, 0) : 0;
}

/* count numbers from word from on: most messages are no more than that. */
static void
send_numbers(struct agent *agent, uint32_t type, const struct words *words, unsigned count)
{
	uint32_t values[MAX_WORDS] = {0};

	for (unsigned i = 0; i < count; i++)
		values[i] = number(words, 2 + i);
	send_message(agent, type, number(words, 1), values, count * sizeof(values[0]));
}

static void
send_hex(struct agent *agent, const char *hex)
{
	for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
		char digits[] = {hex[0], hex[1], '\0'};
		uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);

		send_bytes(agent, &byte, 1);
	}
}

static void
send_dump(struct agent *agent, const struct words *words)
{
	uint32_t width = number(words, 2), height = number(words, 3), page = number(words, 4);
	size_t pages =
	    words->count > 5 ? number(words, 5) : ((size_t)width * height * 4 + 4095) / 4096;
	struct gui_wire_window_dump dump = {GUI_DUMP_GRANT_REFS, width, height, 32};
	size_t len = sizeof(dump) + pages * sizeof(uint32_t);
	g_autofree uint8_t *body = g_malloc(len);

	memcpy(body, &dump, sizeof(dump));
	for (size_t i = 0; i < pages; i++) {
		uint32_t ref = page + (uint32_t)i;

		memcpy(body + sizeof(dump) + i * sizeof(ref), &ref, sizeof(ref));
	}
	send_message(agent, GUI_WINDOW_DUMP, number(words, 1), body, len);
}

static void
send_dumprefs(struct agent *agent, const struct words *words)
{
	uint32_t body[4 + MAX_WORDS] = {
	    GUI_DUMP_GRANT_REFS, number(words, 2), number(words, 3), 32};
	unsigned count = words->count > 4 ? words->count - 4 : 0;

	for (unsigned i = 0; i < count; i++)
		body[4 + i] = number(words, 4 + i);
	send_message(agent, GUI_WINDOW_DUMP, number(words, 1), body, (4 + count) * sizeof(body[0]));
}

/* fill PAGE WIDTH HEIGHT RGB [X Y W H] */
static void
fill(struct agent *agent, const struct words *words)
{
	size_t start = (size_t)number(words, 1) * REGION_PAGE_BYTES;
	uint32_t width = number(words, 2), height = number(words, 3), rgb = number(words, 4);
	uint32_t x = number(words, 5), y = number(words, 6);
	uint32_t w = words->count > 8 ? number(words, 7) : width;
	uint32_t h = words->count > 8 ? number(words, 8) : height;

	for (uint32_t row = y; row < y + h && row < height; row++) {
		for (uint32_t column = x; column < x + w && column < width; column++) {
			size_t at = start + ((size_t)row * width + column) * 4;

			if (at + 4 <= REGION_BYTES)
				memcpy(agent->region + at, &rgb, sizeof(rgb));
		}
	}
}

static void
send_title(struct agent *agent, const struct words *words)
{
	struct gui_wire_wmname name = {0};

	memcpy(name.text, words->rest, MIN(strlen(words->rest), sizeof(name.text)));
	send_message(agent, GUI_WMNAME, number(words, 1), &name, sizeof(name));
}

static void
send_class(struct agent *agent, const struct words *words)
{
	struct gui_wire_wmclass class = {0};

	if (words->count < 4)
		return;
	memcpy(class.res_class, words->word[2], MIN(strlen(words->word[2]), 64));
	memcpy(class.res_name, words->word[3], MIN(strlen(words->word[3]), 64));
	send_message(agent, GUI_WMCLASS, number(words, 1), &class, sizeof(class));
}

static void
send_any(struct agent *agent, const struct words *words)
{
	const char *hex = words->count > 3 ? words->word[3] : "";
	struct gui_wire_header header = {
	    number(words, 1), number(words, 2), (uint32_t)strlen(hex) / 2};

	send_bytes(agent, &header, sizeof(header));
	send_hex(agent, hex);
}

static void
do_expect(struct agent *agent, const struct words *words)
{
	g_autofree char *prefix = words->count > 2
				      ? g_strdup_printf("%s %u", words->word[1], number(words, 2))
				      : g_strdup(words->word[1]);

	expect(agent, prefix);
}

static void
do_answer(struct agent *agent, const struct words *words)
{
	agent->answer = strcmp(words->word[1], "on") == 0;
}

static void
do_reading(struct agent *agent, const struct words *words)
{
	vchan_source_set_reading(agent->source, strcmp(words->word[1], "on") == 0);
}

static void
do_sleep(struct agent *agent, const struct words *words)
{
	(void)agent;
	pass_time(number(words, 1));
}

static void
do_say(struct agent *agent, const struct words *words)
{
	(void)agent;
	puts(words->word[1]);
	fflush(stdout);
}

static void
do_wobble(struct agent *agent, const struct words *words)
{
	for (uint32_t i = 0; i < number(words, 2) && !agent->gone; i++) {
		struct gui_wire_configure wire = {
		    .x = 100 + (int32_t)(i % 2), .y = 100, .width = 200, .height = 150};

		send_message(agent, GUI_CONFIGURE, number(words, 1), &wire, sizeof(wire));
	}
}

/* One message about a window that may or may not be there; always the same ones in a row. */
static void
send_random(struct agent *agent, GRand *rand)
{
	uint32_t window = (uint32_t)g_rand_int_range(rand, 1, 5);
	int32_t x = g_rand_int_range(rand, -100, 900), y = g_rand_int_range(rand, -100, 700);
	uint32_t width = (uint32_t)g_rand_int_range(rand, 1, 300);
	uint32_t override = (uint32_t)g_rand_int_range(rand, 0, 2);
	struct gui_wire_create create = {
	    .x = x, .y = y, .width = width, .height = 100, .override_redirect = override};
	struct gui_wire_configure configure = {.x = x, .y = y, .width = width, .height = 100};
	struct gui_wire_map map = {
	    .transient_for = (uint32_t)g_rand_int_range(rand, 0, 5), .override_redirect = override};
	struct gui_wire_shmimage image = {.width = width, .height = 100};

	if (!g_hash_table_contains(agent->windows, GUINT_TO_POINTER(window))) {
		send_message(agent, GUI_CREATE, window, &create, sizeof(create));
		return;
	}
	switch (g_rand_int_range(rand, 0, 6)) {
	case 0:
		send_message(agent, GUI_DESTROY, window, NULL, 0);
		return;
	case 1:
		send_message(agent, GUI_UNMAP, window, NULL, 0);
		return;
	case 2:
		send_message(agent, GUI_CONFIGURE, window, &configure, sizeof(configure));
		return;
	case 3:
		send_message(agent, GUI_SHMIMAGE, window, &image, sizeof(image));
		return;
	default:
		send_message(agent, GUI_MAP, window, &map, sizeof(map));
		return;
	}
}

static void
do_storm(struct agent *agent, const struct words *words)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);

	for (uint32_t i = 0; i < number(words, 1) && !agent->gone; i++)
		send_random(agent, rand);
}

static void
do_gone(struct agent *agent, const struct words *words)
{
	(void)words;
	expect_gone(agent);
}

static void
do_reconnect(struct agent *agent, const struct words *words)
{
	(void)words;
	agent_disconnect(agent);
	g_hash_table_remove_all(agent->windows);
	agent_connect(agent);
	expect(agent, "connected");
}

static void
do_raw(struct agent *agent, const struct words *words)
{
	send_hex(agent, words->word[1]);
}

struct command {
	const char *name;
	unsigned min_words;
	uint32_t type;  /* of a message that is nothing but numbers */
	unsigned count; /* so many of them */
	void (*run)(struct agent *agent, const struct words *words);
};

/* clang-format off */
static const struct command commands[] = {
	{ "create",    2, GUI_CREATE,       6, NULL },
	{ "destroy",   2, GUI_DESTROY,      0, NULL },
	{ "map",       2, GUI_MAP,          2, NULL },
	{ "unmap",     2, GUI_UNMAP,        0, NULL },
	{ "dock",      2, GUI_DOCK,         0, NULL },
	{ "configure", 2, GUI_CONFIGURE,    5, NULL },
	{ "image",     2, GUI_SHMIMAGE,     4, NULL },
	{ "flags",     2, GUI_WINDOW_FLAGS, 2, NULL },
	{ "cursor",    2, GUI_CURSOR,       1, NULL },
	{ "hints",     2, GUI_WINDOW_HINTS, 9, NULL },
	{ "dump",      4, 0, 0, send_dump },
	{ "dumprefs",  4, 0, 0, send_dumprefs },
	{ "fill",      5, 0, 0, fill },
	{ "title",     2, 0, 0, send_title },
	{ "class",     4, 0, 0, send_class },
	{ "message",   3, 0, 0, send_any },
	{ "raw",       2, 0, 0, do_raw },
	{ "answer",    2, 0, 0, do_answer },
	{ "reading",   2, 0, 0, do_reading },
	{ "expect",    2, 0, 0, do_expect },
	{ "gone",      1, 0, 0, do_gone },
	{ "wobble",    3, 0, 0, do_wobble },
	{ "storm",     2, 0, 0, do_storm },
	{ "sleep",     2, 0, 0, do_sleep },
	{ "say",       2, 0, 0, do_say },
	{ "reconnect", 1, 0, 0, do_reconnect },
};
/* clang-format on */

static const char *
behind_word(const char *text)
{
	text += strcspn(text, " ");
	return text + strspn(text, " ");
}

static void
split(char *line, struct words *words)
{
	char *save = NULL;

	words->count = 0;
	for (char *p = strtok_r(line, " \t\n", &save); p != NULL && words->count < MAX_WORDS;
	     p = strtok_r(NULL, " \t\n", &save)) {
		words->word[words->count++] = p;
	}
}

static void
run_line(struct agent *agent, char *line)
{
	g_autofree char *copy = g_strdup(g_strstrip(line));
	struct words words = {.rest = behind_word(behind_word(copy))};

	split(line, &words);
	if (words.count == 0 || words.word[0][0] == '#')
		return;
	for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, words.word[0]) != 0 || words.count < command->min_words)
			continue;
		if (command->run != NULL)
			command->run(agent, &words);
		else
			send_numbers(agent, command->type, &words, command->count);
		return;
	}
	fprintf(stderr, "fake_gui_agent: no such command: %s\n", words.word[0]);
	agent->status = 1;
}

/* --- the script --------------------------------------------------------------------------- */

static gboolean
on_stdin(GIOChannel *channel, GIOCondition condition, gpointer data)
{
	struct agent *agent = data;
	g_autofree char *line = NULL;
	gsize len;

	(void)condition;
	if (g_io_channel_read_line(channel, &line, &len, NULL, NULL) != G_IO_STATUS_NORMAL) {
		g_main_loop_quit(agent->loop);
		return G_SOURCE_REMOVE;
	}
	run_line(agent, line);
	return G_SOURCE_CONTINUE;
}

static void
make_region(struct agent *agent, const char *folder, const char *domain)
{
	g_autofree char *path = g_strdup_printf("%s/dom%s.pages", folder, domain);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, REGION_BYTES) < 0) {
		perror(path);
		exit(1);
	}
	agent->region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (agent->region == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	close(fd);
}

int
main(int argc, char **argv)
{
	struct agent agent = {.version = GUI_VERSION_NEWEST, .answer = true};
	GIOChannel *channel;

	if (argc < 3) {
		fputs("usage: fake_gui_agent DOMAIN FOLDER [VERSION]\n", stderr);
		return 1;
	}
	g_setenv("VCHAN_DOMAIN", argv[1], TRUE);
	g_setenv("VCHAN_SOCKET_DIR", argv[2], TRUE);
	if (argc > 3)
		agent.version = (uint32_t)strtoul(argv[3], NULL, 16);
	make_region(&agent, argv[2], argv[1]);
	agent.windows = g_hash_table_new(NULL, NULL);
	agent.received = g_ptr_array_new_with_free_func(g_free);
	agent.loop = g_main_loop_new(NULL, FALSE);
	agent_connect(&agent);
	channel = g_io_channel_unix_new(STDIN_FILENO);
	/* Commands wait for events while they run; the source itself is not entered twice. */
	g_io_add_watch(channel, G_IO_IN | G_IO_HUP, on_stdin, &agent);
	g_main_loop_run(agent.loop);
	agent_disconnect(&agent);
	return agent.status;
}
