#include "qubesd/guest/fresh.h"
#include "shared/io.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* ---- the text ------------------------------------------------------------------------------- */

/* Up to size bytes. Returns how many, or a negative errno. */
static ssize_t
read_all(int fd, char *bytes, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size) {
		n = read(fd, bytes + len, size - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* Reads a file, overwrites what was read, and removes it. Returns as read_all(). */
static ssize_t
read_and_remove(const char *path, char *bytes, size_t size)
{
	static const char zeros[GUEST_CONF_MAX + 1];
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read_all(fd, bytes, size);
	if (len > 0 && io_write_at(fd, zeros, MIN((size_t)len, sizeof(zeros)), 0) < 0)
		log_warn("%s: cannot be overwritten", path);
	close(fd);
	unlink(path);
	return len;
}

static int
parse(const char *text, size_t len, struct guest_conf_fresh *ret, char **ret_text)
{
	struct guest_conf conf;
	unsigned line;
	int r = guest_conf_parse(text, len, &conf, &line);

	if (r < 0) {
		log_error("guest.conf: line %u is wrong, or a key is missing", line);
		return r;
	}
	*ret = conf.fresh;
	*ret_text = guest_conf_without_fresh(text);
	explicit_bzero(&conf, sizeof(conf));
	return 0;
}

int
fresh_take(const char *path, struct guest_conf_fresh *ret, char **ret_text)
{
	/* Under another name it is ours: who writes the next one replaces path as a whole. */
	g_autofree char *taken = g_strconcat(path, ".taken", NULL);
	char text[GUEST_CONF_MAX + 2];
	ssize_t len;
	int r;

	if (rename(path, taken) < 0)
		return -errno;
	len = read_and_remove(taken, text, GUEST_CONF_MAX + 1);
	r = len < 0 ? (int)len : 0;
	if (r == 0) {
		text[len] = '\0';
		r = parse(text, (size_t)len, ret, ret_text);
	}
	explicit_bzero(text, sizeof(text));
	return r;
}

/* ---- the kernel ----------------------------------------------------------------------------- */

static int
add_entropy(int fd, const uint8_t seed[GUEST_CONF_SEED_BYTES])
{
	size_t size = sizeof(struct rand_pool_info) + GUEST_CONF_SEED_BYTES;
	struct rand_pool_info *pool = g_malloc0(size);
	int r;

	pool->entropy_count = 8 * GUEST_CONF_SEED_BYTES;
	pool->buf_size = GUEST_CONF_SEED_BYTES;
	memcpy(pool->buf, seed, GUEST_CONF_SEED_BYTES);
	r = ioctl(fd, RNDADDENTROPY, pool) < 0 ? -errno : 0;
	explicit_bzero(pool, size);
	g_free(pool);
	return r;
}

static int
mix(const uint8_t seed[GUEST_CONF_SEED_BYTES])
{
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : add_entropy(fd, seed);

	if (r == 0 && ioctl(fd, RNDRESEEDCRNG) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	if (r < 0)
		log_error("/dev/urandom: %s", strerror(-r));
	return r;
}

int
fresh_use(const struct guest_conf_fresh *fresh)
{
	const struct timespec now = {.tv_sec = fresh->time_s, .tv_nsec = fresh->time_ns};
	int r = fresh->has_seed ? mix(fresh->seed) : 0;

	if (fresh->has_time && clock_settime(CLOCK_REALTIME, &now) < 0)
		log_warn("clock: %s", strerror(errno));
	return r;
}
