/*
 * The lookup of page references, and the transport "socket". The broker's regions are tested in
 * test_broker.c.
 */
#include "shared/region.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES 16u

static struct region *
make_region(uint64_t size_bytes)
{
	struct region *region;
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	assert_int_equal(region_new_from_fd(fd, &region), 0);
	return region;
}

static int
find(const struct region *region, const uint32_t *refs, size_t count, uint64_t *ret_offset)
{
	return region_find_run(
	    region, untrusted_bytes_of(refs, count * sizeof(*refs)), count, ret_offset);
}

static void
run_is_found_at_its_first_page(void **state)
{
	const uint32_t refs[] = {3, 4, 5};
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	uint64_t offset;

	(void)state;
	assert_int_equal(find(region, refs, 3, &offset), 0);
	assert_int_equal(offset, 3 * REGION_PAGE_BYTES);
	region_free(region);
}

static void
shm_02_last_page_must_lie_inside(void **state)
{
	const uint32_t last[] = {PAGES - 2, PAGES - 1}, beyond[] = {PAGES - 1, PAGES};
	const uint32_t huge[] = {UINT32_MAX}, wrapping[] = {UINT32_MAX, 0};
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	uint64_t offset = 77;

	(void)state;
	assert_int_equal(find(region, beyond, 2, &offset), -ERANGE);
	assert_int_equal(find(region, huge, 1, &offset), -ERANGE);
	assert_int_equal(find(region, wrapping, 2, &offset), -ERANGE);
	assert_int_equal(offset, 77);
	assert_int_equal(find(region, last, 2, &offset), 0);
	assert_int_equal(offset, (PAGES - 2) * REGION_PAGE_BYTES);
	region_free(region);
}

static void
shm_02_offsets_beyond_32_bits_are_exact(void **state)
{
	const uint32_t last[] = {(1u << 20) - 1}, beyond[] = {1u << 20};
	struct region *region = make_region(UINT64_C(4) << 30);
	uint64_t offset;

	(void)state;
	assert_int_equal(region_size_bytes(region), UINT64_C(4) << 30);
	assert_int_equal(find(region, last, 1, &offset), 0);
	assert_true(offset == (UINT64_C(4) << 30) - REGION_PAGE_BYTES);
	assert_int_equal(find(region, beyond, 1, &offset), -ERANGE);
	region_free(region);
}

static void
half_a_page_at_the_end_is_no_page(void **state)
{
	const uint32_t refs[] = {0, 1};
	struct region *region = make_region(2 * REGION_PAGE_BYTES - 1);
	uint64_t offset;

	(void)state;
	assert_int_equal(find(region, refs, 1, &offset), 0);
	assert_int_equal(find(region, refs, 2, &offset), -ERANGE);
	region_free(region);
}

static void
pages_that_are_no_run_are_told_apart_from_pages_outside(void **state)
{
	static const uint32_t scattered[][3] = {
	    {3, 5, 6}, {3, 2, 1}, {3, 3, 3}, {3, 4, 4}, {0, 1, 3}};
	const uint32_t outside[] = {9, 2, PAGES};
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	uint64_t offset = 77;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(scattered); i++)
		assert_int_equal(find(region, scattered[i], 3, &offset), -ENOTSUP);
	assert_int_equal(find(region, outside, 3, &offset), -ERANGE);
	assert_int_equal(offset, 77);
	region_free(region);
}

static void
reference_list_has_four_bytes_a_page(void **state)
{
	const uint32_t refs[] = {0, 1, 2};
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	uint64_t offset = 77;
	char byte;

	(void)state;
	for (size_t len = 0; len <= sizeof(refs); len++) {
		struct untrusted_bytes untrusted_refs = untrusted_bytes_of(refs, len);

		assert_int_equal(region_find_run(region, untrusted_refs, 0, &offset), -EPROTO);
		assert_int_equal(
		    region_find_run(region, untrusted_refs, SIZE_MAX, &offset), -EPROTO);
		assert_int_equal(
		    region_find_run(region, untrusted_refs, (size_t)1 << 62, &offset), -EPROTO);
		assert_int_equal(
		    region_find_run(region, untrusted_refs, 2, &offset), len == 8 ? 0 : -EPROTO);
		assert_int_equal(region_read_pages(region, untrusted_refs, 2, 0, &byte, 1),
		    len == 8 ? 0 : -EPROTO);
	}
	region_free(region);
}

