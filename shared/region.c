#include "shared/region.h"

#include "shared/region_xen.h"
#include "shared/vchan/broker_exchange.h"
#include "shared/vchan/broker_wire.h"
#include "shared/vchan/spec.h"
#include "shared/vchan/xen_module.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define REFERENCE_BYTES sizeof(uint32_t)

#define OWN_BYTES_ON_XEN (512u << 20) /* sparse: what is drawn takes memory */

struct region {
	int fd; /* owned; -1: none */
	uint64_t size_bytes;
	const struct region_xen_calls *xen; /* NULL: pages are shared by the file itself */
	struct region_xen *reader;          /* owned; of another domain's grants */
	struct region_xen_owner *owner;     /* owned; of our own */
	const uint8_t *drawn;               /* owned mapping of fd, beside owner */
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
find_xen_calls(struct region *region)
{
	gpointer symbol;
	int r = xen_module_symbol(REGION_XEN_SYMBOL, &symbol);

	if (r == 0)
		region->xen = symbol;
	return r;
}

/* The pages of another domain, as it grants them. */
static int
open_grants(struct region *region, uint32_t domain)
{
	int r = find_xen_calls(region);

	return r < 0 ? r : region->xen->open(domain, &region->reader);
}

/* A file for the X server to draw into, read here for copying into granted pages. */
static int
open_own_on_xen(struct region *region)
{
	void *drawn;
	int r = find_xen_calls(region);

	if (r == 0)
		r = region->xen->open_own(&region->owner);
	if (r < 0)
		return r;
	region->fd = memfd_create("pictures", MFD_CLOEXEC);
	if (region->fd < 0 || ftruncate(region->fd, OWN_BYTES_ON_XEN) < 0)
		return -errno;
	drawn = mmap(NULL, OWN_BYTES_ON_XEN, PROT_READ, MAP_SHARED, region->fd, 0);
	if (drawn == MAP_FAILED)
		return -errno;
	region->drawn = drawn;
	region->size_bytes = OWN_BYTES_ON_XEN;
	return 0;
}

static int
open_on_xen(bool own, uint32_t domain, struct region **ret)
{
	struct region *region = g_new0(struct region, 1);
	int r;

	region->fd = -1;
	r = own ? open_own_on_xen(region) : open_grants(region, domain);
	if (r < 0)
		region_free(region);
	else
		*ret = region;
	return r;
}

static int
open_region(const char *text, bool own, uint32_t domain, struct region **ret)
{
	struct vchan_spec spec;
	int r, fd;

	r = vchan_spec_parse(text, domain, &spec);
	if (r < 0)
		return r;
	if (spec.kind == VCHAN_KIND_XEN) {
		vchan_spec_clear(&spec);
		return open_on_xen(own, domain, ret);
	}
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
	if (region->reader != NULL)
		region->xen->close(region->reader);
	if (region->owner != NULL)
		region->xen->close_own(region->owner);
	if (region->drawn != NULL)
		munmap((void *)region->drawn, region->size_bytes);
	if (region->fd >= 0)
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

/* --- dumps ---------------------------------------------------------------------------------- */

struct region_dump {
	const struct region *region; /* borrowed */
	size_t count;
	bool is_run;
	uint64_t offset_bytes;                 /* in the file, when a run */
	struct untrusted_bytes untrusted_refs; /* else, in a file: owned, checked once */
	struct region_xen_dump *mapped;        /* owned; on Xen */
};

static int
find_in_file(struct region_dump *dump, struct untrusted_bytes untrusted_refs)
{
	int r = region_find_run(dump->region, untrusted_refs, dump->count, &dump->offset_bytes);

	dump->is_run = r == 0;
	if (r == -ENOTSUP) {
		dump->untrusted_refs = untrusted_bytes_dup(untrusted_refs);
		return 0;
	}
	return r;
}

static int
map_grants(struct region_dump *dump, struct untrusted_bytes untrusted_refs)
{
	const struct region *region = dump->region;

	if (!is_reference_list(untrusted_refs, dump->count))
		return -EPROTO;
	return region->xen->map(region->reader, untrusted_refs, dump->count, &dump->mapped);
}

int
region_dump_new(struct region *region, struct untrusted_bytes untrusted_refs, size_t count,
    struct region_dump **ret)
{
	struct region_dump *dump = g_new0(struct region_dump, 1);
	int r;

	dump->region = region;
	dump->count = count;
	r = region->reader != NULL ? map_grants(dump, untrusted_refs)
				   : find_in_file(dump, untrusted_refs);
	if (r < 0) {
		g_free(dump);
		return r;
	}
	*ret = dump;
	return 0;
}

void
region_dump_free(struct region_dump *dump)
{
	if (dump == NULL)
		return;
	if (dump->mapped != NULL)
		dump->region->xen->unmap(dump->mapped);
	untrusted_bytes_free(dump->untrusted_refs);
	g_free(dump);
}

bool
region_dump_run(const struct region_dump *dump, uint64_t *ret_offset)
{
	if (dump->is_run)
		*ret_offset = dump->offset_bytes;
	return dump->is_run;
}

int
region_dump_read(const struct region_dump *dump, uint64_t from, void *buffer, size_t len)
{
	const struct region *region = dump->region;
	uint64_t total = (uint64_t)dump->count * REGION_PAGE_BYTES;

	if (from > total || len > total - from)
		return -ERANGE;
	if (dump->is_run)
		return read_exactly(region->fd, buffer, len, dump->offset_bytes + from);
	if (dump->mapped == NULL)
		return region_read_pages(
		    region, dump->untrusted_refs, dump->count, from, buffer, len);
	region->xen->read(dump->mapped, from, buffer, len);
	return 0;
}

/* --- shares --------------------------------------------------------------------------------- */

struct region_share {
	const struct region *region; /* borrowed */
	uint32_t first, count;
	uint32_t *refs;                   /* owned */
	struct region_xen_shared *shared; /* owned; NULL: the pages themselves are seen */
};

int
region_share_new(struct region *region, uint32_t reader, uint32_t first, uint32_t count,
    struct region_share **ret)
{
	struct region_share *share = g_new0(struct region_share, 1);
	int r = 0;

	share->region = region;
	share->first = first;
	share->count = count;
	share->refs = g_new0(uint32_t, count);
	if (region->owner != NULL)
		r = region->xen->share(region->owner, reader, count, share->refs, &share->shared);
	else
		for (uint32_t i = 0; i < count; i++)
			share->refs[i] = first + i;
	if (r < 0) {
		region_share_free(share);
		return r;
	}
	*ret = share;
	return 0;
}

void
region_share_free(struct region_share *share)
{
	if (share == NULL)
		return;
	if (share->shared != NULL)
		share->region->xen->unshare(share->shared);
	g_free(share->refs);
	g_free(share);
}

const uint32_t *
region_share_refs(const struct region_share *share)
{
	return share->refs;
}

size_t
region_share_count(const struct region_share *share)
{
	return share->count;
}

void
region_share_publish(struct region_share *share, uint64_t from, size_t len)
{
	const struct region *region = share->region;

	if (share->shared == NULL)
		return;
	region->xen->write(share->shared, from,
	    region->drawn + (uint64_t)share->first * REGION_PAGE_BYTES + from, len);
}
