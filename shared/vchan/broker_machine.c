#include "shared/vchan/broker_machine.h"

#include "shared/guest_conf.h"
#include "shared/log.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <time.h>

static_assert(BROKER_CONF_MAX + GUEST_CONF_FRESH_MAX <= MUX_CONF_MAX, "room for time and seed");

static bool
machine_client_has_left(const struct client *client)
{
	(void)client;
	return false; /* its frames come one after the other: what it said was heard */
}

static void
machine_client_answer(struct client *client, int status, int fd)
{
	if (fd < 0) {
		mux_refuse(g_steal_pointer(&client->channel), status);
	} else if (mux_accept(client->channel, client, fd) < 0) {
		client->channel = NULL;
		client_free(client);
	}
}

static void
machine_client_free(struct client *client)
{
	if (client->channel != NULL)
		mux_leave(client->channel);
	g_free(client);
}

static const struct client_calls machine_client_calls = {
    .has_left = machine_client_has_left,
    .answer = machine_client_answer,
    .free = machine_client_free,
};

static void
on_open(void *user, struct mux_channel *channel, const struct mux_frame *open)
{
	struct domain *domain = user;
	const struct broker_request request = {
	    .type = open->role == MUX_LISTEN ? BROKER_LISTEN : BROKER_CONNECT,
	    .domain = open->peer,
	    .port = open->port,
	};
	struct client *client;
	int r;

	if (!domain_has_fd_left(domain)) {
		domain_warn_once(domain, "request refused", -ENFILE);
		mux_refuse(channel, -ENFILE);
		return;
	}
	client = g_new0(struct client, 1);
	client->channel = channel;
	mux_set_owner(channel, client);
	client_init(client, domain, &machine_client_calls);
	r = domain->open_vchan(client, &request);
	if (r == -EMFILE)
		domain_warn_once(domain, "request refused", r);
	if (r < 0)
		client_refuse(client, r);
}

static void
on_closed(void *owner)
{
	struct client *client = owner;

	client->channel = NULL;
	client_free(client);
}

/* Drawn for each session: the guest may be a copy of another, or have stood still for long. */
static void
draw_fresh(struct guest_conf_fresh *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	ret->has_time = true;
	ret->time_s = (uint32_t)now.tv_sec;
	ret->time_ns = (uint32_t)now.tv_nsec;
	ret->has_seed = true;
	while (getrandom(ret->seed, sizeof(ret->seed), 0) != sizeof(ret->seed))
		;
}

static char *
make_conf(void *user)
{
	const struct domain *domain = user;
	struct guest_conf_fresh fresh;
	char *conf;

	draw_fresh(&fresh);
	conf = guest_conf_with_fresh(domain->conf, &fresh);
	explicit_bzero(&fresh, sizeof(fresh));
	return conf;
}

static void
on_session(void *user, const char *conf, size_t conf_len)
{
	const struct domain *domain = user;

	(void)conf;
	(void)conf_len;
	log_debug("domain %u: a session begins on its port", domain->id);
}

static void
on_session_end(void *user, int error)
{
	struct domain *domain = user;

	if (error == -EPROTO)
		domain_warn_once(domain, "the session on its port", error);
	log_debug("domain %u: the session on its port is over", domain->id);
}

static const struct mux_calls machine_calls = {
    .make_conf = make_conf,
    .on_session = on_session,
    .on_session_end = on_session_end,
    .on_open = on_open,
    .on_closed = on_closed,
};

int
domain_add_port(struct domain *domain, const char *port_path, const char *conf)
{
	domain->conf = g_strdup(conf);
	return mux_new(port_path, MUX_HOST, &machine_calls, domain, &domain->mux);
}