static void
references_need_not_be_aligned(void **state)
{
	const uint8_t bytes[] = {0xff, 2, 0, 0, 0, 3, 0, 0, 0};
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	uint64_t offset;

	(void)state;
	assert_int_equal(region_find_run(region, untrusted_bytes_of(bytes + 1, 8), 2, &offset), 0);
	assert_int_equal(offset, 2 * REGION_PAGE_BYTES);
	region_free(region);
}

/* Page n is filled with 'A' + n. */
static struct region *
make_lettered_region(void)
{
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	char page[REGION_PAGE_BYTES];

	for (unsigned i = 0; i < PAGES; i++) {
		memset(page, (int)('A' + i), sizeof(page));
		assert_int_equal(
		    pwrite(region_fd(region), page, sizeof(page), (off_t)i * sizeof(page)),
		    sizeof(page));
	}
	return region;
}

static void
scattered_pages_are_read_in_the_order_of_the_dump(void **state)
{
	const uint32_t refs[] = {9, 2, 2};
	struct untrusted_bytes untrusted_refs = untrusted_bytes_of(refs, sizeof(refs));
	struct region *region = make_lettered_region();
	char buffer[3 * REGION_PAGE_BYTES];

	(void)state;
	assert_int_equal(
	    region_read_pages(region, untrusted_refs, 3, 0, buffer, sizeof(buffer)), 0);
	assert_int_equal(buffer[0], 'J');
	assert_int_equal(buffer[REGION_PAGE_BYTES - 1], 'J');
	assert_int_equal(buffer[REGION_PAGE_BYTES], 'C');
	assert_int_equal(buffer[sizeof(buffer) - 1], 'C');
	assert_int_equal(
	    region_read_pages(region, untrusted_refs, 3, REGION_PAGE_BYTES - 1, buffer, 2), 0);
	assert_memory_equal(buffer, "JC", 2);
	region_free(region);
}

static void
read_ends_with_the_dump(void **state)
{
	const uint32_t refs[] = {9, 2};
	struct untrusted_bytes untrusted_refs = untrusted_bytes_of(refs, sizeof(refs));
	struct region *region = make_lettered_region();
	uint64_t end = 2 * REGION_PAGE_BYTES;
	char buffer[8];

	(void)state;
	assert_int_equal(region_read_pages(region, untrusted_refs, 2, end - 8, buffer, 8), 0);
	assert_int_equal(region_read_pages(region, untrusted_refs, 2, end - 7, buffer, 8), -ERANGE);
	assert_int_equal(region_read_pages(region, untrusted_refs, 2, end, buffer, 0), 0);
	assert_int_equal(region_read_pages(region, untrusted_refs, 2, end + 1, buffer, 0), -ERANGE);
	assert_int_equal(
	    region_read_pages(region, untrusted_refs, 2, UINT64_MAX, buffer, 8), -ERANGE);
	region_free(region);
}

static void
read_refuses_a_page_outside(void **state)
{
	const uint32_t refs[] = {2, PAGES};
	struct untrusted_bytes untrusted_refs = untrusted_bytes_of(refs, sizeof(refs));
	struct region *region = make_lettered_region();
	char buffer[8];

	(void)state;
	assert_int_equal(region_read_pages(region, untrusted_refs, 2, 0, buffer, 8), 0);
	assert_int_equal(
	    region_read_pages(region, untrusted_refs, 2, REGION_PAGE_BYTES - 4, buffer, 8),
	    -ERANGE);
	region_free(region);
}

