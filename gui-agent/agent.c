#include "gui-agent/agent.h"

#include "gui-agent/dispatch.h"
#include "gui-agent/gui_domain.h"
#include "gui-agent/screen.h"
#include "gui-agent/session.h"
#include "gui-agent/status.h"
#include "gui-agent/xserver.h"
#include "shared/log.h"

#include <errno.h>
#include <inttypes.h>

#define EXIT_X_SERVER 1
#define EXIT_PROTOCOL 2
#define LEAST_SCREEN 64
#define MOST_SCREEN 16384

struct agent {
	const struct agent_options *options; /* borrowed */
	void (*on_end)(int exit_status, void *data);
	void *data;
	struct gui_domain *gui_domain; /* owned */
	struct link *link;             /* owned */
	unsigned width, height;        /* of the screen of the last daemon */
	struct xserver *server;        /* owned; NULL: not ours, or not started */
	struct display *display;       /* owned; NULL: not yet; and so all that follows */
	GSource *source;               /* owned */
	struct region *region;         /* owned; NULL: no pictures */
	struct surface_export *export; /* owned */
	struct focus *focus;           /* owned */
	struct inject *inject;         /* owned */
	struct xwatch *watch;          /* owned */
	struct session *session;       /* owned; NULL with a display that is not ours */
	struct window_env env;
	struct dispatch_targets targets;
};

/* --- the X server talks -------------------------------------------------------------------- */

static void
on_x_event(XEvent *event, void *data)
{
	struct agent *agent = data;

	if (event->type == PropertyNotify && event->xproperty.window == agent->display->own)
		focus_on_time(agent->focus, event->xproperty.time);
	else if (event->type == MappingNotify || event->type == agent->display->xkb_event)
		inject_on_event(agent->inject, event);
	else if (event->type == agent->display->randr_event)
		screen_on_event(agent->display, event);
	else
		xwatch_on_event(agent->watch, event);
}

static bool
has_captured(void *data)
{
	struct agent *agent = data;

	return surface_export_has_result(agent->export);
}

static void
on_x_turn_end(void *data)
{
	struct agent *agent = data;

	xwatch_on_turn_end(agent->watch);
	surface_export_finish(agent->export);
	surface_export_start(agent->export);
	link_flush(agent->link);
	display_source_set_paused(agent->source, link_is_congested(agent->link));
}

static const struct display_handler display_handler = {
    .on_event = on_x_event,
    .has_more = has_captured,
    .on_turn_end = on_x_turn_end,
};

/* --- the X server comes -------------------------------------------------------------------- */

static void
open_region(struct agent *agent)
{
	int r = region_open_own(NULL, &agent->region);

	if (r < 0)
		log_warn("no memory region, windows will be empty: %s", g_strerror(-r));
}

static int
open_display(struct agent *agent, const char *name)
{
	int r;

	r = display_open(name, &agent->display);
	if (r < 0) {
		log_error("X server %s: %s", name, g_strerror(-r));
		return r;
	}
	open_region(agent);
	r = surface_export_new(agent->display, agent->link, agent->region, &agent->export);
	if (r < 0)
		return r;
	agent->env = (struct window_env){agent->display, agent->link, agent->export};
	agent->focus = focus_new(agent->display);
	agent->inject = inject_new(agent->display, agent->options->locks_only);
	agent->watch = xwatch_new(&agent->env, agent->focus, agent->options->manual_redirect);
	agent->targets =
	    (struct dispatch_targets){agent->link, agent->watch, agent->focus, agent->inject};
	agent->source = display_source_new(agent->display, &display_handler, agent);
	g_source_attach(agent->source, NULL);
	return 0;
}

/* Tells a daemon what there is; from now on it is heard. */
static void
welcome(struct agent *agent)
{
	screen_fit(agent->display, agent->width, agent->height);
	xwatch_replay(agent->watch);
	link_flush(agent->link);
	link_set_reading(agent->link, true);
	status_write("connected");
}

static void
on_server_ready(const char *display, void *data)
{
	struct agent *agent = data;

	log_info("X server %s, %ux%u", display, agent->width, agent->height);
	if (open_display(agent, display) < 0) {
		agent->on_end(EXIT_X_SERVER, agent->data);
		return;
	}
	agent->session = session_new(display, agent->options->layout);
	if (link_is_connected(agent->link))
		welcome(agent);
}

