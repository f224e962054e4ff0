/*
 * Qubes as libvirt domains. Every call of libvirt happens in a thread (libvirt_work.h); the main
 * loop keeps what it last heard (libvirt_jobs.c) and never waits.
 */
#include "qubesd/libvirt_maker.h"
#include "qubesd/libvirt_making.h"
#include "qubesd/libvirt_work.h"
#include "qubesd/libvirt_worker.h"
#include "qubesd/machine.h"
#include "qubesd/region_bytes.h"
#include "qubesd/region_file.h"
#include "qubesd/saved_machine.h"
#include "shared/guest_conf.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/unix_socket.h"

#include <errno.h>
#include <string.h>

#define KERNEL_LINE_MAX 2047 /* characters that a Linux of this machine keeps */
#define CONNECT_TIMEOUT_S 15 /* for the first connection, which qubesd waits for */

/* --- on the main loop ----------------------------------------------------------------------- */

static struct libvirt *
libvirt_of(const struct hypervisor *hypervisor)
{
	return (struct libvirt *)hypervisor;
}

/* NULL: it is halted. */
static struct libvirt_qube *
find(const struct hypervisor *hypervisor, const char *uuid)
{
	struct libvirt_qube *qube = g_hash_table_lookup(libvirt_of(hypervisor)->qubes, uuid);

	return qube != NULL && qube->state != HYPERVISOR_HALTED ? qube : NULL;
}

static struct libvirt_job *
job_new(struct hypervisor *hypervisor, const char *uuid, void (*work)(struct libvirt_job *job),
    hypervisor_done done, void *data)
{
	struct libvirt_job *job = libvirt_job_new(libvirt_of(hypervisor), work);

	job->uuid = g_strdup(uuid);
	job->done = done;
	job->data = data;
	return job;
}

static void
call(struct hypervisor *hypervisor, const char *uuid, void (*work)(struct libvirt_job *job),
    hypervisor_done done, void *data)
{
	libvirt_job_post(job_new(hypervisor, uuid, work, done, data));
}

/* --- starting ------------------------------------------------------------------------------- */

/* What the guest is told. -EINVAL with *ret_error. */
static int
format_conf(const struct hypervisor_qube *qube, uint32_t xid, char **ret, char **ret_error)
{
	struct guest_conf_facts facts = {
	    .name = qube->name,
	    .uuid = qube->uuid,
	    .type = qube->klass,
	    .default_user = qube->default_user,
	    .keyboard_layout = qube->keyboard_layout,
	    .xid = xid,
	    .gui_domain = qube->gui_domain,
	    .services = qube->services,
	    .debug = qube->debug,
	    .privileged = true, /* a machine has a root of its own */
	};

	if (guest_conf_format(&facts, ret) == 0)
		return 0;
	*ret_error = g_strdup("a value that it is to be told (name, default_user, keyboard_layout) "
			      "cannot be written down");
	return -EINVAL;
}

/* On QEMU the guest learns it over its port, on Xen from a word of its kernel's line. */
static int
prepare_xen(const struct hypervisor_qube *qube, struct libvirt_start *start, char **ret_error)
{
	g_autofree char *conf = NULL, *word = NULL, *line = NULL;
	struct hypervisor_qube told = *qube;
	int r = format_conf(qube, 0, &conf, ret_error);

	if (r < 0)
		return r;
	word = g_base64_encode((const guchar *)conf, strlen(conf));
	line = g_strdup_printf(
	    "%s%sbordure.conf=%s", qube->cmdline, qube->cmdline[0] != '\0' ? " " : "", word);
	if (qube->kernel[0] != '\0')
		told.cmdline = line;
	if (strlen(told.cmdline) > KERNEL_LINE_MAX) {
		*ret_error = g_strdup("its kernelopts are too long");
		return -EINVAL;
	}
	return domain_xml_new(&told, DOMAIN_XML_XEN, NULL, &start->xml, ret_error);
}

static int
prepare_qemu(const struct hypervisor_qube *qube, struct libvirt_start *start, char **ret_error)
{
	g_autofree char *port_path = machine_port_path(qube->xid);
	g_autofree char *console_path = machine_console_path(qube->xid);
	struct domain_xml_machine machine = {
	    .port_path = port_path,
	    .console_path = console_path,
	    .region_bytes = region_bytes(),
	};
	int r = format_conf(qube, qube->xid, &start->conf, ret_error);

	if (r < 0)
		return r;
	if (strlen(console_path) > UNIX_SOCKET_PATH_MAX) {
		*ret_error = g_strdup_printf(
		    "%s is too long for a socket: use a shorter runtime folder", console_path);
		return -ENAMETOOLONG;
	}
	if (qube->has_netvm)
		log_info("%s: it gets no network: a QEMU machine cannot have a network qube yet",
		    qube->name);
	if (qube->kernel[0] == '\0' && qube->volume_count > 0)
		start->boot_disk = g_strdup(qube->volumes[0].path);
	start->region_bytes = machine.region_bytes;
	start->region_name = region_file_draw_name(qube->uuid);
	machine.region_name = start->region_name;
	start->saved = saved_machine_new(qube);
	r = domain_xml_new(qube, DOMAIN_XML_QEMU, &machine, &start->xml, ret_error);
	machine.kvm = true;
	if (r == 0)
		r = domain_xml_new(qube, DOMAIN_XML_QEMU, &machine, &start->xml_kvm, ret_error);
	return r;
}

