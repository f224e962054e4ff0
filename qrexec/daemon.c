/*
 * qrexec-daemon - the trusted end of the control vchan of one qube.
 *
 * Who talks: the qube's agent, which may be hostile, and programs of the trusted side over a local
 * socket. The agent can ask for services and say that calls have ended; the first goes to the
 * policy, the second frees a port. An agent that says anything else loses its daemon (exit 1), and
 * with it nothing but its own qrexec. When the agent goes away we wait for the next one.
 *
 * One event loop; processes are made for services of the trusted side only. Whatever waits for the
 * agent waits in a bounded queue, and while that is full nobody who would add to it is read.
 */
#include "qrexec/daemon.h"

#include "qrexec/background.h"
#include "qrexec/daemon_clients.h"
#include "qrexec/signals.h"
#include "qrexec/trigger.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/qrexec_text_decode.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_FAILED 1
#define EXIT_NO_AGENT 3 /* in time, or no vchan at all */
#define STARTUP_TIMEOUT_S 60
#define REFUSAL_WINDOW_S 1
#define REFUSALS_LOGGED 10   /* in a window */
#define REFUSALS_ALLOWED 100 /* in a window; then the agent has to wait */

struct options {
	bool quiet, direct, nowait;
	guint timeout_s; /* 0: none */
};

struct program {
	struct daemon daemon;
	GMainLoop *loop;
	int exit_code;
	guint startup_timer;
	int ready_fd; /* owned: tells the parent that the agent is there; -1 */
};

static void
quit(struct program *program, int exit_code)
{
	program->exit_code = exit_code;
	g_main_loop_quit(program->loop);
}

/* --- when not to listen --------------------------------------------------------------------- */

static void
update_reading(struct daemon *daemon)
{
	bool full;

	if (daemon->control == NULL)
		return;
	full = channel_is_full(daemon->control);
	channel_set_reading(daemon->control, !full && !daemon->throttled);
	if (daemon->clients != NULL)
		daemon_clients_pause(daemon->clients, full);
}

static gboolean
on_refusal_window_end(gpointer data)
{
	struct daemon *daemon = data;

	if (daemon->refusals > REFUSALS_LOGGED)
		log_info(
		    "%s: %u more calls refused", daemon->name, daemon->refusals - REFUSALS_LOGGED);
	daemon->refusals = 0;
	daemon->refusal_window = 0;
	daemon->throttled = false;
	update_reading(daemon);
	return G_SOURCE_REMOVE;
}

bool
daemon_note_refusal(struct daemon *daemon)
{
	if (daemon->refusal_window == 0)
		daemon->refusal_window =
		    g_timeout_add_seconds(REFUSAL_WINDOW_S, on_refusal_window_end, daemon);
	daemon->refusals++;
	if (daemon->refusals > REFUSALS_ALLOWED && !daemon->throttled) {
		daemon->throttled = true;
		update_reading(daemon);
	}
	return daemon->refusals <= REFUSALS_LOGGED;
}

/* --- to the agent --------------------------------------------------------------------------- */

static void
after_sending(struct daemon *daemon)
{
	if (channel_is_full(daemon->control))
		update_reading(daemon);
}

void
daemon_send_exec(
    struct daemon *daemon, uint32_t type, uint32_t domain, uint32_t port, const char *command)
{
	struct qrexec_wire_exec head = {domain, port};

	if (daemon->control == NULL)
		return;
	channel_send(daemon->control, type, &head, sizeof(head), command, strlen(command) + 1);
	after_sending(daemon);
}

void
daemon_send_connect(
    struct daemon *daemon, const struct qrexec_place *place, const struct qrexec_ident *ident)
{
	struct qrexec_wire_exec head = {place->domain, place->port};

	if (daemon->control == NULL)
		return;
	channel_send(daemon->control, QREXEC_SERVICE_CONNECT, &head, sizeof(head), ident->bytes,
	    sizeof(ident->bytes));
	after_sending(daemon);
}