static void
on_server_end(void *data)
{
	struct agent *agent = data;

	agent->on_end(EXIT_X_SERVER, agent->data);
}

static const struct xserver_handler xserver_handler = {
    .on_ready = on_server_ready,
    .on_end = on_server_end,
};

static void
start_server(struct agent *agent)
{
	int r = xserver_start(agent->width, agent->height, &xserver_handler, agent, &agent->server);

	if (r == 0)
		return;
	if (r == -ENOENT)
		log_error("this qube's template has no Xvfb: install the package xvfb there");
	else
		log_error("cannot start Xvfb: %s", g_strerror(-r));
	agent->on_end(EXIT_X_SERVER, agent->data);
}

/* --- the daemon ---------------------------------------------------------------------------- */

static void
on_connected(const struct gui_xconf *xconf, void *data)
{
	struct agent *agent = data;

	agent->width = CLAMP(xconf->width, LEAST_SCREEN, MOST_SCREEN);
	agent->height = CLAMP(xconf->height, LEAST_SCREEN, MOST_SCREEN);
	log_info("a GUI daemon speaks version %u.%u", link_version(agent->link) >> 16,
	    link_version(agent->link) & 0xffff);
	if (agent->display != NULL)
		welcome(agent);
	else if (agent->server == NULL)
		start_server(agent);
}

static int
on_packet(const struct gui_packet *packet, void *data)
{
	struct agent *agent = data;

	return dispatch_packet(&agent->targets, packet);
}

static void
on_disconnected(void *data)
{
	struct agent *agent = data;

	log_info("the GUI daemon has gone");
	status_write("started");
	if (agent->display == NULL)
		return;
	inject_release_all(agent->inject);
	xwatch_forget_daemon(agent->watch);
	display_source_set_paused(agent->source, false);
}

static void
on_room(void *data)
{
	struct agent *agent = data;

	if (agent->display == NULL)
		return;
	display_source_set_paused(agent->source, false);
	surface_export_start(agent->export);
}

static void
on_protocol_error(void *data)
{
	struct agent *agent = data;

	log_error("the GUI daemon speaks another protocol");
	agent->on_end(EXIT_PROTOCOL, agent->data);
}

static const struct link_handler link_handler = {
    .on_connected = on_connected,
    .on_packet = on_packet,
    .on_disconnected = on_disconnected,
    .on_room = on_room,
    .on_protocol_error = on_protocol_error,
};

static void
on_gui_domain(int64_t domain, void *data)
{
	struct agent *agent = data;

	log_info("the GUI domain is %" PRId64 " now", domain);
	link_set_gui_domain(agent->link, domain);
}

/* --- life ---------------------------------------------------------------------------------- */

int
agent_new(const struct agent_options *options, void (*on_end)(int exit_status, void *data),
    void *data, struct agent **ret)
{
	struct agent *agent = g_new0(struct agent, 1);
	int r;

	agent->options = options;
	agent->on_end = on_end;
	agent->data = data;
	status_write("starting");
	agent->gui_domain = gui_domain_watch(on_gui_domain, agent);
	r = link_new(options->gui_domain, &link_handler, agent, &agent->link);
	if (r < 0)
		log_error("cannot listen for the GUI daemon of domain %" PRId64 ": %s",
		    options->gui_domain, g_strerror(-r));
	else if (options->display != NULL)
		r = open_display(agent, options->display);
	if (r < 0) {
		agent_free(agent);
		return r;
	}
	status_write("started");
	*ret = agent;
	return 0;
}

static void
close_display(struct agent *agent)
{
	if (agent->source != NULL) {
		g_source_destroy(agent->source);
		g_source_unref(agent->source);
	}
	xwatch_free(agent->watch);
	inject_free(agent->inject);
	focus_free(agent->focus);
	surface_export_free(agent->export);
	region_free(agent->region);
	display_close(agent->display);
}

void
agent_free(struct agent *agent)
{
	if (agent == NULL)
		return;
	session_free(agent->session);
	close_display(agent);
	xserver_free(agent->server);
	gui_domain_unwatch(agent->gui_domain);
	link_free(agent->link);
	status_remove();
	g_free(agent);
}
