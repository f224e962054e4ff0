#include "qubesd/tools/import.h"

#include "qubesd/storage/copy.h"
#include "qubesd/storage/import_lock.h"
#include "shared/io.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_BYTES (256 << 10)

uint64_t
import_file_size(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
}

static ssize_t
read_some(int fd, char *buffer, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, buffer, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static bool
is_zero(const char *bytes, size_t len)
{
	return len > 0 && bytes[0] == '\0' && memcmp(bytes, bytes + 1, len - 1) == 0;
}

int
import_copy(int fd, int to, uint64_t size)
{
	g_autofree char *buffer = g_malloc(BUFFER_BYTES);
	uint64_t offset = 0;

	for (;;) {
		/* One byte more than there may be, to see the end. */
		size_t want = (size_t)MIN(size - offset + 1, BUFFER_BYTES);
		ssize_t n = read_some(fd, buffer, want);
		int r;

		if (n < 0)
			return (int)n;
		if (n == 0)
			return offset == size ? 0 : -ENODATA;
		if ((uint64_t)n > size - offset)
			return -EMSGSIZE;
		r = is_zero(buffer, (size_t)n) ? 0
					       : io_write_at(to, buffer, (size_t)n, (off_t)offset);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
	}
}

/* --- the trusted side ----------------------------------------------------------------------- */

static int
call_internal(const struct import *import, const char *method, const char *payload,
    struct admin_reply *ret, char **ret_error)
{
	g_autofree char *socket = path_qubesd_socket("qubesd.internal.sock");
	int r = admin_call(
	    socket, method, import->volume, import->vm, payload, strlen(payload), -1, ret);

	if (r < 0)
		*ret_error = g_strdup_printf("qubesd: %s", strerror(-r));
	else if (!ret->ok)
		*ret_error = g_strdup(ret->error_message);
	return r < 0 ? r : ret->ok ? 0 : -EREMOTEIO;
}

/* "SIZE PATH" */
static bool
parse_begun(const char *text, uint64_t *ret_size, const char **ret_path)
{
	char *end;

	errno = 0;
	*ret_size = g_ascii_strtoull(text, &end, 10);
	*ret_path = end + 1;
	return errno == 0 && end > text && *end == ' ' && end[1] == '/';
}

/* A file of the very size as a whole, anything else byte for byte. */
static int
fill(const struct import *import, int to, uint64_t size)
{
	uint64_t has = import_file_size(import->fd);
	int r;

	if (has == size && lseek(import->fd, 0, SEEK_CUR) == 0)
		return copy_content(import->fd, to, COPY_AUTO);
	if (has == 0 || has > size || lseek(import->fd, 0, SEEK_CUR) != 0)
		return import_copy(import->fd, to, size);
	/* A smaller file begins the volume; the rest of it stays empty. */
	r = copy_content(import->fd, to, COPY_AUTO);
	if (r == 0 && ftruncate(to, (off_t)size) < 0)
		r = -errno;
	return r;
}

static const char *
explain(int r)
{
	return r == -EMSGSIZE  ? "There is more to import than the size says"
	       : r == -ENODATA ? "There is less to import than the size says"
			       : strerror(-r);
}

static char *
fill_begun(const struct import *import, const char *begun)
{
	const char *path;
	uint64_t size;
	int to, r;

	if (!parse_begun(begun, &size, &path))
		return g_strdup("qubesd's answer is not understood");
	to = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (to < 0)
		return g_strdup_printf("The volume cannot be written: %s", strerror(errno));
	r = fill(import, to, size);
	if (close(to) < 0 && r == 0)
		r = -errno;
	return r < 0 ? g_strdup(explain(r)) : NULL;
}

char *
import_begin_payload(uint64_t size, const struct import_lock *lock)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, size);

	return g_strconcat(size > 0 ? text : "", "\n", import_lock_name(lock), NULL);
}

static char *
import_held(const struct import *import, const struct import_lock *lock)
{
	g_autofree char *begin = import_begin_payload(import->size, lock);
	struct admin_reply begun = {0}, ended = {0};
	g_autofree char *payload = NULL;
	char *error = NULL, *end_error = NULL;

	if (call_internal(import, "internal.vm.volume.ImportBegin", begin, &begun, &error) == 0) {
		error = fill_begun(import, begun.content);
		payload = error == NULL ? g_strdup("ok") : g_strconcat("fail\n", error, NULL);
		call_internal(import, "internal.vm.volume.ImportEnd", payload, &ended, &end_error);
	}
	admin_reply_clear(&begun);
	admin_reply_clear(&ended);
	if (error == NULL)
		return end_error;
	g_free(end_error);
	return error;
}

static char *
import_here(const struct import *import)
{
	struct import_lock *lock;
	int r = import_lock_new(&lock);
	char *error;

	if (r < 0)
		return g_strdup_printf("The import cannot be locked: %s", strerror(-r));
	error = import_held(import, lock);
	import_lock_free(lock);
	return error;
}

/* --- inside a qube -------------------------------------------------------------------------- */

/* The size on a line of its own goes first, so the program gets a pipe and not the file. */
static int
feed(const struct import *import, int to)
{
	g_autofree char *buffer = g_malloc(BUFFER_BYTES);
	g_autofree char *head = g_strdup_printf("%" G_GUINT64_FORMAT "\n", import->size);
	ssize_t n = (ssize_t)strlen(head);
	const char *bytes = head;

	if (import->size == 0)
		n = 0, bytes = buffer;
	for (;;) {
		for (ssize_t done = 0; done < n;) {
			ssize_t put = write(to, bytes + done, (size_t)(n - done));

			if (put < 0 && errno != EINTR)
				return -errno;
			done += MAX(put, 0);
		}
		n = read_some(import->fd, buffer, BUFFER_BYTES);
		bytes = buffer;
		if (n <= 0)
			return (int)n;
	}
}

static char *
import_there(const struct import *import)
{
	g_autofree char *service = g_strdup_printf(
	    "admin.vm.volume.Import%s+%s", import->size > 0 ? "WithSize" : "", import->volume);
	const char *const argv[] = {"qrexec-client-vm", "--", import->vm, service, NULL};
	g_autoptr(GError) error = NULL;
	struct admin_reply reply = {0};
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	char buffer[4096];
	char *message = NULL;
	int in, out, r;
	ssize_t n;
	GPid pid;

	if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
		G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, &in, &out, NULL,
		&error))
		return g_strdup(error->message);
	signal(SIGPIPE, SIG_IGN); /* a refusal comes before everything has been read */
	r = feed(import, in);
	close(in);
	while ((n = read_some(out, buffer, sizeof(buffer))) > 0 && bytes->len < 65536)
		g_byte_array_append(bytes, (const guint8 *)buffer, (guint)n);
	close(out);
	waitpid(pid, NULL, 0);
	if (admin_reply_decode(bytes->data, bytes->len, &reply) < 0)
		return g_strdup(r < 0 ? strerror(-r) : "The import was refused");
	if (!reply.ok)
		message = g_strdup(reply.error_message);
	admin_reply_clear(&reply);
	return message;
}

char *
import_run(struct tool_run *run, const struct import *import)
{
	return client_is_local(run->client) ? import_here(import) : import_there(import);
}
