/*
 * region_probe region DOMAIN | connect DOMAIN PORT - what a qube gets from the broker that is not its
 * own. Prints one line.
 *
 *   region   "read-only BYTES" for the region of that domain, "writable BYTES" when it could be
 *            written to after all, else the error
 *   connect  "connected" when the vchan stands within two seconds, "waits", or the error
 *
 * For scenario scripts; runs inside the qube.
 */
#include "shared/region.h"
#include "shared/vchan/vchan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 2000
#define STEP_MS 20

/* Every way to write that a holder of the descriptor has. */
static bool
can_write(int fd)
{
	char path[64];
	int again;

	if (mmap(NULL, REGION_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
		return true;
	if (pwrite(fd, "x", 1, 0) == 1 || ftruncate(fd, 0) == 0)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	return again >= 0;
}

static int
probe_region(uint32_t domain)
{
	struct region *region;
	int r = region_open(NULL, domain, &region);

	if (r < 0) {
		puts(strerror(-r));
		return 1;
	}
	printf("%s %" PRIu64 "\n", can_write(region_fd(region)) ? "writable" : "read-only",
	    region_size_bytes(region));
	return 0;
}

static int
probe_connect(uint32_t domain, uint32_t port)
{
	struct vchan *vchan;
	int r = vchan_connect(NULL, domain, port, 4096, &vchan);

	for (int left_ms = PATIENCE_MS; r == 0 && left_ms > 0; left_ms -= STEP_MS) {
		struct pollfd pollfd = {.fd = vchan_fd(vchan), .events = POLLIN};

		if (vchan_state(vchan) != VCHAN_CONNECTING)
			break;
		if (poll(&pollfd, 1, STEP_MS) > 0)
			vchan_dispatch(vchan);
	}
	if (r < 0)
		puts(strerror(-r));
	else if (vchan_state(vchan) == VCHAN_CLOSED)
		puts(strerror(-vchan_error(vchan)));
	else
		puts(vchan_state(vchan) == VCHAN_CONNECTED ? "connected" : "waits");
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "region") == 0)
		return probe_region((uint32_t)strtoul(argv[2], NULL, 10));
	if (argc == 4 && strcmp(argv[1], "connect") == 0)
		return probe_connect(
		    (uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10));
	fputs("region_probe region DOMAIN | connect DOMAIN PORT\n", stderr);
	return 2;
}
