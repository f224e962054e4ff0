#include "shared/vchan/broker.h"

#include "shared/unix_socket.h"
#include "shared/vchan/broker_client.h"
#include "shared/vchan/broker_wire.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 64
#define EVENTS_PER_TURN 16 /* of one domain; then it is the others' turn */

/* Descriptors: what a domain costs by itself, and what is left for the rest of the program. */
#define FDS_PER_DOMAIN 4u
#define FDS_SPARE 64u

static const struct limits domain_limits = {
    .unasked = BROKER_MAX_UNASKED,
    .listeners = BROKER_MAX_LISTENERS,
    .connects = BROKER_MAX_CONNECTS,
    .vchans = BROKER_MAX_VCHANS,
};
static const struct limits trusted_limits = {
    .unasked = BROKER_MAX_UNASKED * BROKER_TRUSTED_FACTOR,
    .listeners = BROKER_MAX_LISTENERS * BROKER_TRUSTED_FACTOR,
    .connects = BROKER_MAX_CONNECTS * BROKER_TRUSTED_FACTOR,
    .vchans = BROKER_MAX_VCHANS * BROKER_TRUSTED_FACTOR,
};

/* --- descriptors ----------------------------------------------------------------------------- */

static unsigned
choose_fds_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * FDS_SPARE)
		return 0;
	return (unsigned)MIN(limit.rlim_cur, 1u << 20) - FDS_SPARE;
}

/* --- domains --------------------------------------------------------------------------------- */

struct domain *
broker_find(const struct broker *broker, uint32_t id)
{
	return g_hash_table_lookup(broker->domains, GUINT_TO_POINTER(id));
}

/* One event at a time: what it leads to may free the client of another. */
static gboolean
on_domain(gint fd, GIOCondition condition, gpointer data)
{
	struct domain *domain = data;
	struct epoll_event event;

	(void)condition;
	for (unsigned i = 0; i < EVENTS_PER_TURN && epoll_wait(fd, &event, 1, 0) == 1; i++) {
		if (event.data.ptr == NULL)
			domain_accept(domain);
		else
			client_dispatch(event.data.ptr);
	}
	return G_SOURCE_CONTINUE;
}

static void
domain_free(struct domain *domain)
{
	for (unsigned state = 0; state < CLIENT_STATES; state++) {
		while (domain->clients[state].head != NULL)
			client_free(domain->clients[state].head->data);
	}
	if (domain->source_id != 0)
		g_source_remove(domain->source_id);
	if (domain->epoll_fd >= 0)
		close(domain->epoll_fd);
	if (domain->listen_fd >= 0) {
		unlink(domain->socket_path);
		close(domain->listen_fd);
	}
	broker_region_fini(&domain->region);
	domain->broker->fds_used -= FDS_PER_DOMAIN;
	g_free(domain->socket_path);
	g_free(domain);
}

static int
domain_open(struct domain *domain, uint64_t region_bytes)
{
	int r;

	r = region_bytes != 0 ? broker_region_init(&domain->region, region_bytes) : 0;
	if (r < 0)
		return r;
	domain->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (domain->epoll_fd < 0)
		return -errno;
	r = unix_socket_listen(domain->socket_path, SOCK_SEQPACKET, BACKLOG, 0600);
	if (r < 0)
		return r;
	domain->listen_fd = r;
	unix_socket_refuse_descriptors(domain->listen_fd);
	domain_update_accepting(domain);
	domain->source_id = g_unix_fd_add(domain->epoll_fd, G_IO_IN, on_domain, domain);
	return 0;
}

static int
domain_new(struct broker *broker, uint32_t id, const char *socket_path, uint64_t region_bytes,
    struct domain **ret)
{
	struct domain *domain = g_new0(struct domain, 1);
	int r;

	domain->broker = broker;
	domain->id = id;
	domain->limits = id == 0 ? &trusted_limits : &domain_limits;
	domain->socket_path = g_strdup(socket_path);
	domain->listen_fd = domain->epoll_fd = -1;
	domain->region.writable_fd = domain->region.read_only_fd = -1;
	broker->fds_used += FDS_PER_DOMAIN;
	r = domain_open(domain, region_bytes);
	if (r < 0) {
		domain_free(domain);
		return r;
	}
	*ret = domain;
	return 0;
}

