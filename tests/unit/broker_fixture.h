/*
 * broker_fixture - the real vchan-broker, with domains 1, 2 and 3 played by the test.
 */
#ifndef TESTS_UNIT_BROKER_FIXTURE_H
#define TESTS_UNIT_BROKER_FIXTURE_H

#include "shared/region.h"
#include "shared/vchan/broker_control.h"
#include "shared/vchan/vchan.h"
#include "tests/unit/unit.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/resource.h>

#define PORT 512
#define WAIT_MS 5000
#define REGION_BYTES (2u << 20)
#define NOBODY 65534

struct fixture {
	char *dir;
	char *control_path;
	GPid broker; /* 0: it has ended */
	rlim_t fds;  /* how many it may have; 0: as many as we */
	struct broker_control *control;
};

/* Path of the program; g_free() it. */
char *broker_program(void);
/* Sets up what a broker that is spawned needs; data is the fixture, or NULL. */
void prepare_broker(gpointer data);
void start_broker(struct fixture *fixture);
GPid spawn_broker(struct fixture *fixture);
/* Returns its status. */
int wait_for_broker(struct fixture *fixture);
void kill_broker(struct fixture *fixture);
char *socket_of(const struct fixture *fixture, uint32_t domain);
int add(struct fixture *fixture, uint32_t domain);

/* For cmocka; the second has a broker that may have 240 descriptors. */
int setup(void **state);
int setup_with_few_fds(void **state);
int teardown(void **state);

struct vchan *listen_as(struct fixture *fixture, uint32_t domain, uint32_t peer, uint32_t port);
struct vchan *connect_as(struct fixture *fixture, uint32_t domain, uint32_t peer, uint32_t port);
bool turn(struct vchan *vchan, int timeout_ms);
void wait_for_state(struct vchan *vchan, enum vchan_state state);
/* Waits for the refusal and returns it. */
int refusal(struct vchan *vchan);
/* It goes on waiting, though the broker has had the time to do something about it. */
void assert_waits(struct vchan *vchan);
void read_text(struct vchan *vchan, const char *expected);
void write_text(struct vchan *vchan, const char *text);
void read_end(struct vchan *vchan);
/* Both ends, connected: the server in domain a, the client in domain b. */
void connect_pair(struct fixture *fixture, uint32_t a, uint32_t b, struct vchan *ret[2]);
void close_pair(struct vchan *pair[2]);

unsigned broker_fds(const struct fixture *fixture);
/* As many as it holds when it has seen that everybody left who has left. */
unsigned settled_broker_fds(const struct fixture *fixture);
/* Waits until the broker holds that many descriptors. */
void wait_for_broker_fds(const struct fixture *fixture, unsigned expected);
long broker_rss_kib(const struct fixture *fixture);
unsigned long broker_cpu_ticks(const struct fixture *fixture);

/* The region of a domain as another (or the same, own) gets it. */
int open_region_as(struct fixture *fixture, uint32_t reader, uint32_t domain, struct region **ret);
int open_own_region_as(struct fixture *fixture, uint32_t domain, struct region **ret);
int right_to_region(struct fixture *fixture, uint32_t reader, uint32_t domain);

/* A connection that has asked for nothing yet. */
int raw_client(struct fixture *fixture, uint32_t domain);

#endif
