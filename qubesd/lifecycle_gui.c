/*
 * Which domain shows the windows of a running qube. It is told at the start (guest.conf) and again
 * when it changes: the GUI domain starts after its qubes, starts again under another number, or the
 * property is set. Each time the broker learns who may read the qube's region from now on
 * (lifecycle_reach.c), and here the qube, through the service bordure.SetGuiDomain, whom it listens for.
 *
 * The qube answers when it likes: one call a qube at a time, ended after TELL_LIMIT_S seconds. Whether it does
 * what it is told is its own matter; the broker decides who gets at its windows.
 */
#include "qubesd/lifecycle_run.h"
#include "shared/guest_conf.h"
#include "shared/log.h"
#include "shared/orphan.h"
#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TELL_LIMIT_S 30

struct run_gui {
	struct run *run; /* borrowed */
	int64_t told;    /* what the qube knows */
	int64_t telling; /* what the call says */
	GPid call;       /* qrexec-client; 0: none */
	guint watch, limit;
};

int64_t
run_gui_for_guest(const struct domain *domain)
{
	const char *gui = domain_feature(domain, FEATURE_TEMPLATE, "gui");
	const struct domain *guivm = domain_reference(domain, PROPERTY_GUIVM);
	int64_t xid;

	if (guivm == NULL || guivm == domain || (gui != NULL && gui[0] == '\0'))
		return RUN_GUI_NONE;
	xid = domain_xid(guivm);
	return xid >= 0 ? xid : GUEST_CONF_GUI_LATER;
}

void
run_gui_told(struct run *run, int64_t gui_domain)
{
	if (run->gui == NULL)
		run->gui = g_new0(struct run_gui, 1);
	run->gui->run = run;
	run->gui->told = gui_domain;
}

void
run_gui_free(struct run_gui *gui)
{
	if (gui == NULL)
		return;
	g_clear_handle_id(&gui->watch, g_source_remove);
	g_clear_handle_id(&gui->limit, g_source_remove);
	if (gui->call != 0)
		orphan_leave(gui->call, SIGTERM);
	g_free(gui);
}

/* --- the qube ------------------------------------------------------------------------------- */

static void tell(struct run_gui *gui);

static void
on_call_ended(GPid pid, gint status, gpointer data)
{
	struct run_gui *gui = data;

	g_spawn_close_pid(pid);
	gui->call = 0;
	gui->watch = 0;
	g_clear_handle_id(&gui->limit, g_source_remove);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		gui->told = gui->telling;
	else
		log_warn(
		    "%s could not be told its GUI domain: it shows no windows before it starts "
		    "again",
		    domain_name(gui->run->domain));
	if (run_gui_for_guest(gui->run->domain) != gui->telling)
		tell(gui); /* it changed meanwhile */
}

static gboolean
on_limit(gpointer data)
{
	struct run_gui *gui = data;

	gui->limit = 0;
	kill(gui->call, SIGKILL);
	return G_SOURCE_REMOVE;
}

/* A pipe to read the number from. Returns a descriptor or a negative errno. */
static int
number_fd(int64_t gui_domain)
{
	g_autofree char *line =
	    gui_domain >= 0 ? g_strdup_printf("%" PRId64 "\n", gui_domain) : g_strdup("none\n");
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	if (write(fds[1], line, strlen(line)) < 0) { /* a few bytes into an empty pipe */
		close(fds[0]);
		fds[0] = -errno;
	}
	close(fds[1]);
	return fds[0];
}

static char **
environment_of(const struct run *run)
{
	const char *vchan = hypervisor_vchan(run->hypervisor);
	char **environment = g_get_environ();

	return vchan != NULL ? g_environ_setenv(environment, "QUBES_VCHAN", vchan, TRUE)
			     : environment;
}

static void
tell(struct run_gui *gui)
{
	struct run *run = gui->run;
	g_autofree char *program = path_program("qrexec-client");
	const char *const argv[] = {program, "-d", domain_name(run->domain),
	    "DEFAULT:QUBESRPC bordure.SetGuiDomain dom0", NULL};
	g_auto(GStrv) environment = environment_of(run);
	g_autoptr(GError) error = NULL;
	int in = number_fd(run_gui_for_guest(run->domain));

	gui->telling = run_gui_for_guest(run->domain);
	if (in < 0 ||
	    !g_spawn_async_with_pipes_and_fds(NULL, argv, (const char *const *)environment,
		G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, in, -1, -1,
		NULL, NULL, 0, &gui->call, NULL, NULL, NULL, &error)) {
		log_warn("%s cannot be told its GUI domain: %s", domain_name(run->domain),
		    error != NULL ? error->message : g_strerror(-in));
		gui->call = 0;
	} else {
		gui->watch = g_child_watch_add(gui->call, on_call_ended, gui);
		gui->limit = g_timeout_add_seconds(TELL_LIMIT_S, on_limit, gui);
	}
	if (in >= 0)
		close(in);
}

/* --- what happens --------------------------------------------------------------------------- */

static void
update(struct run *run)
{
	if (run->gui == NULL) /* adopted: nobody knows what it was told */
		run_gui_told(run, RUN_GUI_UNKNOWN);
	if (run->phase != RUN_RUNNING || run->gui->told == run_gui_for_guest(run->domain) ||
	    run->gui->call != 0)
		return;
	/* Where there is nobody new the old one's end is enough. */
	if (run_gui_for_guest(run->domain) != GUEST_CONF_GUI_LATER)
		tell(run->gui);
}

static void
update_clients(struct lifecycle *lifecycle, const struct domain *gui_domain)
{
	GHashTableIter iter;
	struct run *run;

	g_hash_table_iter_init(&iter, lifecycle->runs);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&run))
		if (run->spawned && domain_reference(run->domain, PROPERTY_GUIVM) == gui_domain)
			update(run);
}

static const struct {
	const char *event;
	bool clients; /* it concerns the qubes whose GUI domain the subject is */
} events[] = {
    {"domain-spawn", true},
    {"domain-start", false},
    {"domain-unpaused", false},
    {"property-set:guivm", false},
    {"property-reset:guivm", false},
    {"property-del:guivm", false},
};

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	struct lifecycle *lifecycle = data;
	struct run *run;

	(void)error;
	for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
		if (event->subject == NULL || strcmp(event->name, events[i].event) != 0)
			continue;
		run = run_find(lifecycle, event->subject);
		if (events[i].clients)
			update_clients(lifecycle, event->subject);
		else if (run != NULL && run->spawned)
			update(run);
	}
	return true;
}

void
lifecycle_gui_follow(struct lifecycle *lifecycle)
{
	event_add_handler(lifecycle->app, EVENT_ORDER_LIFECYCLE, on_event, lifecycle);
}