static int
prepare(const struct libvirt *libvirt, const struct hypervisor_qube *qube,
    struct libvirt_start *start, char **ret_error)
{
	switch (libvirt->driver) {
	case DOMAIN_XML_XEN:
		return prepare_xen(qube, start, ret_error);
	case DOMAIN_XML_QEMU:
		return prepare_qemu(qube, start, ret_error);
	case DOMAIN_XML_TEST:
		break;
	}
	return domain_xml_new(qube, DOMAIN_XML_TEST, NULL, &start->xml, ret_error);
}

static void
libvirt_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	struct libvirt_job *job = job_new(hypervisor, qube->uuid, libvirt_work_start, done, data);
	g_autofree char *error = NULL;

	job->name = g_strdup(qube->name);
	job->our_id = qube->xid;
	job->start = g_new0(struct libvirt_start, 1);
	if (find(hypervisor, qube->uuid) != NULL)
		error = g_strdup("it runs already");
	else
		(void)prepare(job->libvirt, qube, job->start, &error);
	if (error == NULL) {
		if (job->libvirt->maker != NULL)
			libvirt_maker_make_way(job->libvirt->maker);
		libvirt_job_post(job);
		return;
	}
	hypervisor_answer_later(done, error, -1, data);
	libvirt_job_free(job);
}

/* --- while it runs -------------------------------------------------------------------------- */

static void
libvirt_shutdown(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_shutdown, done, data);
}

static void
libvirt_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_kill, done, data);
}

static void
libvirt_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_pause, done, data);
}

static void
libvirt_unpause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	call(hypervisor, uuid, libvirt_work_unpause, done, data);
}

static enum hypervisor_state
libvirt_state(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->state : HYPERVISOR_HALTED;
}

static bool
libvirt_has_xid(const struct hypervisor *hypervisor, uint32_t xid)
{
	GHashTableIter iter;
	struct libvirt_qube *qube;

	g_hash_table_iter_init(&iter, libvirt_of(hypervisor)->qubes);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&qube))
		if (qube->xid == (int64_t)xid)
			return true;
	return false;
}

static int64_t
libvirt_xid(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->xid : -1;
}

static int64_t
libvirt_started_us(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->started_us : 0;
}

static bool
libvirt_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name)
{
	(void)name;
	return find(hypervisor, uuid) != NULL;
}

/* What was heard last; and the next answer is newer. */
static void
libvirt_usage(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret)
{
	const struct libvirt_qube *qube = find(hypervisor, uuid);

	if (qube == NULL)
		return;
	*ret = qube->usage;
	if (!g_hash_table_contains(libvirt_of(hypervisor)->lanes, uuid))
		call(hypervisor, uuid, libvirt_work_look, NULL, NULL);
}

static void
libvirt_distrust(struct hypervisor *hypervisor, const char *uuid)
{
	struct libvirt_maker *maker = libvirt_of(hypervisor)->maker;

	if (maker != NULL)
		libvirt_maker_on_failure(maker, uuid);
}

static void
libvirt_free(struct hypervisor *hypervisor)
{
	struct libvirt *libvirt = libvirt_of(hypervisor);

	libvirt->closed = true;
	g_clear_pointer(&libvirt->maker, libvirt_maker_free);
	g_clear_handle_id(&libvirt->retry, g_source_remove);
	libvirt_job_post(libvirt_job_new(libvirt, libvirt_work_close));
	libvirt_unref(libvirt);
}

static const struct hypervisor_ops ops = {
    .free = libvirt_free,
    .start = libvirt_start,
    .shutdown = libvirt_shutdown,
    .kill = libvirt_kill,
    .pause = libvirt_pause,
    .unpause = libvirt_unpause,
    .state = libvirt_state,
    .has_xid = libvirt_has_xid,
    .xid = libvirt_xid,
    .started_us = libvirt_started_us,
    .adopt = libvirt_adopt,
    .usage = libvirt_usage,
    .distrust = libvirt_distrust,
};

/* --- the first connection: the only one that somebody waits for ----------------------------- */

struct first {
	GMutex mutex;
	GCond done;
	bool is_done;
	gint references;         /* atomic: who waits, and the worker */
	struct libvirt_job *job; /* owned */
};