void
daemon_send_refused(struct daemon *daemon, const struct qrexec_ident *ident)
{
	if (daemon->control == NULL)
		return;
	channel_send(
	    daemon->control, QREXEC_SERVICE_REFUSED, ident->bytes, sizeof(ident->bytes), NULL, 0);
	after_sending(daemon);
}

/* --- from the agent ------------------------------------------------------------------------- */

static int
on_trigger(struct daemon *daemon, const struct qrexec_message *message)
{
	struct qrexec_trigger request;
	int r;

	r = qrexec_decode_trigger(message->type, message->untrusted_body, &request);
	if (r < 0) {
		g_autofree char *ident =
		    text_quote(request.ident.bytes, sizeof(request.ident.bytes));

		if (daemon_note_refusal(daemon))
			log_warn("%s: malformed request %s refused", daemon->name, ident);
		daemon_send_refused(daemon, &request.ident);
		return 0;
	}
	triggers_add(daemon->triggers, &request);
	return 0;
}

static int
on_terminated(struct daemon *daemon, const struct qrexec_message *message)
{
	struct qrexec_place place;
	int r;

	r = qrexec_decode_terminated(message->untrusted_body, &place);
	if (r < 0)
		return r;
	if (ports_release(&daemon->ports, place.domain, place.port))
		daemon_clients_terminated(daemon->clients, &place);
	return 0;
}

static void
agent_is_ready(struct program *program)
{
	if (program->startup_timer != 0)
		g_source_remove(program->startup_timer);
	program->startup_timer = 0;
	if (program->ready_fd < 0)
		return;
	if (write(program->ready_fd, "1", 1) < 0)
		log_warn("nobody waited for us: %s", strerror(errno));
	close(program->ready_fd);
	program->ready_fd = -1;
}

static int
on_hello(struct program *program, const struct qrexec_message *message)
{
	struct daemon *daemon = &program->daemon;
	int r;

	r = qrexec_decode_hello(
	    message->untrusted_body, QREXEC_VERSION, QREXEC_VERSION_OLDEST, &daemon->version);
	if (r < 0)
		return r;
	channel_send_hello(daemon->control, daemon->version);
	channel_set_rules(daemon->control, qrexec_rules_agent_to_daemon(daemon->version));
	r = daemon_clients_new(daemon, &daemon->clients);
	if (r < 0) {
		log_error("sockets in %s: %s", daemon->socket_dir, strerror(-r));
		return r;
	}
	log_info("%s: agent connected, protocol version %u", daemon->name, daemon->version);
	agent_is_ready(program);
	return 0;
}

static int
on_message(struct channel *channel, const struct qrexec_message *message, void *data)
{
	struct program *program = data;

	(void)channel;
	if (program->daemon.version == 0)
		return on_hello(program, message);
	if (message->type == QREXEC_CONNECTION_TERMINATED)
		return on_terminated(&program->daemon, message);
	return on_trigger(&program->daemon, message);
}

static void
on_control_drained(struct channel *channel, void *data)
{
	struct program *program = data;

	(void)channel;
	update_reading(&program->daemon);
}

/* --- the control vchan ---------------------------------------------------------------------- */

static int connect_agent(struct program *program);

/* The ports in use stay taken: what became of their calls is not known. */
static void
forget_agent(struct daemon *daemon)
{
	triggers_forget(daemon->triggers);
	g_clear_pointer(&daemon->clients, daemon_clients_free);
	g_clear_pointer(&daemon->control, channel_free);
	daemon->version = 0;
}

