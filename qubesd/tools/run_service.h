/*
 * run_service - which service runs a command line of qvm-run, and what goes in front of its input.
 * Pure.
 *
 * Source: docs/tools.md, "qvm-run".
 */
#ifndef QUBESD_TOOLS_RUN_SERVICE_H
#define QUBESD_TOOLS_RUN_SERVICE_H

#include <stdbool.h>

/* What is known of the qube. */
struct run_traits {
	bool gui;                   /* its session is to be waited for */
	bool vmexec;                /* it has qubes.VMExec */
	bool root_exec, root_shell; /* it announces the services for root */
};

/* What the person asked for. */
struct run_wish {
	const char *const *words; /* borrowed; at least one, ended by NULL */
	bool is_service;          /* the word is a service */
	bool no_shell;
	bool as_root;
	bool disposable;
	bool just_exec; /* nobody waits: the agent itself can start a shell's command */
};

/* Either a service with what goes to it before the input, or a command. All strings are owned. */
struct run_service {
	char *service; /* "NAME" or "NAME+ARG"; NULL: command */
	char *prefix;  /* NULL: nothing */
	char *command; /* for the user's shell; only with just_exec */
};

void run_service_choose(
    const struct run_wish *wish, const struct run_traits *traits, struct run_service *ret);
void run_service_clear(struct run_service *service);

#endif
