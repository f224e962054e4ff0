/*
 * run_call - one call of qvm-run: what is to run where, and the command line of the program that
 * makes the call. Pure.
 */
#ifndef QUBESD_TOOLS_RUN_CALL_H
#define QUBESD_TOOLS_RUN_CALL_H

#include <stdbool.h>

enum run_filter {
	RUN_FILTER_DEFAULT, /* as the program decides by itself */
	RUN_FILTER_ON,
	RUN_FILTER_OFF,
};

/* All pointers are borrowed. */
struct run_call {
	const char *target;  /* a qube's name; inside a qube also "@dispvm" or "@dispvm:NAME" */
	const char *user;    /* NULL: the qube's default; only on the trusted side */
	const char *service; /* "NAME" or "NAME+ARG"; NULL: command is for the user's shell */
	const char *command; /* only with just_exec on the trusted side */
	const char *prefix;  /* goes to the service before stdin; or NULL */
	const char *local_command; /* connected to the service instead of our stdin and stdout */
	enum run_filter filter_stdout, filter_stderr;
	bool just_exec; /* do not wait, no input, no output */
};

/* Through qrexec-client on the trusted side. To be freed with g_strfreev(). */
char **run_call_argv(const struct run_call *call, const char *program);

/* Through qrexec-client-vm inside a qube. */
char **run_call_argv_in_qube(const struct run_call *call, const char *program);

#endif
