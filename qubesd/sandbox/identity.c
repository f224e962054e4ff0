#include "qubesd/sandbox/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool
identity_is_privileged(const struct identity *identity)
{
	return identity->kind == IDENTITY_RANGE;
}

/* Does this id exist in our own user namespace? */
static bool
id_exists(uid_t id)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents("/proc/self/uid_map", &text, NULL, NULL))
		return false;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		unsigned first, outside, count;

		if (sscanf(*line, "%u %u %u", &first, &outside, &count) == 3 && id >= first &&
		    id - first < count)
			return true;
	}
	return false;
}

static int
take_ids(uid_t id)
{
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return -errno;
	return 0;
}

static int
become_inside_root(void)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int
say(int fd)
{
	return write(fd, "+", 1) == 1 ? 0 : -EPIPE;
}

static int
hear(int fd)
{
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -EPIPE;
}

int
identity_enter(const struct identity *identity, int ready_fd, int go_fd)
{
	int r;

	if (identity->kind == IDENTITY_OWN)
		return 0;
	r = take_ids(identity->owner.first);
	if (r < 0 || identity->kind == IDENTITY_SINGLE)
		return r;
	if (unshare(CLONE_NEWUSER) < 0)
		return -errno;
	r = say(ready_fd);
	if (r < 0)
		return r;
	r = hear(go_fd);
	return r < 0 ? r : become_inside_root();
}

static int
write_map(pid_t child, const char *name, const struct tree_owner *owner)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)child, name);
	g_autofree char *map = g_strdup_printf("0 %u %u\n", owner->first, owner->count);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, map, strlen(map)) < 0)
		r = -errno;
	close(fd);
	return r;
}

int
identity_map(const struct identity *identity, pid_t child, int ready_fd, int go_fd)
{
	int r;

	if (identity->kind != IDENTITY_RANGE)
		return 0;
	r = hear(ready_fd);
	if (r == 0)
		r = write_map(child, "uid_map", &identity->owner);
	if (r == 0)
		r = write_map(child, "gid_map", &identity->owner);
	return r < 0 ? r : say(go_fd);
}

/* Does the kernel let us make this user namespace? */
static bool
range_works(const struct identity *identity)
{
	int ready[2], go[2], status;
	pid_t child;
	int r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return false;
	if (pipe2(go, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return false;
	}
	child = fork();
	if (child == 0) {
		close(ready[0]);
		close(go[1]);
		_exit(identity_enter(identity, ready[1], go[0]) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(go[0]);
	r = child < 0 ? -errno : identity_map(identity, child, ready[0], go[1]);
	close(ready[0]);
	close(go[1]); /* a child that still waits gives up now */
	if (child < 0)
		return false;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return r == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static struct identity
single_identity(enum identity_kind kind, uid_t id)
{
	struct identity identity = {.kind = kind, .owner = {id, 1}, .user = id};

	return identity;
}

void
identity_choose(uint32_t qid, struct identity *ret)
{
	uid_t first = IDENTITY_FIRST + qid * IDENTITY_COUNT;
	struct identity range = {
	    .kind = IDENTITY_RANGE,
	    .owner = {first, IDENTITY_COUNT},
	    .user = first + IDENTITY_INSIDE_USER,
	};

	if (geteuid() != 0)
		*ret = single_identity(IDENTITY_OWN, geteuid());
	else if (range_works(&range))
		*ret = range;
	else if (id_exists(range.user))
		*ret = single_identity(IDENTITY_SINGLE, range.user);
	else if (id_exists(IDENTITY_SINGLE_FIRST + qid))
		*ret = single_identity(IDENTITY_SINGLE, IDENTITY_SINGLE_FIRST + qid);
	else /* a root without any other id is an ordinary user of the system around it */
		*ret = single_identity(IDENTITY_OWN, geteuid());
}
