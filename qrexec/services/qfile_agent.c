/*
 * qfile-agent - the sending end of qubes.Filecopy: files to stdout, the result from stdin.
 *
 * Never follows a link. Listens for an early result while it sends, since a receiver that has
 * failed throws the rest away.
 */
#include "qrexec/services/crc32.h"
#include "qrexec/services/qfile_decode.h"
#include "qrexec/services/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define LOOK_BYTES 15000000 /* of content between two looks at the receiver */
#define EXIT_SKIPPED 3
#define EXIT_CANCELLED 32

enum progress { PROGRESS_NONE, PROGRESS_CONSOLE, PROGRESS_GUI };

struct sender {
	uint32_t crc;
	uint64_t sent_bytes, total_bytes; /* of content */
	uint64_t looked_at;               /* sent_bytes at the last look */
	enum progress progress;
	int progress_fd;
	bool ignore_links;
	unsigned skipped;
	GByteArray *result; /* what has come of it */
};

/* --- what is told --------------------------------------------------------------------------- */

static bool line_is_open; /* the last progress is to be overwritten, unless something else comes */

static void
end_line(void)
{
	if (line_is_open)
		fputc('\n', stderr);
	line_is_open = false;
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void
complain(const char *format, ...)
{
	va_list args;

	end_line();
	fputs("File copy: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* --- the result ----------------------------------------------------------------------------- */

static void
explain(const struct qfile_result *result)
{
	const char *name = result->last_name;

	switch (result->error) {
	case QFILE_EEXIST:
		complain("\"%s\" is already there, in QubesIncoming", name);
		break;
	case QFILE_EILSEQ:
		complain("the receiver does not take the name \"%s\"", name);
		break;
	case QFILE_ENOLINK:
		complain("the link \"%s\" leads out of what is copied, which the receiver "
			 "does not take",
		    name);
		break;
	case QFILE_EINVAL:
		complain("the receiver could not make sense of \"%s\"", name);
		break;
	case QFILE_CUT:
		complain("the stream was cut inside \"%s\"", name);
		break;
	default:
		complain("%s, at \"%s\"", strerror((int)result->error), name);
		break;
	}
}

/* Reads what is there; true while more of the result may be wanted. */
static bool
read_result(struct sender *sender)
{
	uint8_t bytes[4096];
	size_t wanted =
	    qfile_result_size(untrusted_bytes_of(sender->result->data, sender->result->len));
	ssize_t n;

	if (sender->result->len >= wanted)
		return false;
	n = read(STDIN_FILENO, bytes, MIN(sizeof(bytes), wanted - sender->result->len));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	g_byte_array_append(sender->result, bytes, (guint)n);
	return n > 0;
}

/* Waits for all of the result. Ends the program unless it says that everything is well. */
static void
finish_with_result(struct sender *sender)
{
	struct qfile_result result;

	while (read_result(sender))
		continue;
	if (qfile_decode_result(
		untrusted_bytes_of(sender->result->data, sender->result->len), &result) < 0)
		exit(1);
	if (result.error != 0) {
		explain(&result);
		exit(1);
	}
	if (result.crc != sender->crc || !result.crc_is_plain) {
		complain("checksum mismatch; do not trust the copy");
		exit(1);
	}
	qfile_result_clear(&result);
}

/* The only result that can come before the end is a failure. */
static void
look_for_result(struct sender *sender)
{
	struct pollfd pollfd = {.fd = STDIN_FILENO, .events = POLLIN};

	if (poll(&pollfd, 1, 0) <= 0)
		return;
	finish_with_result(sender);
	complain("the receiver ended too early");
	exit(1);
}

/* --- progress ------------------------------------------------------------------------------- */

static void
show_progress(struct sender *sender, bool last)
{
	uint64_t sent = sender->sent_bytes, total = sender->total_bytes;

	if (sender->progress == PROGRESS_CONSOLE) {
		fprintf(stderr, "sent %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT " KB%c",
		    sent / 1024 + (sent % 1024 != 0), total / 1024 + (total % 1024 != 0),
		    last ? '\n' : '\r');
		line_is_open = !last;
	}
	if (sender->progress == PROGRESS_GUI &&
	    dprintf(sender->progress_fd, "%" G_GUINT64_FORMAT "\n", sent) < 0)
		exit(EXIT_CANCELLED);
}

static void
read_environment(struct sender *sender)
{
	const char *type = g_getenv("PROGRESS_TYPE");
	const char *total = g_getenv("FILECOPY_TOTAL_BYTES");
	const char *fd = g_getenv("SAVED_FD_1");
	guint64 number;

	if (g_strcmp0(type, "console") == 0 && total != NULL &&
	    g_ascii_string_to_unsigned(total, 10, 0, G_MAXUINT64, &number, NULL)) {
		sender->progress = PROGRESS_CONSOLE;
		sender->total_bytes = number;
	} else if (g_strcmp0(type, "gui") == 0 && fd != NULL &&
		   g_ascii_string_to_unsigned(fd, 10, 0, 1000, &number, NULL)) {
		sender->progress = PROGRESS_GUI;
		sender->progress_fd = (int)number;
	}
}

/* --- the stream ----------------------------------------------------------------------------- */

static void
send_bytes(struct sender *sender, const void *bytes, size_t len)
{
	const char *p = bytes;

	sender->crc = crc32_add(sender->crc, bytes, len);
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) { /* the receiver is gone; perhaps it said why */
			finish_with_result(sender);
			exit(1);
		}
		p += n;
		len -= (size_t)n;
	}
}

static void
send_header(struct sender *sender, const struct tree_node *node, uint64_t content_len)
{
	struct qfile_wire_header header = {
	    .name_len = (uint32_t)strlen(node->path) + 1,
	    .mode = node->info.st_mode,
	    .content_len = content_len,
	    .atime = (uint32_t)node->info.st_atim.tv_sec,
	    .atime_nsec = (uint32_t)node->info.st_atim.tv_nsec,
	    .mtime = (uint32_t)node->info.st_mtim.tv_sec,
	    .mtime_nsec = (uint32_t)node->info.st_mtim.tv_nsec,
	};

	send_bytes(sender, &header, sizeof(header));
	send_bytes(sender, node->path, header.name_len);
}

static void
send_content(struct sender *sender, const void *bytes, size_t len)
{
	send_bytes(sender, bytes, len);
	sender->sent_bytes += len;
	if (sender->sent_bytes - sender->looked_at >= LOOK_BYTES) {
		sender->looked_at = sender->sent_bytes;
		look_for_result(sender);
		show_progress(sender, false);
	}
}

/* Exactly as many bytes as the header said: a file that grows is cut, one that shrinks an error. */
static int
send_file(struct sender *sender, const struct tree_node *node)
{
	static char buffer[BUFFER_BYTES];
	uint64_t left = (uint64_t)node->info.st_size;
	int fd =
	    openat(node->folder_fd, node->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	send_header(sender, node, left);
	while (left > 0) {
		ssize_t n = read(fd, buffer, MIN(sizeof(buffer), left));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return n < 0 ? -errno : -ENODATA;
		}
		send_content(sender, buffer, (size_t)n);
		left -= (uint64_t)n;
	}
	close(fd);
	return 0;
}

static int
send_link(struct sender *sender, const struct tree_node *node)
{
	g_autofree char *target = tree_read_link(node);

	if (target == NULL)
		return -EIO;
	send_header(sender, node, strlen(target));
	send_content(sender, target, strlen(target));
	return 0;
}

/* For messages: the user's own terminal, yet the names may have come from anywhere. */
static char *
shown(const char *path)
{
	return g_strescape(path, NULL);
}

static int
send_node(const struct tree_node *node, void *data)
{
	struct sender *sender = data;
	g_autofree char *path = shown(node->path);
	int r = 0;

	switch (node->kind) {
	case TREE_FILE:
		r = send_file(sender, node);
		break;
	case TREE_LINK:
		r = send_link(sender, node);
		break;
	case TREE_DIRECTORY:
	case TREE_DIRECTORY_END:
		send_header(sender, node, 0);
		break;
	case TREE_OTHER:
		complain("\"%s\" is no file: left out", path);
		sender->skipped++;
		break;
	}
	if (r < 0)
		complain("\"%s\": %s", path,
		    r == -ENODATA ? "became shorter while it was read" : strerror(-r));
	look_for_result(sender);
	return r;
}

static void
send_tree(struct sender *sender, const char *argument)
{
	g_autofree char *failed = NULL;

	if (tree_walk(argument, sender->ignore_links, send_node, sender, &failed) == 0)
		return;
	if (failed != NULL) {
		g_autofree char *path = shown(failed);

		complain("\"%s\" cannot be read", path);
	}
	exit(1);
}

int
main(int argc, char **argv)
{
	struct sender sender = {.result = g_byte_array_new()};
	struct qfile_wire_header end = {0};
	int i = 1;

	signal(SIGPIPE, SIG_IGN);
	atexit(end_line); /* what comes after us, such as a refusal, begins a line */
	if (i < argc && strcmp(argv[i], "--ignore-symlinks") == 0) {
		sender.ignore_links = true;
		i++;
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i == argc) {
		fputs("usage: qfile-agent [--ignore-symlinks] [--] PATH...\n", stderr);
		return 1;
	}
	read_environment(&sender);
	show_progress(&sender, false);
	for (; i < argc; i++)
		send_tree(&sender, argv[i]);
	send_bytes(&sender, &end, sizeof(end));
	finish_with_result(&sender);
	show_progress(&sender, true);
	g_byte_array_unref(sender.result);
	return sender.skipped > 0 ? EXIT_SKIPPED : 0;
}
