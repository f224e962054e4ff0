#include "shared/vchan/retry.h"

#include <errno.h>
#include <glib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FIRST_DELAY_MS 1
#define LAST_DELAY_MS 50

void
retry_init(struct retry *retry)
{
	retry->timer_fd = -1;
	retry->delay_ms = FIRST_DELAY_MS;
}

void
retry_fini(struct retry *retry)
{
	if (retry->timer_fd >= 0)
		close(retry->timer_fd);
	retry->timer_fd = -1;
}

int
retry_later(struct retry *retry)
{
	struct itimerspec spec = {.it_value.tv_nsec = (long)retry->delay_ms * 1000000};

	if (retry->timer_fd < 0)
		retry->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (retry->timer_fd < 0)
		return -errno;
	/* Setting it anew also takes back that it polls readable. */
	if (timerfd_settime(retry->timer_fd, 0, &spec, NULL) < 0)
		return -errno;
	retry->delay_ms = MIN(2 * retry->delay_ms, LAST_DELAY_MS);
	return 0;
}
