#include "shared/vchan/broker.h"

#include "shared/vchan/broker_domain.h"
#include "shared/vchan/broker_machine.h"
#include "shared/vchan/broker_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

void
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
	mux_free(domain->mux);
	broker_region_fini(&domain->region);
	domain->broker->fds_used -= FDS_PER_DOMAIN;
	g_free(domain->socket_path);
	g_free(domain->conf);
	g_free(domain->region_path);
	g_free(domain);
}

struct domain *
domain_new(struct broker *broker, uint32_t id, const char *socket_path)
{
	struct domain *domain = g_new0(struct domain, 1);

	domain->broker = broker;
	domain->id = id;
	domain->limits = id == 0 ? &trusted_limits : &domain_limits;
	domain->socket_path = g_strdup(socket_path);
	domain->listen_fd = domain->epoll_fd = -1;
	domain->region.writable_fd = domain->region.read_only_fd = -1;
	domain->open_vchan = client_meet;
	broker->fds_used += FDS_PER_DOMAIN;
	return domain;
}

/* Who is no superuser can give the socket to nobody else, and then all domains are one user. */
static int
give_socket(const char *path, uid_t uid, gid_t gid)
{
	if (lchown(path, uid, gid) < 0 && (errno != EPERM || geteuid() == 0))
		return -errno;
	return 0;
}

/* Whether there may be one more domain, of this number. */
static int
check_new(const struct broker *broker, uint32_t id)
{
	if (id == 0)
		return -EINVAL;
	if (broker_find(broker, id) != NULL)
		return -EEXIST;
	if (g_hash_table_size(broker->domains) > BROKER_MAX_DOMAINS)
		return -ENOSPC;
	return broker->fds_used + FDS_PER_DOMAIN > broker->fds_max ? -ENFILE : 0;
}

/* The domain is one of the broker's when r is 0; else it is freed. Returns r. */
static int
keep_or_free(struct domain *domain, int r)
{
	if (r < 0)
		domain_free(domain);
	else
		g_hash_table_insert(domain->broker->domains, GUINT_TO_POINTER(domain->id), domain);
	return r;
}

int
broker_add(struct broker *broker, uint32_t id, const char *socket_path, uid_t uid, gid_t gid,
    uint64_t region_bytes)
{
	struct domain *domain;
	int r;

	r = check_new(broker, id);
	if (r < 0)
		return r;
	domain = domain_new(broker, id, socket_path);
	r = region_bytes != 0 ? broker_region_init(&domain->region, region_bytes) : 0;
	if (r == 0)
		r = domain_listen(domain, 0600);
	if (r == 0)
		r = give_socket(socket_path, uid, gid);
	return keep_or_free(domain, r);
}

int
broker_add_machine(struct broker *broker, uint32_t id, const char *port_path,
    const char *region_path, const char *conf)
{
	struct domain *domain;
	int r;

	r = check_new(broker, id);
	if (r < 0)
		return r;
	domain = domain_new(broker, id, NULL);
	r = region_path[0] != '\0' ? broker_region_open(&domain->region, region_path) : 0;
	if (r == 0)
		r = domain_add_port(domain, port_path, conf);
	return keep_or_free(domain, r);
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
broker_new_empty(struct broker **ret)
{
	struct broker *broker;
	unsigned fds_max = choose_fds_max();

	if (fds_max == 0)
		return -EMFILE;
	broker = g_new0(struct broker, 1);
	broker->domains = g_hash_table_new(NULL, NULL);
	broker->fds_max = fds_max;
	*ret = broker;
	return 0;
}

int
broker_new(const char *trusted_socket_path, gid_t group, struct broker **ret)
{
	struct broker *broker;
	struct domain *trusted;
	int r;

	r = broker_new_empty(&broker);
	if (r < 0)
		return r;
	trusted = domain_new(broker, 0, trusted_socket_path);
	r = keep_or_free(trusted, domain_listen(trusted, 0600));
	if (r == 0)
		r = share_socket(trusted_socket_path, group);
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

	if (broker == NULL)
		return;
	g_hash_table_iter_init(&iter, broker->domains);
	while (g_hash_table_iter_next(&iter, NULL, &domain)) {
		g_hash_table_iter_remove(&iter);
		domain_free(domain);
	}
	g_hash_table_destroy(broker->domains);
	g_free(broker);
}
