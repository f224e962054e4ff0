#include "qubesd/hypervisor.h"
#include "qubesd/hypervisor_ops.h"

#include <errno.h>
#include <string.h>

/* A kind is a word of its own, or everything that looks like a URI. */
static const struct {
	const char *pattern;
	int (*new)(const char *kind, hypervisor_event on_event, void *data, struct hypervisor **ret,
	    char **ret_error);
} kinds[] = {
    {"sandbox", hypervisor_sandbox_new},
    {"*:/*", hypervisor_libvirt_new},
};

int
hypervisor_new(const char *kind, hypervisor_event on_event, void *data, struct hypervisor **ret,
    char **ret_error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (g_pattern_match_simple(kinds[i].pattern, kind))
			return kinds[i].new(kind, on_event, data, ret, ret_error);
	*ret_error = g_strdup("there is no such hypervisor: say \"sandbox\", or a libvirt URI such "
			      "as qemu:///system");
	return -EINVAL;
}

void
hypervisor_init(struct hypervisor *hypervisor, const struct hypervisor_ops *ops, const char *kind,
    hypervisor_event on_event, void *data)
{
	hypervisor->ops = ops;
	hypervisor->kind = g_strdup(kind);
	hypervisor->on_event = on_event;
	hypervisor->data = data;
}

void
hypervisor_fini(struct hypervisor *hypervisor)
{
	g_clear_pointer(&hypervisor->kind, g_free);
	g_clear_pointer(&hypervisor->vchan, g_free);
}

void
hypervisor_free(struct hypervisor *hypervisor)
{
	if (hypervisor != NULL)
		hypervisor->ops->free(hypervisor);
}

const char *
hypervisor_kind(const struct hypervisor *hypervisor)
{
	return hypervisor->kind;
}

bool
hypervisor_has_vchan(const struct hypervisor *hypervisor)
{
	return hypervisor->has_vchan;
}

const char *
hypervisor_vchan(const struct hypervisor *hypervisor)
{
	return hypervisor->vchan;
}

void
hypervisor_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	hypervisor->ops->start(hypervisor, qube, done, data);
}

void
hypervisor_shutdown(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	hypervisor->ops->shutdown(hypervisor, uuid, done, data);
}

void
hypervisor_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	hypervisor->ops->kill(hypervisor, uuid, done, data);
}

void
hypervisor_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	hypervisor->ops->pause(hypervisor, uuid, done, data);
}

void
hypervisor_unpause(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	hypervisor->ops->unpause(hypervisor, uuid, done, data);
}

enum hypervisor_state
hypervisor_state(const struct hypervisor *hypervisor, const char *uuid)
{
	return hypervisor->ops->state(hypervisor, uuid);
}

bool
hypervisor_has_xid(const struct hypervisor *hypervisor, uint32_t xid)
{
	return hypervisor->ops->has_xid(hypervisor, xid);
}

int64_t
hypervisor_xid(const struct hypervisor *hypervisor, const char *uuid)
{
	return hypervisor->ops->xid(hypervisor, uuid);
}

int64_t
hypervisor_started_us(const struct hypervisor *hypervisor, const char *uuid)
{
	return hypervisor->ops->started_us(hypervisor, uuid);
}

bool
hypervisor_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name)
{
	return hypervisor->ops->adopt(hypervisor, uuid, name);
}

void
hypervisor_usage(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret)
{
	memset(ret, 0, sizeof(*ret));
	hypervisor->ops->usage(hypervisor, uuid, ret);
}

struct answer {
	hypervisor_done done;
	char *error; /* owned */
	int64_t xid;
	void *data;
};

static gboolean
on_answer(gpointer data)
{
	struct answer *answer = data;

	answer->done(answer->error, answer->xid, answer->data);
	g_free(answer->error);
	g_free(answer);
	return G_SOURCE_REMOVE;
}

void
hypervisor_answer_later(hypervisor_done done, const char *error, int64_t xid, void *data)
{
	struct answer *answer = g_new0(struct answer, 1);

	answer->done = done;
	answer->error = g_strdup(error);
	answer->xid = xid;
	answer->data = data;
	g_idle_add(on_answer, answer);
}

void
hypervisor_distrust(struct hypervisor *hypervisor, const char *uuid)
{
	if (hypervisor->ops->distrust != NULL)
		hypervisor->ops->distrust(hypervisor, uuid);
}
