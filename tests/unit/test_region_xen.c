/*
 * The chunks in which grants are mapped and shared, with doubles of the two devices. What Xen itself
 * does is seen by the scenarios of make check-xen.
 */
#include "shared/region_xen.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <xengnttab.h>

#define PAGE_BYTES 4096u
#define CHUNK_PAGES 1024u
#define READER 7u

/* --- the devices ----------------------------------------------------------------------------- */

static struct {
	unsigned calls, fail_at; /* the call that fails, from 1; 0: none */
	unsigned pieces;         /* mapped or shared now */
	uint32_t largest;        /* pages of one call */
	uint32_t next_ref;
	uint32_t domain;
	int protection, writable;
} device;

static char handle;

static void *
make_piece(uint32_t count)
{
	device.calls++;
	device.largest = MAX(device.largest, count);
	if (device.calls == device.fail_at) {
		errno = ENOSPC;
		return NULL;
	}
	device.pieces++;
	return g_malloc0((size_t)count * PAGE_BYTES);
}

static int
end_piece(void *piece)
{
	device.pieces--;
	g_free(piece);
	return 0;
}

xengnttab_handle *
xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
	(void)logger;
	(void)flags;
	return (xengnttab_handle *)&handle;
}

int
xengnttab_close(xengnttab_handle *gnttab)
{
	(void)gnttab;
	return 0;
}

/* A page begins with its reference. */
void *
xengnttab_map_domain_grant_refs(
    xengnttab_handle *gnttab, uint32_t count, uint32_t domain, uint32_t *refs, int protection)
{
	uint8_t *piece = make_piece(count);

	(void)gnttab;
	device.domain = domain;
	device.protection = protection;
	for (uint32_t i = 0; piece != NULL && i < count; i++)
		memcpy(piece + (size_t)i * PAGE_BYTES, &refs[i], sizeof(refs[i]));
	return piece;
}

int
xengnttab_unmap(xengnttab_handle *gnttab, void *piece, uint32_t count)
{
	(void)gnttab;
	(void)count;
	return end_piece(piece);
}

xengntshr_handle *
xengntshr_open(struct xentoollog_logger *logger, unsigned flags)
{
	(void)logger;
	(void)flags;
	return (xengntshr_handle *)&handle;
}

int
xengntshr_close(xengntshr_handle *gntshr)
{
	(void)gntshr;
	return 0;
}

void *
xengntshr_share_pages(
    xengntshr_handle *gntshr, uint32_t domain, int count, uint32_t *refs, int writable)
{
	void *piece = make_piece((uint32_t)count);

	(void)gntshr;
	device.domain = domain;
	device.writable = writable;
	for (int i = 0; piece != NULL && i < count; i++)
		refs[i] = device.next_ref += 3;
	return piece;
}

int
xengntshr_unshare(xengntshr_handle *gntshr, void *piece, uint32_t count)
{
	(void)gntshr;
	(void)count;
	return end_piece(piece);
}

/* --- the tests ------------------------------------------------------------------------------- */

static int
setup(void **state)
{
	(void)state;
	memset(&device, 0, sizeof(device));
	return 0;
}

static uint32_t *
make_refs(size_t count)
{
	uint32_t *refs = g_new(uint32_t, count);

	for (size_t i = 0; i < count; i++)
		refs[i] = UINT32_MAX - (uint32_t)i * 7;
	return refs;
}

static int
map(struct region_xen *xen, const uint32_t *refs, size_t count, struct region_xen_dump **ret)
{
	return region_xen_calls.map(xen, untrusted_bytes_of(refs, count * 4), count, ret);
}

static void
pages_lie_in_the_order_of_the_references(size_t count)
{
	g_autofree uint32_t *refs = make_refs(count);
	struct region_xen *xen;
	struct region_xen_dump *dump;

	assert_int_equal(region_xen_calls.open(5, &xen), 0);
	assert_int_equal(map(xen, refs, count, &dump), 0);
	for (size_t i = 0; i < count; i++) {
		uint32_t ref;

		region_xen_calls.read(dump, i * PAGE_BYTES, &ref, sizeof(ref));
		assert_int_equal(ref, refs[i]);
	}
	region_xen_calls.unmap(dump);
	region_xen_calls.close(xen);
	assert_int_equal(device.pieces, 0);
}

static void
dumps_of_any_size_keep_their_order(void **state)
{
	(void)state;
	pages_lie_in_the_order_of_the_references(1);
	pages_lie_in_the_order_of_the_references(CHUNK_PAGES - 1);
	pages_lie_in_the_order_of_the_references(CHUNK_PAGES);
	pages_lie_in_the_order_of_the_references(CHUNK_PAGES + 1);
	pages_lie_in_the_order_of_the_references(3 * CHUNK_PAGES);
	assert_int_equal(device.largest, CHUNK_PAGES);
}

