/*
 * qrexec_talk - speaks qrexec by script, rightly or wrongly, over plain stream sockets: the socket
 * vchan has no framing of its own, so this plays agents, daemons, clients and data peers.
 *
 * Commands on stdin, one a line; S is the name of a stream:
 *   listen S PATH     binds and listens            accept S          waits for the one connection
 *   tcp S HOST PORT   the same on a numeric address
 *   connect S PATH    connects, waits for the server up to 5 s
 *   send S TYPE P...  a message of that type (number) with the pieces P as its body
 *   raw S P...        the pieces alone             close S           shut S  (no more writing)
 *   recv S            prints "S TYPE LEN: text of the body", "S eof" or "S timeout"
 *   recvraw S N       prints N bytes in hexadecimal
 *   skip S TYPE       reads messages until one of TYPE came, prints that
 *   drain S           reads to the end of the stream and prints how many bytes that were
 *   dribble S MS P... the pieces, one byte every MS milliseconds
 *   sleep MS
 * Pieces: u32:N  text:T (no NUL)  z:T (with NUL)  pad:SIZE:T (zeros behind)  hex:HH..  fill:N:HH
 * A '~' in a piece is a blank.
 * Bytes of a body that are no printable ASCII are shown as \HH; a long body is cut after 96 bytes.
 */
#include <errno.h>
#include <glib.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 5000
#define SHOWN_BYTES 96

static GHashTable *streams; /* name -> descriptor; "name/listen" -> the listening one */

static void G_GNUC_NORETURN
die(const char *what, const char *about)
{
	printf("error: %s: %s\n", what, about);
	exit(1);
}

static int
stream(const char *name)
{
	gpointer fd;

	if (!g_hash_table_lookup_extended(streams, name, NULL, &fd))
		die("no such stream", name);
	return GPOINTER_TO_INT(fd);
}

static void
set_stream(const char *name, int fd)
{
	g_hash_table_replace(streams, g_strdup(name), GINT_TO_POINTER(fd));
}

static void
set_address(struct sockaddr_un *address, const char *path)
{
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(address->sun_path))
		die("path too long", path);
	strcpy(address->sun_path, path);
}

static void
do_listen(const char *name, const char *path)
{
	g_autofree char *key = g_strconcat(name, "/listen", NULL);
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	set_address(&address, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		die(strerror(errno), path);
	set_stream(key, fd);
}

static void
do_tcp(const char *name, const char *host, const char *port)
{
	g_autofree char *key = g_strconcat(name, "/listen", NULL);
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *address;
	const int on = 1;
	int fd;

	if (getaddrinfo(host, port, &hints, &address) != 0)
		die("no address", host);
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, 1) < 0)
		die(strerror(errno), port);
	freeaddrinfo(address);
	set_stream(key, fd);
}

static bool
wait_for(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, WAIT_MS) > 0;
}

static void
do_accept(const char *name)
{
	g_autofree char *key = g_strconcat(name, "/listen", NULL);
	int listener = stream(key);

	if (!wait_for(listener))
		die("nobody connects", name);
	set_stream(name, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	close(listener);
	g_hash_table_remove(streams, key);
}

static void
do_connect(const char *name, const char *path)
{
	struct sockaddr_un address;
	int fd;

	set_address(&address, path);
	for (int ms = 0; ms < WAIT_MS; ms += 10) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
			set_stream(name, fd);
			return;
		}
		close(fd);
		g_usleep(10000);
	}
	die("cannot connect", path);
}

/* --- sending -------------------------------------------------------------------------------- */

static void
add_piece(GByteArray *bytes, const char *piece)
{
	const char *value = strchr(piece, ':');
	size_t size;

	if (value == NULL)
		die("no piece", piece);
	value++;
	if (g_str_has_prefix(piece, "u32:")) {
		uint32_t number = (uint32_t)strtoul(value, NULL, 0);

		g_byte_array_append(bytes, (guint8 *)&number, sizeof(number));
	} else if (g_str_has_prefix(piece, "text:")) {
		g_byte_array_append(bytes, (const guint8 *)value, (guint)strlen(value));
	} else if (g_str_has_prefix(piece, "z:")) {
		g_byte_array_append(bytes, (const guint8 *)value, (guint)strlen(value) + 1);
	} else if (g_str_has_prefix(piece, "pad:")) {
		char *text;
		g_autofree char *field = NULL;

		size = strtoul(value, &text, 10);
		field = g_malloc0(size + 1);
		memcpy(field, text + 1, MIN(size, strlen(text + 1)));
		g_byte_array_append(bytes, (guint8 *)field, (guint)size);
	} else if (g_str_has_prefix(piece, "hex:")) {
		for (; value[0] != '\0' && value[1] != '\0'; value += 2) {
			guint8 byte = (guint8)(g_ascii_xdigit_value(value[0]) << 4 |
					       g_ascii_xdigit_value(value[1]));

			g_byte_array_append(bytes, &byte, 1);
		}
	} else if (g_str_has_prefix(piece, "fill:")) {
		char *text;
		guint at = bytes->len;

		size = strtoul(value, &text, 10);
		g_byte_array_set_size(bytes, at + (guint)size);
		memset(bytes->data + at, (int)strtoul(text + 1, NULL, 16), size);
	} else {
		die("no piece", piece);
	}
}

static GByteArray *
pieces(char **words)
{
	GByteArray *bytes = g_byte_array_new();

	for (; *words != NULL; words++)
		add_piece(bytes, g_strdelimit(*words, "~", ' '));
	return bytes;
}

