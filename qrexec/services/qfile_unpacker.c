/*
 * qfile-unpacker - the receiving end of qubes.Filecopy: stdin to ~/QubesIncoming/<source>, then the
 * result on stdout.
 *
 * Runs as the user who gets the files. See unpack.h for what it promises about the rest of the
 * user's files.
 */
#include "qrexec/services/qfile_decode.h"
#include "qrexec/services/unpack.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
#define KEEP_FREE_BYTES (64u << 20)
#define INCOMING "QubesIncoming"

struct options {
	struct qfile_options stream;
	struct unpack_options unpack;
	const char *folder; /* NULL: the incoming one */
	uid_t uid;
	bool verbose;
};

static void G_GNUC_NORETURN
die(const char *what, int error)
{
	fprintf(stderr, "qfile-unpacker: %s%s%s\n", what, error != 0 ? ": " : "",
	    error != 0 ? strerror(error) : "");
	exit(1);
}

/* --- the command line ----------------------------------------------------------------------- */

/* Decimal without a sign or a leading zero. */
static bool
parse_number(const char *text, guint64 max, guint64 *ret)
{
	if (!g_ascii_isdigit(text[0]) || (text[0] == '0' && text[1] != '\0'))
		return false;
	return g_ascii_string_to_unsigned(text, 10, 0, max, ret, NULL);
}

static void
parse_wait(struct options *options, const char *text)
{
	guint64 bytes;

	if (text == NULL || !parse_number(text, G_MAXINT32, &bytes))
		die("-w takes a number of bytes", 0);
	options->unpack.wait_for_space = true;
	options->unpack.keep_free_bytes = bytes;
}

static void
parse_uid(struct options *options, const char *text)
{
	guint64 uid;

	if (text[0] == '\0')
		return;
	if (!parse_number(text, G_MAXUINT32 - 1, &uid))
		die("not a uid", 0);
	options->uid = (uid_t)uid;
}

/* UID DIR [-v] [-w [N]], as the backup tools call it. */
static void
parse_old_form(struct options *options, int argc, char **argv)
{
	parse_uid(options, argv[1]);
	options->folder = argv[2];
	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0) {
			options->verbose = true;
		} else if (strcmp(argv[i], "-w") == 0) {
			bool has_number = i + 1 < argc && argv[i + 1][0] != '-';

			parse_wait(options, has_number ? argv[++i] : "1");
		} else {
			die("unknown option", 0);
		}
	}
}

static bool
parse_flag(struct options *options, const char *flag)
{
	bool value = !g_str_has_prefix(flag, "--no-");
	const char *name = flag + (value ? 2 : 5);

	if (!g_str_has_prefix(flag, "--"))
		return false;
	if (strcmp(name, "allow-all-names") == 0)
		options->stream.any_characters = value;
	else if (strcmp(name, "allow-unsafe-symlinks") == 0)
		options->stream.unsafe_links = value;
	else if (strcmp(flag, "--verbose") == 0)
		options->verbose = true;
	else
		return false;
	return true;
}

static void
parse_arguments(struct options *options, int argc, char **argv)
{
	int i;

	if (argc >= 3 && g_ascii_isdigit(argv[1][0])) {
		parse_old_form(options, argc, argv);
		return;
	}
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (strcmp(argv[i], "-v") == 0)
			options->verbose = true;
		else if (strcmp(argv[i], "-w") == 0 || strcmp(argv[i], "--wait-for-space") == 0)
			parse_wait(options, i + 1 < argc ? argv[++i] : NULL);
		else if (!parse_flag(options, argv[i]))
			die("unknown option", 0);
	}
	if (argc - i > 2)
		die("too many arguments", 0);
	if (argc - i >= 1)
		parse_uid(options, argv[i]);
	if (argc - i == 2)
		options->folder = argv[i + 1];
}

/* --- who and where -------------------------------------------------------------------------- */

/* Root may name somebody else, and becomes that user altogether. */
static const char *
become_user(uid_t uid)
{
	const struct passwd *user;

	if (uid != getuid() && getuid() != 0)
		die("only root may unpack for somebody else", 0);
	user = getpwuid(uid);
	if (user == NULL)
		die("no such user", 0);
	if (uid != getuid() && (initgroups(user->pw_name, user->pw_gid) < 0 ||
				   setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
				   setresuid(uid, uid, uid) < 0))
		die("cannot become that user", errno);
	return user->pw_dir;
}

static int
open_folder(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die(name, errno);
	return fd;
}

