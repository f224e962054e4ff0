/*
 * qubes-volume-import - the service behind admin.vm.volume.Import and ImportWithSize.
 *
 *   qubes-volume-import VOLUME < CONTENT
 *
 * Who calls was allowed to by the policy; which qube it means is QREXEC_REQUESTED_TARGET; whether the
 * size stands in the first line is the name under which this was started, or QREXEC_SERVICE_FULL_NAME.
 * Everything on stdin is the caller's: a size that is none, too little or too much ends the import,
 * and the volume keeps what it had. The answer on stdout is one of the Admin API.
 *
 * While this process lives the qube of the volume does not start, and the caller decides how slowly
 * stdin comes: so it lives for a day at most.
 */
#include "qubesd/storage/import_lock.h"
#include "qubesd/storage/volume.h"
#include "qubesd/tools/import.h"
#include "shared/admin_client.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_LINE_MAX 21 /* bytes, with the line feed */
#define LIFE_MAX_S (24u * 3600)

static int
answer_error(const char *class, const char *message)
{
	g_autofree char *text = text_ascii(message, strlen(message));

	printf("2%c%s%c%c%s%c", 0, class, 0, 0, text, 0);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The first line, byte by byte: what follows is content. */
static bool
read_size(uint64_t *ret)
{
	char line[SIZE_LINE_MAX];
	size_t len = 0;

	while (len < sizeof(line)) {
		if (read(STDIN_FILENO, line + len, 1) != 1)
			return false;
		if (line[len] == '\n')
			return volume_decode_size(untrusted_bytes_of(line, len), false, ret);
		len++;
	}
	return false;
}

static bool
call(const char *method, const char *volume, const char *qube, const char *payload,
    struct admin_reply *ret)
{
	g_autofree char *socket = path_qubesd_socket("qubesd.internal.sock");
	int r = admin_call(socket, method, volume, qube, payload, strlen(payload), -1, ret);

	if (r == 0 && ret->ok)
		return true;
	if (r < 0)
		answer_error("QubesException", "qubesd does not answer");
	else
		answer_error(ret->error_class, ret->error_message);
	return false;
}

/* What went wrong, or NULL. */
static const char *
receive(const char *begun)
{
	char *path;
	uint64_t size = g_ascii_strtoull(begun, &path, 10);
	int to, r;

	if (path == begun || path[0] != ' ' || path[1] != '/')
		return "The answer of qubesd is not understood";
	to = open(path + 1, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (to < 0)
		return "The volume cannot be written";
	r = import_copy(STDIN_FILENO, to, size);
	if (close(to) < 0 && r == 0)
		r = -errno;
	return r == -EMSGSIZE  ? "There is more to import than the size says"
	       : r == -ENODATA ? "There is less to import than the size says"
	       : r < 0         ? "The volume cannot be written"
			       : NULL;
}

static int
import_held(const char *qube, const char *volume, uint64_t size, const struct import_lock *lock)
{
	g_autofree char *begin = import_begin_payload(size, lock);
	struct admin_reply begun = {0}, ended = {0};
	g_autofree char *payload = NULL;
	const char *error;
	bool ok;

	if (!call("internal.vm.volume.ImportBegin", volume, qube, begin, &begun))
		return EXIT_SUCCESS;
	error = receive(begun.content);
	payload = error == NULL ? g_strdup("ok") : g_strconcat("fail\n", error, NULL);
	ok = call("internal.vm.volume.ImportEnd", volume, qube, payload, &ended);
	admin_reply_clear(&begun);
	admin_reply_clear(&ended);
	if (ok && fwrite("0\0", 1, 2, stdout) != 2)
		return EXIT_FAILURE;
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* size 0: that of the volume */
static int
import_into(const char *qube, const char *volume, uint64_t size)
{
	struct import_lock *lock;
	int status;

	if (import_lock_new(&lock) < 0)
		return answer_error("QubesException", "The import cannot be locked");
	status = import_held(qube, volume, size, lock);
	import_lock_free(lock);
	return status;
}

int
main(int argc, char **argv)
{
	const char *qube = g_getenv("QREXEC_REQUESTED_TARGET");
	const char *service = g_getenv("QREXEC_SERVICE_FULL_NAME");
	g_autofree char *name = g_path_get_basename(service != NULL ? service : argv[0]);
	uint64_t size = 0;

	log_init("qubes-volume-import");
	signal(SIGPIPE, SIG_IGN);
	alarm(LIFE_MAX_S);
	if (argc != 2 || qube == NULL || !text_is_qube_name(qube))
		return answer_error("ProtocolError", "Name a volume of a qube");
	if (g_str_has_prefix(name, "admin.vm.volume.ImportWithSize") && !read_size(&size))
		return answer_error("ProtocolError", "The first line is not a size");
	return import_into(qube, argv[1], size);
}
