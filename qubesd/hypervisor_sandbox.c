/*
 * Sandboxes on this kernel: bordure-sandbox makes them (sandbox_qube.h), this tells it what to make
 * and answers for it.
 */
#include "qubesd/sandbox/cgroup.h"
#include "qubesd/sandbox/pidns.h"
#include "qubesd/sandbox_qube.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct sandboxes *
sandboxes_of(const struct hypervisor *hypervisor)
{
	return (struct sandboxes *)hypervisor;
}

static struct sandbox_qube *
find(const struct hypervisor *hypervisor, const char *uuid)
{
	return g_hash_table_lookup(sandboxes_of(hypervisor)->qubes, uuid);
}

/* --- start ---------------------------------------------------------------------------------- */

static void
add(GPtrArray *argv, const char *option, const char *value)
{
	/* One word, so that no value is ever taken for an option. */
	g_ptr_array_add(argv, g_strdup_printf("%s=%s", option, value));
}

static void
add_number(GPtrArray *argv, const char *option, int64_t value)
{
	g_autofree char *text = g_strdup_printf("%" PRId64, value);

	add(argv, option, text);
}

/* Where usr lies: in the template's folder, in the qube's own one, or it is the host's. */
static char *
root_of(const struct hypervisor_qube *qube)
{
	g_autofree char *templates = path_in_state_dir("vm-templates");
	g_autofree char *folder = qube->template_name[0] != '\0'
				      ? g_build_filename(templates, qube->template_name, NULL)
				      : g_path_get_dirname(qube->private_dir);
	g_autofree char *usr = g_build_filename(folder, "usr", NULL);

	return g_strdup(g_file_test(usr, G_FILE_TEST_IS_DIR) ? folder : "/");
}

static GPtrArray *
arguments_of(const struct hypervisor_qube *qube)
{
	GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *root = root_of(qube);

	g_ptr_array_add(argv, g_strdup("start"));
	add_number(argv, "--status-fd", SANDBOX_STATUS_FD);
	add(argv, "--name", qube->name);
	add(argv, "--uuid", qube->uuid);
	add(argv, "--class", qube->klass);
	add(argv, "--user", qube->default_user);
	add(argv, "--keyboard-layout", qube->keyboard_layout);
	add(argv, "--private", qube->private_dir);
	add(argv, "--root", root);
	add_number(argv, "--qid", qube->qid);
	add_number(argv, "--xid", qube->xid);
	add_number(argv, "--memory", MAX(qube->memory_mib, qube->maxmem_mib));
	add(argv, "--services", qube->services);
	if (qube->gui_domain != -1)
		add_number(argv, "--gui-domain", qube->gui_domain);
	if (qube->private_source != NULL)
		add(argv, "--private-source", qube->private_source);
	if (!qube->private_keep)
		g_ptr_array_add(argv, g_strdup("--discard"));
	if (qube->debug)
		g_ptr_array_add(argv, g_strdup("--debug"));
	return argv;
}

static void
sandbox_start(struct hypervisor *hypervisor, const struct hypervisor_qube *qube,
    hypervisor_done done, void *data)
{
	struct sandboxes *sandboxes = sandboxes_of(hypervisor);
	struct sandbox_qube *before = find(hypervisor, qube->uuid);
	struct sandbox_launch *launch;

	if (before != NULL && (before->state != HYPERVISOR_DYING || before->next != NULL)) {
		hypervisor_answer_later(done, "it runs already", -1, data);
		return;
	}
	launch = g_new0(struct sandbox_launch, 1);
	launch->argv = arguments_of(qube);
	if (!sandboxes->tried)
		g_ptr_array_add(launch->argv, g_strdup("--try"));
	launch->xid = qube->xid;
	launch->done = done;
	launch->data = data;
	if (before != NULL)
		before->next = launch;
	else
		sandbox_qube_launch(sandboxes, qube->uuid, launch);
}

/* --- while it runs -------------------------------------------------------------------------- */

/* qube is there when r is 0. */
static void
answer(const struct sandbox_qube *qube, int r, hypervisor_done done, void *data)
{
	if (r < 0)
		hypervisor_answer_later(done, g_strerror(-r), -1, data);
	else
		hypervisor_answer_later(done, NULL, qube->xid, data);
}

static void
sandbox_shutdown(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);
	int r = qube != NULL ? sandbox_qube_signal(qube, SIGTERM) : -ESRCH;

	if (r == 0)
		sandbox_qube_change_state(qube, HYPERVISOR_HALTING);
	answer(qube, r, done, data);
}

static void
sandbox_kill(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);
	struct sandbox_waiter waiter = {done, data};
	int r = qube != NULL ? sandbox_qube_signal(qube, SIGKILL) : -ESRCH;

	if (r < 0) {
		hypervisor_answer_later(done, g_strerror(-r), -1, data);
		return;
	}
	sandbox_qube_thaw(qube); /* a frozen process dies only when it thaws */
	g_array_append_val(qube->kills, waiter);
	sandbox_qube_change_state(qube, HYPERVISOR_DYING);
}

static void
sandbox_pause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);
	int r = -ESRCH;

	if (qube != NULL && qube->state == HYPERVISOR_RUNNING)
		r = sandbox_qube_freeze(qube);
	if (r == 0)
		sandbox_qube_change_state(qube, HYPERVISOR_PAUSED);
	answer(qube, r, done, data);
}

