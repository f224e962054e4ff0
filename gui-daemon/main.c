/*
 * qubes-guid - shows the windows of one qube on this desktop, each in the frame of its label.
 *
 * Who talks to it: the GUI agent of one qube, over vchan port 6000, which may send anything at any
 * time; the X server, which is trusted; the window manager and the other clients of the session,
 * which are not believed without a check.
 * What it promises: whatever the agent sends, no window of the qube is ever visible without its
 * frame in the label's colour, no key goes to the qube that was not typed into one of its windows,
 * and nothing but this process is affected. Exit status 0 when asked to end, 1 when something is
 * wrong here, 2 when the agent broke the protocol.
 */
#include "gui-daemon/config.h"
#include "gui-daemon/dispatch.h"
#include "gui-daemon/display.h"
#include "gui-daemon/guest.h"
#include "gui-daemon/instance.h"
#include "gui-daemon/locker.h"
#include "gui-daemon/look.h"
#include "gui-daemon/xevents.h"
#include "shared/log.h"
#include "shared/paths.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_TROUBLE = 1,
	EXIT_PROTOCOL = 2,
};

struct program {
	struct config *config;     /* owned, like all here */
	struct instance *instance; /* NULL when there is no runtime folder */
	struct display *display;
	struct look *look;
	struct display_events display_events;
	struct guest_events guest_events;
	struct guest *guest;
	struct locker *locker;
	GMainLoop *loop;
	int ready_fd; /* to the waiting parent; -1: none */
	bool done;    /* the loop is to end, or not to begin */
	int status;
};

static void
program_quit(struct program *program, int status)
{
	program->status = status;
	program->done = true;
	g_main_loop_quit(program->loop);
}

/* --- callbacks ---------------------------------------------------------------------------- */

static void
on_event(void *data, const xcb_generic_event_t *event)
{
	struct program *program = data;

	locker_on_event(program->locker, event);
	xevents_dispatch(program->guest, event);
}

static void
on_screen_changed(void *data)
{
	struct program *program = data;

	guest_on_screen_changed(program->guest);
}

static void
on_display_lost(void *data)
{
	log_error("the X server is gone");
	program_quit(data, EXIT_TROUBLE);
}

static void
on_lock_changed(void *data, bool is_locked)
{
	struct program *program = data;

	guest_set_locked(program->guest, is_locked);
}

/* The agent is there: whoever waits for that may go on. */
static void
on_connected(void *data)
{
	struct program *program = data;

	if (program->ready_fd >= 0) {
		ssize_t n = write(program->ready_fd, "\n", 1);

		(void)n; /* the parent may have given up */
		close(program->ready_fd);
		program->ready_fd = -1;
	}
	if (program->config->kill_on_connect_pid != 0)
		kill(program->config->kill_on_connect_pid, SIGUSR1);
}

static void
on_guest_end(void *data, int error)
{
	bool is_guests_fault = error == -EPROTO || error == -ENOSPC;

	program_quit(data, is_guests_fault ? EXIT_PROTOCOL : EXIT_TROUBLE);
}

static gboolean
on_terminate(gpointer data)
{
	program_quit(data, EXIT_DONE);
	return G_SOURCE_CONTINUE;
}

static gboolean
on_hangup(gpointer data)
{
	struct program *program = data;

	display_reload(program->display);
	return G_SOURCE_CONTINUE;
}

/* --- start and end ------------------------------------------------------------------------ */

static void
set_log_level(const struct config *config)
{
	log_set_debug(config->log_level >= 2);
}

/* Returns 0, or 1 when this process has nothing more to do; *ret_status is its status then. */
static int
take_instance(struct program *program, int *ret_status)
{
	int r;

	r = instance_new(program->config->domid, &program->instance);
	if (r == -EALREADY) {
		log_info("a daemon for domain %u is running", program->config->domid);
		*ret_status = EXIT_DONE;
		return 1;
	}
	if (r < 0)
		log_warn("no lock in the runtime folder, going on without: %s", strerror(-r));
	return 0;
}

/* As take_instance(). */
static int
go_to_background(struct program *program, int *ret_status)
{
	g_autofree char *name = g_strdup_printf("guid.%s.log", program->config->name);
	g_autofree char *path = path_in_log_dir(name);
	unsigned timeout_s = program->config->background ? 0 : program->config->startup_timeout_s;
	int r;

	r = instance_background(path, timeout_s, &program->ready_fd, ret_status);
	if (r < 0) {
		log_error("going to the background: %s", strerror(-r));
		*ret_status = EXIT_TROUBLE;
		return 1;
	}
	if (r > 0)
		instance_leave_to_child(program->instance);
	return r;
}

static int
open_desktop(struct program *program)
{
	int r;

	r = display_open(NULL, &program->display);
	if (r < 0) {
		log_error("no X display for us at DISPLAY=%s: %s",
		    g_getenv("DISPLAY") != NULL ? g_getenv("DISPLAY") : "", strerror(-r));
		return r;
	}
	return look_new(program->display, program->config, &program->look);
}

static void
program_run(struct program *program)
{
	program->loop = g_main_loop_new(NULL, FALSE);
	program->display_events = (struct display_events){
	    .on_event = on_event,
	    .on_screen_changed = on_screen_changed,
	    .on_lost = on_display_lost,
	    .data = program,
	};
	program->guest_events = (struct guest_events){
	    .on_packet = dispatch_packet,
	    .on_connected = on_connected,
	    .on_end = on_guest_end,
	    .data = program,
	};
	g_unix_signal_add(SIGTERM, on_terminate, program);
	g_unix_signal_add(SIGINT, on_terminate, program);
	g_unix_signal_add(SIGUSR1, on_terminate, program);
	g_unix_signal_add(SIGHUP, on_hangup, program);
	program->locker =
	    locker_new(program->display, program->config->lockers, on_lock_changed, program);
	program->guest =
	    guest_new(program->display, program->config, program->look, &program->guest_events);
	display_start(program->display, &program->display_events);
	if (!program->done)
		g_main_loop_run(program->loop);
	guest_free(program->guest);
	locker_free(program->locker);
	g_main_loop_unref(program->loop);
}

int
main(int argc, char **argv)
{
	struct program program = {.ready_fd = -1, .status = EXIT_TROUBLE};
	int status;
	int r;

	log_init("qubes-guid");
	signal(SIGPIPE, SIG_IGN);
	r = config_new(argc, argv, &program.config);
	if (r != 0)
		return r > 0 ? EXIT_DONE : EXIT_TROUBLE;
	set_log_level(program.config);
	if (program.config->events_max_delay_ms > 0) /* whoever set it relies on it */
		log_warn("events_max_delay has no effect yet: input is not delayed");
	if (take_instance(&program, &status) != 0 ||
	    (!program.config->foreground && go_to_background(&program, &status) != 0)) {
		config_free(program.config);
		return status;
	}
	if (program.instance != NULL)
		instance_write_pid(program.instance);
	if (open_desktop(&program) == 0)
		program_run(&program);
	look_free(program.look);
	display_free(program.display);
	instance_free(program.instance);
	config_free(program.config);
	return program.status;
}