/* Who is no superuser can give the socket to nobody else, and then all domains are one user. */
static int
give_socket(const char *path, uid_t uid, gid_t gid)
{
	if (lchown(path, uid, gid) < 0 && (errno != EPERM || geteuid() == 0))
		return -errno;
	return 0;
}

int
broker_add(struct broker *broker, uint32_t id, const char *socket_path, uid_t uid, gid_t gid,
    uint64_t region_bytes)
{
	struct domain *domain;
	int r;

	if (id == 0)
		return -EINVAL;
	if (broker_find(broker, id) != NULL)
		return -EEXIST;
	if (g_hash_table_size(broker->domains) > BROKER_MAX_DOMAINS)
		return -ENOSPC;
	if (broker->fds_used + FDS_PER_DOMAIN > broker->fds_max)
		return -ENFILE;
	r = domain_new(broker, id, socket_path, region_bytes, &domain);
	if (r < 0)
		return r;
	r = give_socket(socket_path, uid, gid);
	if (r < 0) {
		domain_free(domain);
		return r;
	}
	g_hash_table_insert(broker->domains, GUINT_TO_POINTER(id), domain);
	return 0;
}

/* Ends what one domain waits for, or may do, with another that is no more. */
static void
forget_peer(struct domain *domain, uint32_t peer)
{
	if (domain->gui_domain == peer)
		domain->gui_domain = 0;
	for (unsigned state = CLIENT_LISTENING; state <= CLIENT_CONNECTING; state++) {
		GList *next;

		for (GList *node = domain->clients[state].head; node != NULL; node = next) {
			struct client *client = node->data;

			next = node->next;
			if (client->peer == peer)
				client_refuse(client, -ENOENT);
		}
	}
}

int
broker_remove(struct broker *broker, uint32_t id)
{
	struct domain *domain = broker_find(broker, id);
	GHashTableIter iter;
	gpointer other;

	if (id == 0)
		return -EINVAL;
	if (domain == NULL)
		return -ENOENT;
	g_hash_table_remove(broker->domains, GUINT_TO_POINTER(id));
	domain_free(domain);
	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, NULL, &other))
		forget_peer(other, id);
	return 0;
}

int
broker_set_gui_domain(struct broker *broker, uint32_t id, uint32_t gui_domain)
{
	struct domain *domain = broker_find(broker, id);

	if (id == 0 || id == gui_domain)
		return -EINVAL;
	if (domain == NULL || broker_find(broker, gui_domain) == NULL)
		return -ENOENT;
	domain->gui_domain = gui_domain;
	return 0;
}

static int
compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

size_t
broker_list(const struct broker *broker, uint32_t *ret)
{
	GHashTableIter iter;
	gpointer key;
	size_t count = 0;

	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		if (key != GUINT_TO_POINTER(0))
			ret[count++] = GPOINTER_TO_UINT(key);
	}
	qsort(ret, count, sizeof(*ret), compare_ids);
	return count;
}

static int
share_socket(const char *path, gid_t group)
{
	if (group == (gid_t)-1)
		return 0;
	if (lchown(path, (uid_t)-1, group) < 0 || chmod(path, 0660) < 0)
		return -errno;
	return 0;
}

int
broker_new(const char *trusted_socket_path, gid_t group, struct broker **ret)
{
	struct broker *broker = g_new0(struct broker, 1);
	struct domain *trusted;
	int r;

	broker->domains = g_hash_table_new(NULL, NULL);
	broker->fds_max = choose_fds_max();
	r = broker->fds_max == 0 ? -EMFILE
				 : domain_new(broker, 0, trusted_socket_path, 0, &trusted);
	if (r == 0) {
		g_hash_table_insert(broker->domains, GUINT_TO_POINTER(0), trusted);
		r = share_socket(trusted_socket_path, group);
	}
	if (r < 0) {
		broker_free(broker);
		return r;
	}
	*ret = broker;
	return 0;
}

void
broker_free(struct broker *broker)
{
	GHashTableIter iter;
	gpointer domain;

	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, NULL, &domain)) {
		g_hash_table_iter_remove(&iter);
		domain_free(domain);
	}
	g_hash_table_destroy(broker->domains);
	g_free(broker);
}
