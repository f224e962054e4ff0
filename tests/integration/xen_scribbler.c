/*
 * xen_scribbler - a hostile server: it takes one client and then writes nonsense into the shared
 * page, all that a peer domain can reach.
 *
 *   xen_scribbler DOMAIN PORT storm|still SECONDS
 *
 * storm: random indices, flags and orders, with an event after each; still: indices that say more
 * than a ring full, once, with one event. Then it leaves as a process that was killed.
 */
#include <libxenvchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenstore.h>

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint32_t
noise(void)
{
	return (uint32_t)rand() * 2654435761u;
}

/* The two live bytes stay as they are: changing those is the honest way to end. */
static void
scribble(struct libxenvchan *channel)
{
	struct vchan_interface *page = channel->ring;

	page->left.cons = noise();
	page->left.prod = noise() % 3 != 0 ? page->left.cons + noise() % 65536 : noise();
	page->right.cons = noise();
	page->right.prod = noise() % 3 != 0 ? page->right.cons + noise() % 65536 : noise();
	page->left_order = (uint16_t)noise();
	page->right_order = (uint16_t)noise();
	page->srv_notify = page->cli_notify = 3;
	for (int i = 0; i < 32; i++)
		page->grants[i] = noise();
}

static void
stand_still(struct libxenvchan *channel)
{
	struct vchan_interface *page = channel->ring;

	page->left.prod = page->left.cons + 0x7fffffff;
	page->right.prod = page->right.cons + 0x7fffffff;
}

int
main(int argc, char **argv)
{
	struct xs_handle *store = xs_open(0);
	struct libxenvchan *channel;
	char path[128];
	double end;

	if (argc != 5 || store == NULL)
		return 1;
	snprintf(path, sizeof(path), "/local/domain/%s/data/vchan/%s/%s",
	    (char *)xs_read(store, XBT_NULL, "domid", NULL), argv[1], argv[2]);
	channel = libxenvchan_server_init(NULL, atoi(argv[1]), path, 65536, 65536);
	if (channel == NULL)
		return 1;
	while (libxenvchan_is_open(channel) == 2)
		libxenvchan_wait(channel);
	end = now_s() + atof(argv[4]);
	if (strcmp(argv[3], "still") == 0) {
		stand_still(channel);
		xenevtchn_notify(channel->event, channel->event_port);
		usleep((useconds_t)(atof(argv[4]) * 1e6));
	} else {
		while (now_s() < end) {
			scribble(channel);
			xenevtchn_notify(channel->event, channel->event_port);
		}
	}
	_exit(0);
}
