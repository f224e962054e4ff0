/*
 * libvirt_worker - the one thread in which libvirt is called.
 *
 * libvirt's calls block, and it has one event loop per process: both live in this thread, with a
 * main context of their own. Work goes in as a function; what comes out goes back to the main loop
 * by g_idle_add(). The thread begins with the first call and lasts as long as the process.
 */
#ifndef QUBESD_LIBVIRT_WORKER_H
#define QUBESD_LIBVIRT_WORKER_H

#include <glib.h>

/* Runs func(data) in the worker; in the order of the calls. */
void libvirt_worker_run(void (*func)(void *data), void *data);

#endif