static void
first_unref(struct first *first)
{
	if (!g_atomic_int_dec_and_test(&first->references))
		return;
	libvirt_job_free(first->job);
	g_mutex_clear(&first->mutex);
	g_cond_clear(&first->done);
	g_free(first);
}

static void
run_first(void *data)
{
	struct first *first = data;

	if (libvirt_work_connect(first->job))
		first->job->work(first->job);
	libvirt_work_disconnect(first->job);
	g_mutex_lock(&first->mutex);
	first->is_done = true;
	g_cond_signal(&first->done);
	g_mutex_unlock(&first->mutex);
	first_unref(first);
}

/* The machines that may be lost are listed before anything can be started. */
static struct libvirt_job *
first_job_new(struct libvirt *libvirt)
{
	struct libvirt_job *job = libvirt_job_new(libvirt, libvirt_work_look_first);

	if (libvirt->driver == DOMAIN_XML_QEMU)
		job->machines = machine_list(libvirt->base.kind);
	return job;
}

/* 0, or -ENOTCONN with *ret_error. */
static int
connect_first(struct libvirt *libvirt, char **ret_error)
{
	gint64 end = g_get_monotonic_time() + CONNECT_TIMEOUT_S * G_TIME_SPAN_SECOND;
	struct first *first = g_new0(struct first, 1);
	bool in_time = true, is_done;
	int r = 0;

	g_mutex_init(&first->mutex);
	g_cond_init(&first->done);
	first->references = 2;
	first->job = first_job_new(libvirt);
	libvirt_worker_run(run_first, first);
	g_mutex_lock(&first->mutex);
	while (in_time && !first->is_done)
		in_time = g_cond_wait_until(&first->done, &first->mutex, end);
	is_done = first->is_done; /* else the job is the worker's from here on */
	g_mutex_unlock(&first->mutex);
	if (!is_done)
		*ret_error =
		    g_strdup_printf("%s does not answer: is libvirtd running?", libvirt->base.kind);
	else if (first->job->error != NULL)
		*ret_error = g_steal_pointer(&first->job->error);
	if (*ret_error != NULL)
		r = -ENOTCONN;
	for (guint i = 0; r == 0 && i < first->job->findings->len; i++)
		libvirt_remember(
		    libvirt, &g_array_index(first->job->findings, struct libvirt_finding, i));
	first_unref(first);
	return r;
}

static void
set_vchan(struct hypervisor *base, enum domain_xml_driver driver)
{
	g_autofree char *socket_path = path_in_runtime_dir("vchan.sock");

	base->has_vchan = driver != DOMAIN_XML_TEST;
	if (driver == DOMAIN_XML_XEN)
		base->vchan = g_strdup("xen");
	else if (driver == DOMAIN_XML_QEMU)
		base->vchan = g_strconcat("broker:", socket_path, NULL);
}

static void
begin_qemu(struct libvirt *libvirt)
{
	static gsize tidied;

	if (g_once_init_enter(&tidied)) {
		libvirt_making_tidy();
		g_once_init_leave(&tidied, 1);
	}
	libvirt->maker = libvirt_maker_new(libvirt);
	libvirt_job_post(libvirt_job_new(libvirt, libvirt_work_try_kvm));
}

int
hypervisor_libvirt_new(const char *kind, hypervisor_event on_event, void *data,
    struct hypervisor **ret, char **ret_error)
{
	enum domain_xml_driver driver = domain_xml_driver_of(kind);
	struct libvirt *libvirt;
	int r;

	if (driver == 0) {
		*ret_error = g_strdup_printf(
		    "no description of a qube is known for %s: use xen, qemu or test", kind);
		return -EINVAL;
	}
	libvirt = g_new0(struct libvirt, 1);
	libvirt->references = 1;
	libvirt->driver = driver;
	libvirt->qubes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	libvirt->lanes = libvirt_lanes_new();
	libvirt->unwanted = g_hash_table_new(g_direct_hash, g_direct_equal);
	libvirt->asked = g_hash_table_new(g_direct_hash, g_direct_equal);
	g_queue_init(&libvirt->idle);
	g_mutex_init(&libvirt->mutex);
	g_mutex_init(&libvirt->kvm_mutex);
	hypervisor_init(&libvirt->base, &ops, kind, on_event, data);
	set_vchan(&libvirt->base, driver);
	*ret_error = NULL;
	if (driver == DOMAIN_XML_QEMU)
		begin_qemu(libvirt);
	if (g_main_depth() > 0) { /* the loop runs: nobody may wait; what runs is told as events */
		libvirt_job_post(first_job_new(libvirt));
		*ret = &libvirt->base;
		return 0;
	}
	r = connect_first(libvirt, ret_error);
	if (r < 0) {
		libvirt_free(&libvirt->base);
		return r;
	}
	*ret = &libvirt->base;
	return 0;
}
