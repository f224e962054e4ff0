/*
 * retry - a timer for a client that waits for its server to appear: 1 ms, growing to 50 ms.
 */
#ifndef SHARED_VCHAN_RETRY_H
#define SHARED_VCHAN_RETRY_H

struct retry {
	int timer_fd; /* owned; polls readable when it is time; -1 when there is none */
	unsigned delay_ms;
};

void retry_init(struct retry *retry);
void retry_fini(struct retry *retry);

/* Arms the timer for the next, longer delay, making it if need be. 0 or a negative errno. */
int retry_later(struct retry *retry);

#endif