static void
on_control_end(struct channel *channel, int error, void *data)
{
	struct program *program = data;
	bool was_ready = program->daemon.version != 0;
	bool left = error == 0 || error == -EPIPE;
	int r;

	(void)channel;
	log_info("%s: agent: %s", program->daemon.name, channel_strerror(error));
	forget_agent(&program->daemon);
	if (!left || !was_ready) {
		bool broke_protocol = error == -EPROTO || error == -EPROTONOSUPPORT || was_ready;

		quit(program, broke_protocol ? EXIT_FAILED : EXIT_NO_AGENT);
		return;
	}
	r = connect_agent(program);
	if (r < 0) {
		log_error("%s: control vchan: %s", program->daemon.name, strerror(-r));
		quit(program, EXIT_FAILED);
	}
}

static const struct channel_events control_events = {
    .message = on_message,
    .end = on_control_end,
    .drained = on_control_drained,
};

static int
connect_agent(struct program *program)
{
	struct vchan *vchan;
	int r;

	r = vchan_connect(NULL, program->daemon.domain, QREXEC_CONTROL_PORT, 0, &vchan);
	if (r < 0)
		return r;
	program->daemon.control =
	    channel_new_on_vchan(vchan, qrexec_rules_hello(), &control_events, program);
	return 0;
}

static gboolean
on_startup_timeout(gpointer data)
{
	struct program *program = data;

	program->startup_timer = 0;
	log_error("%s: the agent did not come in time", program->daemon.name);
	quit(program, EXIT_NO_AGENT);
	return G_SOURCE_REMOVE;
}

static void
on_terminate(int number, void *data)
{
	(void)number;
	quit(data, 0);
}

static int
run(struct program *program, const struct options *options)
{
	struct daemon *daemon = &program->daemon;
	struct signals *signals;
	int r;

	/* Services of the trusted side send it to the pid they are told; it means nothing here. */
	signal(SIGUSR1, SIG_IGN);
	program->loop = g_main_loop_new(NULL, FALSE);
	signals = signals_new(SIGTERM, SIGINT, 0, on_terminate, program);
	ports_init(&daemon->ports, daemon->domain);
	daemon->triggers = triggers_new(daemon);
	daemon->session_wait = session_wait_new();
	if (options->timeout_s != 0)
		program->startup_timer =
		    g_timeout_add_seconds(options->timeout_s, on_startup_timeout, program);
	r = connect_agent(program);
	if (r < 0) {
		log_error("%s: control vchan: %s", daemon->name, strerror(-r));
		program->exit_code = EXIT_NO_AGENT;
	} else {
		g_main_loop_run(program->loop);
	}

	if (daemon->refusal_window != 0)
		g_source_remove(daemon->refusal_window);
	forget_agent(daemon);
	triggers_free(daemon->triggers);
	session_wait_free(daemon->session_wait);
	signals_free(signals);
	g_main_loop_unref(program->loop);
	return program->exit_code;
}

/* --- the command line ----------------------------------------------------------------------- */

static const char usage_text[] =
    "usage: qrexec-daemon [options] -u UUID DOMAIN-ID DOMAIN-NAME [DEFAULT-USER]\n"
    "  -u, --uuid=UUID            of the qube\n"
    "  -q, --quiet                no progress on stderr\n"
    "  -D, --direct               stay in the foreground\n"
    "  -p, --policy-program=PATH  asked when the policy daemon cannot be\n"
    "      --socket-dir=DIR       where the sockets of all daemons lie\n";

static void G_GNUC_NORETURN
usage(const char *message)
{
	if (message != NULL)
		fprintf(stderr, "qrexec-daemon: %s\n", message);
	fputs(usage_text, stderr);
	exit(EXIT_FAILED);
}

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"quiet", no_argument, NULL, 'q'},
    {"socket-dir", required_argument, NULL, 'd'},
    {"policy-program", required_argument, NULL, 'p'},
    {"direct", no_argument, NULL, 'D'},
    {"uuid", required_argument, NULL, 'u'},
    {NULL, 0, NULL, 0},
};

static void
parse_option(struct daemon *daemon, struct options *options, int option)
{
	switch (option) {
	case 'q':
		options->quiet = true;
		break;
	case 'd':
		daemon->socket_dir = optarg;
		break;
	case 'p':
		daemon->policy_program = optarg;
		break;
	case 'D':
		options->direct = true;
		break;
	case 'u':
		daemon->uuid = optarg;
		break;
	default:
		usage(NULL);
	}
}

