/*
 * Page references of a window dump against a region of 64 pages. The first byte is added to the
 * count that belongs to the bytes, so that both also disagree; the rest are the references.
 */
#include "shared/region.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct region *
make_region(void)
{
	struct region *region;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGES * REGION_PAGE_BYTES) < 0 ||
	    region_new_from_fd(fd, &region) < 0)
		abort();
	return region;
}

/* The same question, asked in the simplest way. */
static int
expected(const uint8_t *refs, size_t len, size_t count)
{
	bool is_run = true, is_inside = true;
	uint32_t first = 0;

	if (count == 0 || len != 4 * count)
		return -EPROTO;
	for (size_t i = 0; i < count; i++) {
		uint32_t page;

		memcpy(&page, refs + 4 * i, 4);
		if (i == 0)
			first = page;
		is_inside = is_inside && page < PAGES;
		is_run = is_run && (uint64_t)page == (uint64_t)first + i;
	}
	return !is_inside ? -ERANGE : is_run ? 0 : -ENOTSUP;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct region *region; /* made once: the file is the same for all inputs */
	struct untrusted_bytes untrusted_refs;
	uint64_t offset = UINT64_MAX;
	uint8_t first_byte, byte;
	uint32_t first_page;
	size_t count;
	int r;

	if (size == 0)
		return 0;
	if (region == NULL)
		region = make_region();
	untrusted_refs = untrusted_bytes_of(data + 1, size - 1);
	count = (size - 1) / 4 + (size_t)(int8_t)data[0];
	r = region_find_run(region, untrusted_refs, count, &offset);
	assert(r == expected(data + 1, size - 1, count));
	if (r < 0) {
		assert(offset == UINT64_MAX);
	} else {
		memcpy(&first_page, data + 1, 4);
		assert(offset == (uint64_t)first_page * REGION_PAGE_BYTES);
		assert(offset + count * REGION_PAGE_BYTES <= region_size_bytes(region));
	}
	if (r == 0 || r == -ENOTSUP) {
		uint64_t end = (uint64_t)count * REGION_PAGE_BYTES;

		assert(region_read_pages(region, untrusted_refs, count, 0, &first_byte, 1) == 0);
		assert(region_read_pages(region, untrusted_refs, count, end - 1, &byte, 1) == 0);
		assert(region_read_pages(region, untrusted_refs, count, end, &byte, 1) == -ERANGE);
	}
	return 0;
}
