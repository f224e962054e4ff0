/*
 * bordure-sandbox - makes one sandbox and stays with it.
 *
 * qubesd starts one of these for each qube. It runs as the same user as qubesd, listens to nobody
 * (the sandbox's output is only copied to a bounded log), and is told everything in its arguments.
 * It does not need qubesd once it has begun: a qube outlives a restart of qubesd, and when it ends
 * what was made for it is removed by the one that made it.
 */
#include "qubesd/sandbox/console.h"
#include "qubesd/sandbox/sandbox.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
on_start(const struct sandbox_options *options)
{
	g_autofree char *error = NULL;

	if (sandbox_options_check_start(options, &error) < 0) {
		log_error("%s", error);
		return 2;
	}
	return sandbox_start(options);
}

static int
on_clean(const struct sandbox_options *options)
{
	int r = sandbox_clean(options->xid);

	if (r < 0)
		log_error("sandbox %u: %s", options->xid, g_strerror(-r));
	return r < 0 ? 1 : 0;
}

static int
on_check(const struct sandbox_options *options)
{
	g_autofree char *error = sandbox_check();

	(void)options;
	if (error == NULL)
		return 0;
	puts(error);
	return 1;
}

static void
on_console_end(void *data)
{
	g_main_loop_quit(data);
}

/* Copies standard input to a guest's log: the console of a machine, as long as it runs. */
static int
on_console(const struct sandbox_options *options)
{
	struct console *console;
	GMainLoop *loop;
	int r;

	if (options->name == NULL || !text_is_qube_name(options->name)) {
		log_error("--name is missing or cannot be used");
		return 2;
	}
	r = console_new(options->name, STDIN_FILENO, &console);
	if (r < 0) {
		log_error("the log of %s: %s", options->name, g_strerror(-r));
		return 1;
	}
	loop = g_main_loop_new(NULL, FALSE);
	console_on_end(console, on_console_end, loop);
	g_main_loop_run(loop);
	console_free(console);
	g_main_loop_unref(loop);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const struct sandbox_options *options);
} commands[] = {
    {"start", on_start},
    {"clean", on_clean},
    {"check", on_check},
    {"console", on_console},
};

int
main(int argc, char **argv)
{
	struct sandbox_options options;
	g_autofree char *error = NULL;
	int status;

	log_init("bordure-sandbox");
	for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		argv[1] = argv[0];
		if (sandbox_options_parse(argc - 1, argv + 1, &options, &error) < 0) {
			log_error("%s", error);
			return 2;
		}
		status = commands[i].run(&options);
		sandbox_options_clear(&options);
		return status;
	}
	log_error("usage: bordure-sandbox start|clean|check|console [--help]");
	return 2;
}