static void
shm_01_file_cut_short_meanwhile_is_an_error_and_no_fault(void **state)
{
	const uint32_t refs[] = {2};
	struct untrusted_bytes untrusted_refs = untrusted_bytes_of(refs, sizeof(refs));
	struct region *region = make_lettered_region();
	char buffer[8];

	(void)state;
	assert_int_equal(ftruncate(region_fd(region), 2 * REGION_PAGE_BYTES + 4), 0);
	assert_int_equal(region_read_pages(region, untrusted_refs, 1, 0, buffer, 8), -ERANGE);
	assert_int_equal(ftruncate(region_fd(region), 0), 0);
	assert_int_equal(region_read_pages(region, untrusted_refs, 1, 0, buffer, 8), -ERANGE);
	region_free(region);
}

static void
shm_03_only_a_regular_file_is_a_region(void **state)
{
	struct region *region = NULL;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(region_new_from_fd(fds[0], &region), -EINVAL);
	close(fds[1]);
	assert_int_equal(region_new_from_fd(open("/dev/zero", O_RDONLY), &region), -EINVAL);
	assert_int_equal(region_new_from_fd(open("/", O_RDONLY), &region), -EINVAL);
	assert_int_equal(region_new_from_fd(-1, &region), -EBADF);
	assert_null(region);
}

static void
socket_mode_finds_the_file_of_a_domain(void **state)
{
	g_autofree char *dir = g_dir_make_tmp("region-XXXXXX", NULL);
	g_autofree char *file = g_build_filename(dir, "dom4.pages", NULL);
	g_autofree char *link = g_build_filename(dir, "dom5.pages", NULL);
	g_autofree char *fifo = g_build_filename(dir, "dom6.pages", NULL);
	struct region *region;

	(void)state;
	g_setenv("VCHAN_SOCKET_DIR", dir, TRUE);
	g_setenv("VCHAN_DOMAIN", "4", TRUE);
	assert_int_equal(region_open("socket", 4, &region), -ENOENT);
	g_file_set_contents(file, "x", 1, NULL);
	assert_int_equal(symlink("dom4.pages", link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);

	assert_int_equal(region_open("socket", 4, &region), 0);
	assert_int_equal(fcntl(region_fd(region), F_GETFL) & O_ACCMODE, O_RDONLY);
	region_free(region);
	assert_int_equal(region_open_own("socket", &region), 0);
	assert_int_equal(fcntl(region_fd(region), F_GETFL) & O_ACCMODE, O_RDWR);
	region_free(region);
	assert_int_equal(region_open("socket", 5, &region), -ELOOP);
	assert_int_equal(region_open("socket", 6, &region), -EINVAL); /* and does not block */

	g_setenv("QUBES_REGION_DIR", dir, TRUE);
	g_setenv("VCHAN_SOCKET_DIR", "/nowhere", TRUE);
	assert_int_equal(region_open("socket", 4, &region), 0);
	region_free(region);
	g_unlink(file);
	g_unlink(link);
	g_unlink(fifo);
	g_rmdir(dir);
}

static void
transports_without_a_region_say_so(void **state)
{
	struct region *region;

	(void)state;
	if (!g_file_test("/dev/xen/gntdev", G_FILE_TEST_EXISTS)) {
		assert_true(region_open("xen", 1, &region) < 0);
		assert_true(region_open_own("xen", &region) < 0);
	}
	assert_int_equal(region_open("nonsense", 1, &region), -EINVAL);
	assert_int_equal(region_open("broker:/nowhere", 1, &region), -ENOENT);
}

/* --- dumps and shares of a file -------------------------------------------------------------- */

static void
dump_that_is_a_run_says_where_and_one_that_is_none_is_read(void **state)
{
	const uint32_t run[] = {3, 4}, scattered[] = {9, 2};
	struct region *region = make_lettered_region();
	struct region_dump *dump;
	uint64_t offset = 0;
	char two[2];

	(void)state;
	assert_int_equal(region_dump_new(region, untrusted_bytes_of(run, 8), 2, &dump), 0);
	assert_true(region_dump_run(dump, &offset));
	assert_int_equal(offset, 3 * REGION_PAGE_BYTES);
	assert_int_equal(region_dump_read(dump, REGION_PAGE_BYTES - 1, two, 2), 0);
	assert_memory_equal(two, "DE", 2);
	region_dump_free(dump);

	assert_int_equal(region_dump_new(region, untrusted_bytes_of(scattered, 8), 2, &dump), 0);
	assert_false(region_dump_run(dump, &offset));
	assert_int_equal(region_dump_read(dump, REGION_PAGE_BYTES - 1, two, 2), 0);
	assert_memory_equal(two, "JC", 2);
	region_dump_free(dump);
	region_free(region);
}

static void
dump_is_read_up_to_its_end_and_no_further(void **state)
{
	const uint32_t run[] = {3, 4}, scattered[] = {9, 2};
	const uint32_t *const lists[] = {run, scattered};
	const uint64_t end = 2 * REGION_PAGE_BYTES;
	struct region *region = make_lettered_region();
	char buffer[8];

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		struct region_dump *dump;

		assert_int_equal(
		    region_dump_new(region, untrusted_bytes_of(lists[i], 8), 2, &dump), 0);
		assert_int_equal(region_dump_read(dump, end - 8, buffer, 8), 0);
		assert_int_equal(region_dump_read(dump, end - 7, buffer, 8), -ERANGE);
		assert_int_equal(region_dump_read(dump, end + 1, buffer, 0), -ERANGE);
		assert_int_equal(region_dump_read(dump, UINT64_MAX, buffer, 8), -ERANGE);
		region_dump_free(dump);
	}
	region_free(region);
}