/* These become names of sockets and words of commands. */
static void
check_names(const struct daemon *daemon)
{
	g_autofree char *name =
	    qrexec_sanitise(untrusted_bytes_of(daemon->name, strlen(daemon->name)), "");

	if (daemon->name[0] == '\0' || strcmp(name, daemon->name) != 0)
		usage("bad domain name");
	if (!text_is_uuid(daemon->uuid))
		usage("bad uuid");
	if (daemon->default_user[0] == '\0' || strpbrk(daemon->default_user, ": ") != NULL)
		usage("bad default user");
}

static void
parse_arguments(struct daemon *daemon, struct options *options, int argc, char **argv)
{
	guint64 domain;
	int option;

	while ((option = getopt_long(argc, argv, "hqp:Du:", long_options, NULL)) != -1)
		parse_option(daemon, options, option);
	if (argc - optind < 2 || argc - optind > 3)
		usage(NULL);
	if (daemon->uuid == NULL)
		usage("the uuid is required");
	if (!g_ascii_string_to_unsigned(argv[optind], 10, 1, G_MAXINT32, &domain, NULL))
		usage("bad domain id");
	daemon->domain = (uint32_t)domain;
	daemon->name = argv[optind + 1];
	daemon->default_user = argc - optind == 3 ? argv[optind + 2] : "user";
	check_names(daemon);
}

static void
read_environment(struct options *options)
{
	const char *timeout = g_getenv("QREXEC_STARTUP_TIMEOUT");
	guint64 seconds;

	options->nowait = g_getenv("QREXEC_STARTUP_NOWAIT") != NULL;
	options->timeout_s = STARTUP_TIMEOUT_S;
	if (timeout != NULL &&
	    g_ascii_string_to_unsigned(timeout, 10, 1, G_MAXINT32, &seconds, NULL))
		options->timeout_s = (guint)seconds;
	if (options->nowait)
		options->timeout_s = 0;
}

/* A copy that is installed set-uid keeps nothing of that beyond this point. */
static void
drop_privileges(void)
{
	if (setresgid(getgid(), getgid(), getgid()) < 0 ||
	    setresuid(getuid(), getuid(), getuid()) < 0) {
		log_error("cannot drop privileges: %s", strerror(errno));
		exit(EXIT_FAILED);
	}
}

static void
stdin_from_null(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		dup2(fd, STDIN_FILENO);
		close(fd);
	}
}

/* Returns in the process that goes on, with the descriptor that tells the other one. */
static int
enter_background(const struct daemon *daemon, const struct options *options)
{
	g_autofree char *file = g_strdup_printf("qrexec.%s.log", daemon->name);
	g_autofree char *log = path_in_log_dir(file);
	const struct background background = {
	    .folder = daemon->socket_dir,
	    .log = log,
	    .quiet = options->quiet,
	    .nowait = options->nowait,
	    .failed = EXIT_FAILED,
	    .passed_on = EXIT_NO_AGENT,
	};

	return background_enter(&background);
}

int
main(int argc, char **argv)
{
	g_autofree char *default_socket_dir = path_in_runtime_dir("");
	g_autofree char *default_program = path_program("qrexec-policy-exec");
	struct program program = {
	    .daemon = {.socket_dir = default_socket_dir, .policy_program = default_program},
	    .ready_fd = -1,
	};
	struct options options = {0};

	signals_prepare();
	log_init("qrexec-daemon");
	log_set_debug(g_getenv("QREXEC_DEBUG") != NULL);
	parse_arguments(&program.daemon, &options, argc, argv);
	read_environment(&options);
	stdin_from_null();
	drop_privileges();
	if (!options.direct)
		program.ready_fd = enter_background(&program.daemon, &options);
	umask(0077);
	return run(&program, &options);
}