static void
pages_of_a_qube_are_mapped_read_only(void **state)
{
	const uint32_t ref = 9;
	struct region_xen *xen;
	struct region_xen_dump *dump;

	(void)state;
	assert_int_equal(region_xen_calls.open(5, &xen), 0);
	assert_int_equal(map(xen, &ref, 1, &dump), 0);
	assert_int_equal(device.protection, PROT_READ);
	assert_int_equal(device.domain, 5);
	region_xen_calls.unmap(dump);
	region_xen_calls.close(xen);
}

static void
map_that_fails_midway_leaves_nothing_mapped(void **state)
{
	g_autofree uint32_t *refs = make_refs(3 * CHUNK_PAGES);
	struct region_xen *xen;
	struct region_xen_dump *dump = NULL;

	(void)state;
	assert_int_equal(region_xen_calls.open(5, &xen), 0);
	for (device.fail_at = 1; device.fail_at <= 3; device.fail_at++) {
		device.calls = 0;
		assert_int_equal(map(xen, refs, 3 * CHUNK_PAGES, &dump), -ENOSPC);
		assert_null(dump);
		assert_int_equal(device.pieces, 0);
	}
	region_xen_calls.close(xen);
}

static void
reading_crosses_from_chunk_to_chunk(void **state)
{
	const size_t count = CHUNK_PAGES + 2;
	g_autofree uint32_t *refs = make_refs(count);
	g_autofree uint8_t *all = g_malloc(count * PAGE_BYTES);
	struct region_xen *xen;
	struct region_xen_dump *dump;
	uint32_t ref;

	(void)state;
	assert_int_equal(region_xen_calls.open(5, &xen), 0);
	assert_int_equal(map(xen, refs, count, &dump), 0);
	region_xen_calls.read(dump, 0, all, count * PAGE_BYTES);
	memcpy(&ref, all + (size_t)CHUNK_PAGES * PAGE_BYTES, sizeof(ref));
	assert_int_equal(ref, refs[CHUNK_PAGES]);
	region_xen_calls.read(dump, CHUNK_PAGES * PAGE_BYTES - 4, all, 8);
	memcpy(&ref, all + 4, sizeof(ref));
	assert_int_equal(ref, refs[CHUNK_PAGES]);
	region_xen_calls.unmap(dump);
	region_xen_calls.close(xen);
}

static void
shared_pages_are_written_where_their_references_say(void **state)
{
	const size_t count = 2 * CHUNK_PAGES + 1;
	g_autofree uint32_t *refs = g_new0(uint32_t, count);
	struct region_xen_owner *owner;
	struct region_xen_shared *shared;

	(void)state;
	assert_int_equal(region_xen_calls.open_own(&owner), 0);
	assert_int_equal(region_xen_calls.share(owner, READER, count, refs, &shared), 0);
	assert_int_equal(device.domain, READER);
	assert_int_equal(device.writable, 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(refs[i], (i + 1) * 3);
	region_xen_calls.write(shared, CHUNK_PAGES * PAGE_BYTES - 2, "abcd", 4);
	region_xen_calls.write(shared, (uint64_t)count * PAGE_BYTES - 1, "z", 1);
	region_xen_calls.unshare(shared);
	region_xen_calls.close_own(owner);
	assert_int_equal(device.pieces, 0);
}

static void
share_that_fails_midway_leaves_nothing_shared(void **state)
{
	uint32_t refs[2 * CHUNK_PAGES];
	struct region_xen_owner *owner;
	struct region_xen_shared *shared = NULL;

	(void)state;
	assert_int_equal(region_xen_calls.open_own(&owner), 0);
	device.fail_at = 2;
	assert_int_equal(
	    region_xen_calls.share(owner, READER, 2 * CHUNK_PAGES, refs, &shared), -ENOSPC);
	assert_null(shared);
	assert_int_equal(device.pieces, 0);
	region_xen_calls.close_own(owner);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(dumps_of_any_size_keep_their_order, setup),
	    cmocka_unit_test_setup(pages_of_a_qube_are_mapped_read_only, setup),
	    cmocka_unit_test_setup(map_that_fails_midway_leaves_nothing_mapped, setup),
	    cmocka_unit_test_setup(reading_crosses_from_chunk_to_chunk, setup),
	    cmocka_unit_test_setup(shared_pages_are_written_where_their_references_say, setup),
	    cmocka_unit_test_setup(share_that_fails_midway_leaves_nothing_shared, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
