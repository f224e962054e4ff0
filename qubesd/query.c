/*
 * qubesd-query - one call of the Admin API, raw: the payload from standard input, the reply to
 * standard output as it comes. See docs/man/qubesd-query.1.scd.
 */
#include "shared/admin_client.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAYLOAD_MAX 65536 /* bytes */

struct options {
	char *socket; /* owned */
	gboolean empty, fail, single_line, null;
	int max_bytes;
	const char *source, *method, *dest, *arg; /* borrowed from argv */
};

static int
usage(const char *why)
{
	fprintf(stderr, "qubesd-query: %s\n", why);
	return 2;
}

/* --- the payload ---------------------------------------------------------------------------- */

/* Byte by byte up to the end mark, so that what comes after it is left for somebody else. */
static bool
read_until(GByteArray *payload, guint8 end, size_t max)
{
	guint8 byte;
	ssize_t n;

	while ((n = read(STDIN_FILENO, &byte, 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (byte == end)
			return true;
		if (payload->len == max)
			return false;
		g_byte_array_append(payload, &byte, 1);
	}
	return true;
}

static bool
read_all(GByteArray *payload, size_t max)
{
	guint8 block[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || payload->len + (size_t)n > max)
			return false;
		g_byte_array_append(payload, block, (guint)n);
	}
	return true;
}

static bool
read_payload(const struct options *options, GByteArray *payload)
{
	size_t max = (size_t)options->max_bytes;

	if (options->empty)
		return true;
	if (options->single_line)
		return read_until(payload, '\n', max);
	if (options->null)
		return read_until(payload, '\0', max);
	return read_all(payload, max);
}

/* --- the call ------------------------------------------------------------------------------- */

static bool
write_all(int fd, const guint8 *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* Copies the reply; *ret_first is its first byte, or -1 when nothing came. */
static bool
copy_reply(int fd, int *ret_first)
{
	guint8 block[16384];
	ssize_t n;

	*ret_first = -1;
	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return *ret_first >= 0 || errno == ECONNRESET;
		if (*ret_first < 0)
			*ret_first = block[0];
		if (!write_all(STDOUT_FILENO, block, (size_t)n))
			return false;
	}
	return true;
}

static int
call(const struct options *options, const GByteArray *payload)
{
	g_autoptr(GByteArray) request = admin_request_encode(options->method, options->arg,
	    options->source, options->dest, payload->data, payload->len);
	int fd = unix_socket_dial(options->socket, SOCK_STREAM);
	bool ok;
	int first;

	if (fd < 0) {
		log_error("%s: %s", options->socket, strerror(-fd));
		return EXIT_FAILURE;
	}
	ok = write_all(fd, request->data, request->len) && shutdown(fd, SHUT_WR) == 0;
	ok = ok && copy_reply(fd, &first);
	close(fd);
	if (!ok) {
		log_error("%s: the call was broken off", options->socket);
		return EXIT_FAILURE;
	}
	if (!options->fail)
		return EXIT_SUCCESS;
	return first >= '0' && first <= '9' ? first - '0' : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct options options = {.max_bytes = PAYLOAD_MAX};
	const GOptionEntry entries[] = {{"connect", 'c', 0, G_OPTION_ARG_FILENAME, &options.socket,
					    "the socket, instead of qubesd's", "SOCKET"},
	    {"empty", 'e', 0, G_OPTION_ARG_NONE, &options.empty,
		"no payload; standard input is not read", NULL},
	    {"fail", 0, 0, G_OPTION_ARG_NONE, &options.fail,
		"exit with what the reply says: 0 fine, 2 an error; 1 no reply", NULL},
	    {"max-bytes", 0, 0, G_OPTION_ARG_INT, &options.max_bytes,
		"the longest payload, in bytes", "N"},
	    {"single-line", 0, 0, G_OPTION_ARG_NONE, &options.single_line,
		"the payload is the first line, and no more is read", NULL},
	    {"null", 0, 0, G_OPTION_ARG_NONE, &options.null,
		"the payload ends with a NUL, and no more is read", NULL},
	    {0}};
	g_autoptr(GOptionContext) context = g_option_context_new("SOURCE METHOD DEST [ARGUMENT]");
	g_autoptr(GByteArray) payload = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	int status;

	log_init("qubesd-query");
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return usage(error->message);
	if (argc < 4 || argc > 5)
		return usage("expected SOURCE METHOD DEST [ARGUMENT]");
	options.source = argv[1];
	options.method = argv[2];
	options.dest = argv[3];
	options.arg = argc > 4 ? argv[4] : NULL;
	if (options.socket == NULL)
		options.socket = path_qubesd_socket("qubesd.sock");
	if (options.max_bytes < 0 || !read_payload(&options, payload))
		status = usage("the payload is too long or cannot be read");
	else
		status = call(&options, payload);
	g_free(options.socket);
	return status;
}
