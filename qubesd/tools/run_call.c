#include "qubesd/tools/run_call.h"

#include <glib.h>
#include <string.h>

static void
add(GPtrArray *argv, const char *word)
{
	g_ptr_array_add(argv, g_strdup(word));
}

static void
add_pair(GPtrArray *argv, const char *option, const char *value)
{
	if (value == NULL)
		return;
	add(argv, option);
	add(argv, value);
}

static char **
finish(GPtrArray *argv)
{
	g_ptr_array_add(argv, NULL);
	return (char **)g_ptr_array_free(argv, FALSE);
}

/* "USER:QUBESRPC SERVICE+ARG dom0", or "USER:COMMAND". */
static char *
command_text(const struct run_call *call)
{
	const char *user = call->user != NULL ? call->user : "DEFAULT";
	bool is_reserved;

	if (call->service != NULL)
		return g_strdup_printf("%s:QUBESRPC %s%s dom0", user, call->service,
		    strchr(call->service, '+') == NULL ? "+" : "");
	/* A leading blank keeps the shell's meaning and loses qrexec's. */
	is_reserved = g_str_has_prefix(call->command, "QUBESRPC") ||
		      g_str_has_prefix(call->command, "nogui:");
	return g_strdup_printf("%s:%s%s", user, is_reserved ? " " : "", call->command);
}

char **
run_call_argv(const struct run_call *call, const char *program)
{
	GPtrArray *argv = g_ptr_array_new();
	g_autofree char *command = command_text(call);

	add(argv, program);
	add_pair(argv, "-d", call->target);
	if (call->filter_stdout == RUN_FILTER_ON)
		add(argv, "-t");
	if (call->filter_stderr == RUN_FILTER_ON)
		add(argv, "-T");
	add_pair(argv, "-l", call->local_command);
	if (call->just_exec)
		add(argv, "-e");
	add_pair(argv, "-p", call->prefix);
	add(argv, command);
	return finish(argv);
}

static void
add_filter(GPtrArray *argv, enum run_filter filter, const char *on, const char *off)
{
	if (filter != RUN_FILTER_DEFAULT)
		add(argv, filter == RUN_FILTER_ON ? on : off);
}

char **
run_call_argv_in_qube(const struct run_call *call, const char *program)
{
	GPtrArray *argv = g_ptr_array_new();

	add(argv, program);
	add_filter(argv, call->filter_stdout, "--filter-escape-chars-stdout",
	    "--no-filter-escape-chars-stdout");
	add_filter(argv, call->filter_stderr, "--filter-escape-chars-stderr",
	    "--no-filter-escape-chars-stderr");
	add_pair(argv, "-p", call->prefix);
	add(argv, "--");
	add(argv, call->target);
	add(argv, call->service);
	if (call->local_command != NULL) {
		add(argv, "/bin/sh");
		add(argv, "-c");
		add(argv, call->local_command);
	}
	return finish(argv);
}