/* A peer that has gone is no error of the script. */
static void
write_bytes(const char *name, const void *bytes, size_t len)
{
	const char *p = bytes;
	int fd = stream(name);

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0) {
			printf("%s gone\n", name);
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

static void
do_send(const char *name, const char *type, char **words)
{
	g_autoptr(GByteArray) body = pieces(words);
	g_autoptr(GByteArray) message = g_byte_array_new();
	uint32_t header[] = {(uint32_t)strtoul(type, NULL, 0), body->len};

	g_byte_array_append(message, (guint8 *)header, sizeof(header));
	g_byte_array_append(message, body->data, body->len);
	write_bytes(name, message->data, message->len);
}

static void
do_dribble(const char *name, const char *ms, char **words)
{
	g_autoptr(GByteArray) bytes = pieces(words);

	for (guint i = 0; i < bytes->len; i++) {
		write_bytes(name, bytes->data + i, 1);
		g_usleep(strtoul(ms, NULL, 10) * 1000);
	}
}

/* --- receiving ------------------------------------------------------------------------------ */

enum read_result { READ_DONE, READ_EOF, READ_TIMEOUT };

static enum read_result
read_bytes(int fd, void *buffer, size_t len)
{
	char *p = buffer;

	while (len > 0) {
		ssize_t n;

		if (!wait_for(fd))
			return READ_TIMEOUT;
		n = read(fd, p, len);
		if (n <= 0)
			return READ_EOF;
		p += n;
		len -= (size_t)n;
	}
	return READ_DONE;
}

static void
show(const char *name, uint32_t type, const uint8_t *body, uint32_t len)
{
	printf("%s 0x%x %u:", name, type, len);
	for (uint32_t i = 0; i < MIN(len, SHOWN_BYTES); i++) {
		if (i == 0)
			putchar(' ');
		if (body[i] > 0x20 && body[i] <= 0x7e && body[i] != '\\')
			putchar(body[i]);
		else
			printf("\\%02x", body[i]);
	}
	putchar('\n');
}

/* Reads one message and shows it, if its type is the wanted one (0: any). False at the end. */
static bool
receive(const char *name, uint32_t wanted)
{
	g_autofree uint8_t *body = NULL;
	uint32_t header[2];
	enum read_result result = read_bytes(stream(name), header, sizeof(header));

	if (result == READ_DONE) {
		body = g_malloc(header[1] + 1);
		result = read_bytes(stream(name), body, header[1]);
	}
	if (result != READ_DONE) {
		printf("%s %s\n", name, result == READ_EOF ? "eof" : "timeout");
		return false;
	}
	if (wanted != 0 && header[0] != wanted)
		return true;
	show(name, header[0], body, header[1]);
	return false;
}

static void
do_recvraw(const char *name, const char *count)
{
	size_t len = strtoul(count, NULL, 10);
	g_autofree uint8_t *bytes = g_malloc(len + 1);
	enum read_result result = read_bytes(stream(name), bytes, len);

	printf("%s %s", name, result == READ_DONE ? "" : result == READ_EOF ? "eof" : "timeout");
	for (size_t i = 0; result == READ_DONE && i < len; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

static void
do_drain(const char *name)
{
	static char buffer[65536];
	uint64_t total = 0;
	ssize_t n = 0;

	while (wait_for(stream(name)) && (n = read(stream(name), buffer, sizeof(buffer))) > 0)
		total += (uint64_t)n;
	printf("%s drained %" G_GUINT64_FORMAT "\n", name, total);
}

static void
run(char **words)
{
	guint count = g_strv_length(words);
	const char *command = words[0];
	const char *name = count > 1 ? words[1] : "";
	const char *second = count > 2 ? words[2] : "";

	if (strcmp(command, "listen") == 0) {
		do_listen(name, second);
	} else if (strcmp(command, "tcp") == 0) {
		do_tcp(name, second, words[3]);
	} else if (strcmp(command, "accept") == 0) {
		do_accept(name);
	} else if (strcmp(command, "connect") == 0) {
		do_connect(name, second);
	} else if (strcmp(command, "send") == 0) {
		do_send(name, second, words + 3);
	} else if (strcmp(command, "raw") == 0) {
		g_autoptr(GByteArray) bytes = pieces(words + 2);

		write_bytes(name, bytes->data, bytes->len);
	} else if (strcmp(command, "dribble") == 0) {
		do_dribble(name, second, words + 3);
	} else if (strcmp(command, "recv") == 0) {
		receive(name, 0);
	} else if (strcmp(command, "skip") == 0) {
		while (receive(name, (uint32_t)strtoul(second, NULL, 0)))
			continue;
	} else if (strcmp(command, "recvraw") == 0) {
		do_recvraw(name, second);
	} else if (strcmp(command, "drain") == 0) {
		do_drain(name);
	} else if (strcmp(command, "close") == 0) {
		close(stream(name));
		g_hash_table_remove(streams, name);
	} else if (strcmp(command, "shut") == 0) {
		shutdown(stream(name), SHUT_WR);
	} else if (strcmp(command, "sleep") == 0) {
		g_usleep(strtoul(name, NULL, 10) * 1000);
	} else {
		die("no command", command);
	}
	fflush(stdout);
}

int
main(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	signal(SIGPIPE, SIG_IGN);
	streams = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	while ((len = getline(&line, &size, stdin)) > 0) {
		g_auto(GStrv) words = NULL;

		g_strstrip(line);
		if (line[0] == '\0' || line[0] == '#')
			continue;
		words = g_strsplit(line, " ", -1);
		run(words);
	}
	free(line);
	g_hash_table_unref(streams);
	return 0;
}
