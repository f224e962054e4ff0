#include "shared/region.h"

#include "shared/vchan/broker_exchange.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REFERENCE_BYTES sizeof(uint32_t)

struct region {
	int fd; /* owned */
	uint64_t size_bytes;
};

/* --- where it comes from -------------------------------------------------------------------- */

static int
ask_broker(const char *socket, uint32_t type, uint32_t domain, int *ret_fd)
{
	struct broker_wire_request request = {BROKER_VERSION, type, domain, 0};
	struct broker_wire_reply reply;
	int fd;
	ssize_t n;

	n = broker_exchange(
	    socket, &request, sizeof(request), &reply, sizeof(reply), sizeof(reply), &fd);
	if (n < 0)
		return (int)n;
	if (reply.status == 0 && fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return reply.status < 0 ? reply.status : -EPROTO;
}

/* The file that stands for a region where there is no broker. */
static int
open_file(const struct vchan_spec *spec, uint32_t domain, int flags, int *ret_fd)
{
	const char *dir = g_getenv("QUBES_REGION_DIR");
	g_autofree char *path = g_strdup_printf(
	    "%s/dom%u.pages", dir != NULL && dir[0] != '\0' ? dir : spec->path, domain);
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int
open_by_kind(const struct vchan_spec *spec, bool own, uint32_t domain, int *ret_fd)
{
	switch (spec->kind) {
	case VCHAN_KIND_SOCKET:
		return open_file(
		    spec, own ? spec->own_domain : domain, own ? O_RDWR : O_RDONLY, ret_fd);
	case VCHAN_KIND_BROKER:
		return ask_broker(
		    spec->path, own ? BROKER_OWN_REGION : BROKER_REGION, own ? 0 : domain, ret_fd);
	case VCHAN_KIND_XEN:
		break;
	}
	return -ENOTSUP;
}

static int
open_region(const char *text, bool own, uint32_t domain, struct region **ret)
{
	struct vchan_spec spec;
	int r, fd;

	r = vchan_spec_parse(text, domain, &spec);
	if (r < 0)
		return r;
	r = open_by_kind(&spec, own, domain, &fd);
	vchan_spec_clear(&spec);
	if (r < 0)
		return r;
	return region_new_from_fd(fd, ret);
}

int
region_open(const char *spec, uint32_t domain, struct region **ret)
{
	return open_region(spec, false, domain, ret);
}

int
region_open_own(const char *spec, struct region **ret)
{
	return open_region(spec, true, 0, ret);
}

int
region_new_from_fd(int fd, struct region **ret)
{
	struct region *region;
	struct stat status;
	int r = 0;

	if (fstat(fd, &status) < 0)
		r = -errno;
	else if (!S_ISREG(status.st_mode))
		r = -EINVAL;
	if (r < 0) {
		close(fd);
		return r;
	}
	region = g_new0(struct region, 1);
	region->fd = fd;
	region->size_bytes = (uint64_t)status.st_size;
	*ret = region;
	return 0;
}

void
region_free(struct region *region)
{
	if (region == NULL)
		return;
	close(region->fd);
	g_free(region);
}

int
region_fd(const struct region *region)
{
	return region->fd;
}

uint64_t
region_size_bytes(const struct region *region)
{
	return region->size_bytes;
}

/* --- the lookup ----------------------------------------------------------------------------- */

static bool
is_reference_list(struct untrusted_bytes untrusted_refs, size_t count)
{
	return count > 0 && untrusted_refs.len / REFERENCE_BYTES == count &&
	       untrusted_refs.len % REFERENCE_BYTES == 0;
}

/* Reads the reference at index, once, into memory that nobody else writes. */
static int
page_at(const struct region *region, struct untrusted_bytes untrusted_refs, size_t index,
    uint64_t *ret_page)
{
	uint32_t page;

	memcpy(&page, untrusted_refs.raw + index * REFERENCE_BYTES, sizeof(page));
	if (page >= region->size_bytes / REGION_PAGE_BYTES)
		return -ERANGE;
	*ret_page = page;
	return 0;
}

int
region_find_run(const struct region *region, struct untrusted_bytes untrusted_refs, size_t count,
    uint64_t *ret_offset)
{
	uint64_t first = 0, page;
	bool is_run = true;

	if (!is_reference_list(untrusted_refs, count))
		return -EPROTO;
	for (size_t i = 0; i < count; i++) {
		int r = page_at(region, untrusted_refs, i, &page);

		if (r < 0)
			return r;
		if (i == 0)
			first = page;
		is_run &= page == first + i;
	}
	if (!is_run)
		return -ENOTSUP;
	*ret_offset = first * REGION_PAGE_BYTES;
	return 0;
}

static int
read_exactly(int fd, void *buffer, size_t len, uint64_t offset)
{
	uint8_t *to = buffer;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ERANGE; /* cut short meanwhile */
		to += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int
region_read_pages(const struct region *region, struct untrusted_bytes untrusted_refs, size_t count,
    uint64_t from, void *buffer, size_t len)
{
	uint64_t total = (uint64_t)count * REGION_PAGE_BYTES;
	uint8_t *to = buffer;

	if (!is_reference_list(untrusted_refs, count))
		return -EPROTO;
	if (from > total || len > total - from)
		return -ERANGE;
	while (len > 0) {
		uint64_t in_page = from % REGION_PAGE_BYTES, page;
		size_t part = MIN(len, (size_t)(REGION_PAGE_BYTES - in_page));
		int r = page_at(region, untrusted_refs, from / REGION_PAGE_BYTES, &page);

		if (r == 0)
			r = read_exactly(region->fd, to, part, page * REGION_PAGE_BYTES + in_page);
		if (r < 0)
			return r;
		to += part;
		from += part;
		len -= part;
	}
	return 0;
}
