#include "tests/unit/hypervisor_double.h"

#include <string.h>

struct hypervisor {
	char *kind;
	hypervisor_event on_event;
	void *data;
	char *uuid; /* of the qube it was called for last */
};

struct hypervisor_double hypervisor_double;
static struct hypervisor *last; /* made, or called */

void
hypervisor_double_reset(void)
{
	struct hypervisor_double *d = &hypervisor_double;

	if (d->calls != NULL)
		g_string_free(d->calls, TRUE);
	g_free(d->name);
	g_free(d->private_dir);
	g_free(d->private_source);
	g_free(d->template_name);
	g_free(d->disks);
	memset(d, 0, sizeof(*d));
	d->calls = g_string_new(NULL);
}

int
hypervisor_new(const char *kind, hypervisor_event on_event, void *data, struct hypervisor **ret,
    char **ret_error)
{
	if (strcmp(kind, "xen:///") == 0 || g_strcmp0(kind, hypervisor_double.missing_kind) == 0) {
		*ret_error = g_strdup("it is missing");
		return -1;
	}
	last = g_new0(struct hypervisor, 1);
	last->kind = g_strdup(kind);
	last->on_event = on_event;
	last->data = data;
	*ret = last;
	return 0;
}

void
hypervisor_free(struct hypervisor *hypervisor)
{
	g_free(hypervisor->uuid);
	g_free(hypervisor->kind);
	g_free(hypervisor);
}

const char *
hypervisor_kind(const struct hypervisor *hypervisor)
{
	return hypervisor->kind;
}

bool
hypervisor_has_vchan(const struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return hypervisor_double.has_vchan;
}

const char *
hypervisor_vchan(const struct hypervisor *hypervisor)
{
	(void)hypervisor;
	return hypervisor_double.vchan != NULL ? hypervisor_double.vchan : "socket";
}

static void
called(struct hypervisor *hypervisor, const char *what, const char *uuid, hypervisor_done done,
    void *data)
{
	last = hypervisor;
	g_string_append_printf(hypervisor_double.calls, "%s ", what);
	g_free(hypervisor->uuid);
	hypervisor->uuid = g_strdup(uuid);
	hypervisor_double.done = done;
	hypervisor_double.data = data;
}

static void
replace(char **text, const char *by)
{
	g_free(*text);
	*text = g_strdup(by);
}

void
hypervisor_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	struct hypervisor_double *d = &hypervisor_double;
	g_autoptr(GString) disks = g_string_new(NULL);

	replace(&d->name, qube->name);
	replace(&d->private_dir, qube->private_dir);
	replace(&d->private_source, qube->private_source);
	replace(&d->template_name, qube->template_name);
	for (size_t i = 0; i < qube->volume_count; i++)
		g_string_append_printf(disks, "%s %s %s\n", qube->volumes[i].name,
		    qube->volumes[i].rw ? "rw" : "ro", qube->volumes[i].path);
	replace(&d->disks, disks->str);
	d->private_keep = qube->private_keep;
	d->gui_domain = qube->gui_domain;
	d->xid = qube->xid;
	called(hypervisor, "start", qube->uuid, done, data);
}

void
hypervisor_shutdown(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	called(hypervisor, "shutdown", uuid, done, data);
}

void
hypervisor_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	called(hypervisor, "kill", uuid, done, data);
}

void
hypervisor_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	called(hypervisor, "pause", uuid, done, data);
}

void
hypervisor_unpause(
    struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	called(hypervisor, "unpause", uuid, done, data);
}

enum hypervisor_state
hypervisor_state(const struct hypervisor *hypervisor, const char *uuid)
{
	(void)hypervisor;
	(void)uuid;
	return hypervisor_double.state;
}

bool
hypervisor_has_xid(const struct hypervisor *hypervisor, uint32_t xid)
{
	(void)hypervisor;
	return xid == hypervisor_double.used_xid;
}

/* A number for each UUID, the same each time. */
static int64_t
domain_id_of(const char *uuid)
{
	return g_str_hash(uuid) & 0xfff;
}

int64_t
hypervisor_xid(const struct hypervisor *hypervisor, const char *uuid)
{
	(void)hypervisor;
	if (hypervisor_double.state == HYPERVISOR_HALTED)
		return -1;
	return hypervisor_double.has_own_xids ? domain_id_of(uuid) : 7;
}

int64_t
hypervisor_started_us(const struct hypervisor *hypervisor, const char *uuid)
{
	(void)hypervisor;
	(void)uuid;
	return 1000000;
}

bool
hypervisor_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name)
{
	const char *kind = hypervisor_double.adopts_kind;

	(void)uuid;
	(void)name;
	return hypervisor_double.adopts && (kind == NULL || strcmp(kind, hypervisor->kind) == 0);
}

void
hypervisor_usage(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret)
{
	(void)hypervisor;
	(void)uuid;
	ret->memory_kib = 1;
}

void
hypervisor_double_tell(const char *uuid, enum hypervisor_state state)
{
	hypervisor_double.state = state;
	last->on_event(last, uuid, state, last->data);
}

void
hypervisor_double_answer(const char *error, enum hypervisor_state state)
{
	hypervisor_done done = g_steal_pointer(&hypervisor_double.done);
	g_autofree char *uuid = g_strdup(last->uuid);
	void *data = hypervisor_double.data;

	if (error == NULL)
		hypervisor_double_tell(uuid, state);
	done(error, error == NULL ? 7 : -1, data);
}

void
hypervisor_distrust(struct hypervisor *hypervisor, const char *uuid)
{
	(void)hypervisor;
	(void)uuid;
	hypervisor_double.distrusted++;
}