/* The two folders that may be links or mounts of the user's own. */
static int
make_folder(int at, const char *name)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		die(name, errno);
	return open_folder(at, name);
}

static int
open_incoming(const char *home)
{
	const char *source = g_getenv("QREXEC_REMOTE_DOMAIN");
	int home_fd, incoming_fd, fd;

	if (source == NULL || !text_is_qube_name(source))
		die("QREXEC_REMOTE_DOMAIN is not the name of a qube", 0);
	home_fd = open_folder(AT_FDCWD, home);
	incoming_fd = make_folder(home_fd, INCOMING);
	fd = make_folder(incoming_fd, source);
	close(home_fd);
	close(incoming_fd);
	return fd;
}

/* --- the stream ----------------------------------------------------------------------------- */

struct receiver {
	const struct options *options;
	struct qfile_reader *reader; /* owned */
	struct unpack *unpack;
	uint32_t error;
	bool ended;
};

static void
say_name(const struct receiver *receiver)
{
	const struct qfile_entry *entry = &receiver->reader->entry;
	g_autofree char *shown = NULL;

	if (!receiver->options->verbose || entry->type == QFILE_DIRECTORY)
		return;
	shown = text_utf8(entry->path, strlen(entry->path));
	fprintf(stderr, "%s\n", shown);
}

static void
take_event(struct receiver *receiver, enum qfile_event event, const uint8_t *bytes, size_t len)
{
	switch (event) {
	case QFILE_MORE:
		break;
	case QFILE_ENTRY:
		say_name(receiver);
		receiver->error = unpack_entry(receiver->unpack, &receiver->reader->entry);
		break;
	case QFILE_CONTENT:
		receiver->error = unpack_content(receiver->unpack, bytes, len);
		break;
	case QFILE_DONE:
		receiver->error = unpack_done(receiver->unpack);
		break;
	case QFILE_END:
		receiver->ended = true;
		break;
	case QFILE_ERROR:
		receiver->error = receiver->reader->error;
		break;
	}
}

static void
take_bytes(struct receiver *receiver, const uint8_t *bytes, size_t len)
{
	enum qfile_event event = QFILE_DONE;

	while (receiver->error == 0 && !receiver->ended && event != QFILE_MORE) {
		size_t used;

		event = qfile_reader_feed(receiver->reader, untrusted_bytes_of(bytes, len), &used);
		take_event(receiver, event, bytes, used);
		bytes += used;
		len -= used;
	}
}

static void
receive(struct receiver *receiver)
{
	static uint8_t buffer[BUFFER_BYTES];

	while (receiver->error == 0 && !receiver->ended) {
		ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			receiver->error = (uint32_t)errno;
		else if (n == 0)
			receiver->error = qfile_reader_eof(receiver->reader);
		else
			take_bytes(receiver, buffer, (size_t)n);
	}
}

static void
send_result(const struct receiver *receiver)
{
	const struct qfile_reader *reader = receiver->reader;
	struct qfile_wire_result result = {.error = receiver->error, .crc = reader->crc};
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	uint32_t name_len = (uint32_t)reader->name_len;
	size_t sent = 0;

	g_byte_array_append(bytes, (const guint8 *)&result, sizeof(result));
	if (reader->name_is_whole) {
		g_byte_array_append(bytes, (const guint8 *)&name_len, sizeof(name_len));
		g_byte_array_append(bytes, (const guint8 *)reader->name, name_len);
	}
	while (sent < bytes->len) {
		ssize_t n = write(STDOUT_FILENO, bytes->data + sent, bytes->len - sent);

		if (n < 0 && errno != EINTR)
			return; /* the sender has gone */
		if (n > 0)
			sent += (size_t)n;
	}
}

int
main(int argc, char **argv)
{
	struct options options = {
	    .unpack = {.keep_free_bytes = KEEP_FREE_BYTES},
	    .uid = getuid(),
	};
	struct receiver receiver = {.options = &options};
	const char *home;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	parse_arguments(&options, argc, argv);
	home = become_user(options.uid);
	fd = options.folder != NULL ? open_folder(AT_FDCWD, options.folder) : open_incoming(home);
	receiver.reader = g_new0(struct qfile_reader, 1);
	qfile_reader_init(receiver.reader, &options.stream);
	receiver.unpack = unpack_new(fd, &options.unpack);

	receive(&receiver);
	if (receiver.error == 0)
		receiver.error = unpack_sync(receiver.unpack);
	send_result(&receiver);
	unpack_free(receiver.unpack);
	g_free(receiver.reader);
	return (int)(receiver.error & 255);
}