static void
sandbox_unpause(struct hypervisor *hypervisor, const char *uuid, hypervisor_done done, void *data)
{
	struct sandbox_qube *qube = find(hypervisor, uuid);

	if (qube == NULL || qube->state != HYPERVISOR_PAUSED) {
		hypervisor_answer_later(done, "it is not paused", -1, data);
		return;
	}
	sandbox_qube_thaw(qube);
	sandbox_qube_change_state(qube, HYPERVISOR_RUNNING);
	hypervisor_answer_later(done, NULL, qube->xid, data);
}

static enum hypervisor_state
sandbox_state(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->state : HYPERVISOR_HALTED;
}

static bool
sandbox_uses_xid(const struct hypervisor *hypervisor, uint32_t xid)
{
	return sandbox_has_xid(sandboxes_of(hypervisor), xid);
}

static int64_t
sandbox_xid(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	return qube != NULL && qube->state != HYPERVISOR_HALTED ? (int64_t)qube->xid : -1;
}

static int64_t
sandbox_started_us(const struct hypervisor *hypervisor, const char *uuid)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	return qube != NULL ? qube->facts.started_us : 0;
}

static void
sandbox_usage(struct hypervisor *hypervisor, const char *uuid, struct hypervisor_usage *ret)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);
	uint64_t memory_kib = 0, cpu_ns = 0;

	if (qube == NULL || qube->facts.init.pid == 0)
		return;
	if (!cgroup_memory_kib(qube->facts.cgroups, &memory_kib) ||
	    !cgroup_cpu_ns(qube->facts.cgroups, &cpu_ns))
		(void)pidns_usage(qube->facts.init.pid, &memory_kib, &cpu_ns);
	ret->memory_kib = memory_kib;
	ret->memory_max_kib = qube->facts.memory_mib * UINT64_C(1024);
	ret->cputime_ns = cpu_ns;
}

/* --- life across a restart ------------------------------------------------------------------ */

static bool
sandbox_adopt(struct hypervisor *hypervisor, const char *uuid, const char *name)
{
	const struct sandbox_qube *qube = find(hypervisor, uuid);

	if (qube == NULL || qube->state == HYPERVISOR_DYING)
		return false;
	if (strcmp(qube->facts.name, name) != 0)
		log_warn("sandbox %u was started as %s and is %s now", qube->xid, qube->facts.name,
		    name);
	return true;
}

static void
take_over_all(struct sandboxes *sandboxes)
{
	g_autoptr(GArray) xids = sandbox_state_list();

	for (guint i = 0; i < xids->len; i++)
		sandbox_qube_take_over(sandboxes, g_array_index(xids, uint32_t, i));
}

static void
sandbox_free(struct hypervisor *hypervisor)
{
	struct sandboxes *sandboxes = sandboxes_of(hypervisor);

	g_hash_table_unref(sandboxes->qubes);
	hypervisor_fini(hypervisor);
	g_free(sandboxes);
}

static const struct hypervisor_ops ops = {
    .free = sandbox_free,
    .start = sandbox_start,
    .shutdown = sandbox_shutdown,
    .kill = sandbox_kill,
    .pause = sandbox_pause,
    .unpause = sandbox_unpause,
    .state = sandbox_state,
    .has_xid = sandbox_uses_xid,
    .xid = sandbox_xid,
    .started_us = sandbox_started_us,
    .adopt = sandbox_adopt,
    .usage = sandbox_usage,
};

/* bordure-sandbox tries one, and says what to change. Waits for it. */
static int
check(char **ret_error)
{
	g_autofree char *program = path_program("bordure-sandbox");
	const char *argv[] = {program, "check", NULL};
	g_autofree char *said = NULL;
	g_autoptr(GError) error = NULL;
	int status;

	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &said, NULL,
		&status, &error)) {
		*ret_error = g_strdup(error->message);
		return -ENOENT;
	}
	if (g_spawn_check_wait_status(status, NULL))
		return 0;
	*ret_error = g_strdup(g_strchomp(said));
	return -EPERM;
}

int
hypervisor_sandbox_new(const char *kind, hypervisor_event on_event, void *data,
    struct hypervisor **ret, char **ret_error)
{
	g_autofree char *socket_path = path_in_runtime_dir("vchan.sock");
	/* When a feature asks for the first sandbox later on, nobody can wait: its start tries first. */
	bool can_wait = g_main_depth() == 0;
	struct sandboxes *sandboxes;
	int r = can_wait ? check(ret_error) : 0;

	if (r < 0)
		return r;
	if (geteuid() != 0)
		log_info("all sandboxes share the uid of this user, %d: started as root, each "
			 "would have its own",
		    (int)geteuid());
	sandboxes = g_new0(struct sandboxes, 1);
	hypervisor_init(&sandboxes->base, &ops, kind, on_event, data);
	sandboxes->tried = can_wait;
	sandboxes->base.has_vchan = true;
	sandboxes->base.vchan = g_strconcat("broker:", socket_path, NULL);
	sandboxes->qubes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, sandbox_qube_free);
	take_over_all(sandboxes);
	*ret = &sandboxes->base;
	return 0;
}
