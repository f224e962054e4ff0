#include "shared/vchan/broker_guest.h"

#include "shared/log.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker_domain.h"
#include "shared/vchan/broker_socket.h"

#include <errno.h>
#include <unistd.h>

#define CONF_MODE 0644

struct broker_guest {
	struct broker *broker; /* owned */
	struct domain *domain; /* owned */
	char *conf_path;       /* owned */
	int ready_fd;          /* owned; -1: nobody asked */
};

/* --- requests -------------------------------------------------------------------------------- */

/* Asks the host for the vchan, if there is a session and room in it. */
static int
ask_host(struct client *client)
{
	enum mux_role role = client->state == CLIENT_LISTENING ? MUX_LISTEN : MUX_CONNECT;

	return mux_open(
	    client->domain->mux, role, client->peer, client->port, client, &client->channel);
}

static int
guest_open_vchan(struct client *client, const struct broker_request *request)
{
	enum client_state state = client_state_for(request);
	int r;

	/* Who has left already is closed first, so that who comes after never meets him there. */
	if (state == CLIENT_LISTENING &&
	    domain_find_waiting(client->domain, state, request->domain, request->port) != NULL)
		return -EADDRINUSE;
	r = domain_check_limits(client->domain, state);
	if (r < 0)
		return r;
	client->peer = request->domain;
	client->port = request->port;
	client_enter(client, state);
	(void)ask_host(client); /* else later, when it is possible */
	return 0;
}

/* Asks for all who could not be asked for yet, the oldest first. */
static void
ask_for_waiting(struct domain *domain)
{
	for (unsigned state = CLIENT_LISTENING; state <= CLIENT_CONNECTING; state++) {
		for (GList *node = domain->clients[state].head; node != NULL; node = node->next) {
			struct client *client = node->data;

			if (client->channel == NULL && ask_host(client) < 0)
				return;
		}
	}
}

/* --- the port -------------------------------------------------------------------------------- */

static void
on_opened(void *owner, struct mux_channel *channel)
{
	struct client *client = owner;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		client_refuse(client, -errno); /* which closes the channel as well */
		return;
	}
	unix_socket_refuse_descriptors(fds[0]);
	unix_socket_refuse_descriptors(fds[1]);
	client_enter(client, CLIENT_LINKED);
	if (mux_start(channel, fds[0]) < 0)
		client->channel = NULL;
	client->calls->answer(client, 0, fds[1]);
}

static void
on_refused(void *owner, int error)
{
	struct client *client = owner;

	client->channel = NULL;
	client_refuse(client, error);
}

static void
on_closed(void *owner)
{
	struct client *client = owner;

	client->channel = NULL;
	if (client->state == CLIENT_LINKED)
		client_free(client);
}

static void
on_number_free(void *user)
{
	struct broker_guest *guest = user;

	ask_for_waiting(guest->domain);
}

static void
tell_ready(struct broker_guest *guest)
{
	static const char line[] = "ready\n";

	if (guest->ready_fd < 0)
		return;
	/* A full pipe has lines enough for who has not read any yet. */
	if (write(guest->ready_fd, line, sizeof(line) - 1) < 0 && errno != EAGAIN)
		log_warn("ready-fd: %s", g_strerror(errno));
}

/* Whoever waits for a session waits for the text as well. */
static void
on_session(void *user, const char *conf, size_t conf_len)
{
	struct broker_guest *guest = user;
	g_autoptr(GError) error = NULL;

	log_info("connected to the host");
	if (g_file_set_contents_full(guest->conf_path, conf, (gssize)conf_len,
		G_FILE_SET_CONTENTS_CONSISTENT, CONF_MODE, &error))
		tell_ready(guest);
	else
		log_error("%s", error->message);
	ask_for_waiting(guest->domain);
}

static void
on_session_end(void *user, int error)
{
	(void)user;
	log_info("connection to the host lost%s%s", error < 0 ? ": " : "",
	    error < 0 ? g_strerror(-error) : "");
}

static const struct mux_calls guest_calls = {
    .on_session = on_session,
    .on_session_end = on_session_end,
    .on_opened = on_opened,
    .on_refused = on_refused,
    .on_closed = on_closed,
    .on_number_free = on_number_free,
};

/* --- the whole ------------------------------------------------------------------------------- */

static int
open_domain(struct broker_guest *guest, const struct broker_guest_options *options)
{
	struct domain *domain = guest->domain;
	bool for_all = options->group == (gid_t)-1;
	int r;

	domain->open_vchan = guest_open_vchan;
	domain->region_path = g_strdup(options->region_path);
	r = mux_new(options->port_path, MUX_GUEST, &guest_calls, guest, &domain->mux);
	if (r == 0)
		r = domain_listen(domain, for_all ? 0666 : 0660);
	if (r == 0 && lchown(domain->socket_path, (uid_t)-1, options->group) < 0)
		r = -errno;
	return r;
}

int
broker_guest_new(const struct broker_guest_options *options, struct broker_guest **ret)
{
	struct broker_guest *guest;
	struct broker *broker;
	int r;

	r = broker_new_empty(&broker);
	if (r < 0)
		return r;
	guest = g_new0(struct broker_guest, 1);
	guest->broker = broker;
	guest->domain = domain_new(broker, BROKER_OURSELVES, options->socket_path);
	guest->conf_path = g_strdup(options->conf_path);
	guest->ready_fd = -1;
	r = open_domain(guest, options);
	if (r < 0) {
		broker_guest_free(guest);
		return r;
	}
	guest->ready_fd = options->ready_fd;
	*ret = guest;
	return 0;
}

void
broker_guest_free(struct broker_guest *guest)
{
	if (guest == NULL)
		return;
	domain_free(guest->domain);
	broker_free(guest->broker);
	if (guest->ready_fd >= 0)
		close(guest->ready_fd);
	g_free(guest->conf_path);
	g_free(guest);
}
