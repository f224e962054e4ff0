/*
 * libvirt_worker - the threads in which libvirt is called.
 *
 * libvirt's calls block, so they are made in a few threads of their own, of which none is the main
 * loop's: a call that hangs holds up as many others as there are threads left, and nobody else.
 * libvirt has one event loop per process; it is one more thread, with a main context of its own, in
 * which no call is made, so that a silent libvirtd is noticed. What comes out goes back to the main
 * loop by g_idle_add(). The threads begin with the first call and last as long as the process.
 */
#ifndef QUBESD_LIBVIRT_WORKER_H
#define QUBESD_LIBVIRT_WORKER_H

#include <glib.h>

#define LIBVIRT_WORKER_CALLS 5

/* Runs func(data) in one of the threads, in no order. */
void libvirt_worker_run(void (*func)(void *data), void *data);

#endif