static void
dump_with_a_page_outside_or_a_wrong_count_is_refused(void **state)
{
	const uint32_t refs[] = {PAGES - 1, PAGES};
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	struct region_dump *dump = NULL;

	(void)state;
	assert_int_equal(region_dump_new(region, untrusted_bytes_of(refs, 8), 2, &dump), -ERANGE);
	assert_int_equal(region_dump_new(region, untrusted_bytes_of(refs, 8), 1, &dump), -EPROTO);
	assert_int_equal(region_dump_new(region, untrusted_bytes_of(refs, 7), 2, &dump), -EPROTO);
	assert_int_equal(region_dump_new(region, untrusted_bytes_of(refs, 0), 0, &dump), -EPROTO);
	assert_null(dump);
	region_free(region);
}

static void
pages_of_a_file_are_named_by_their_numbers(void **state)
{
	struct region *region = make_region(PAGES * REGION_PAGE_BYTES);
	struct region_share *share;

	(void)state;
	assert_int_equal(region_share_new(region, 0, 5, 3, &share), 0);
	assert_int_equal(region_share_count(share), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(region_share_refs(share)[i], 5 + i);
	region_share_publish(share, 0, 3 * REGION_PAGE_BYTES); /* nothing to do: they are seen */
	region_share_free(share);
	region_free(region);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(run_is_found_at_its_first_page),
	    cmocka_unit_test(shm_02_last_page_must_lie_inside),
	    cmocka_unit_test(shm_02_offsets_beyond_32_bits_are_exact),
	    cmocka_unit_test(half_a_page_at_the_end_is_no_page),
	    cmocka_unit_test(pages_that_are_no_run_are_told_apart_from_pages_outside),
	    cmocka_unit_test(reference_list_has_four_bytes_a_page),
	    cmocka_unit_test(references_need_not_be_aligned),
	    cmocka_unit_test(scattered_pages_are_read_in_the_order_of_the_dump),
	    cmocka_unit_test(read_ends_with_the_dump),
	    cmocka_unit_test(read_refuses_a_page_outside),
	    cmocka_unit_test(shm_01_file_cut_short_meanwhile_is_an_error_and_no_fault),
	    cmocka_unit_test(shm_03_only_a_regular_file_is_a_region),
	    cmocka_unit_test(dump_that_is_a_run_says_where_and_one_that_is_none_is_read),
	    cmocka_unit_test(dump_is_read_up_to_its_end_and_no_further),
	    cmocka_unit_test(dump_with_a_page_outside_or_a_wrong_count_is_refused),
	    cmocka_unit_test(pages_of_a_file_are_named_by_their_numbers),
	    cmocka_unit_test(socket_mode_finds_the_file_of_a_domain),
	    cmocka_unit_test(transports_without_a_region_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
