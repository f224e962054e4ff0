/*
 * bordure-sandbox - makes one sandbox and stays with it.
 *
 * qubesd starts one of these for each qube. It runs as the same user as qubesd, listens to nobody
 * (the sandbox's output is only copied to a bounded log), and is told everything in its arguments.
 * It does not need qubesd once it has begun: a qube outlives a restart of qubesd, and when it ends
 * what was made for it is removed by the one that made it.
 */
#include "qubesd/sandbox/sandbox.h"
#include "shared/log.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

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

static const struct {
	const char *name;
	int (*run)(const struct sandbox_options *options);
} commands[] = {
    {"start", on_start},
    {"clean", on_clean},
    {"check", on_check},
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
	log_error("usage: bordure-sandbox start|clean|check [--help]");
	return 2;
}
