/*
 * libvirt_maker - when which machine is saved, and which state is not to be used again.
 *
 * Shape:  what a start has lacked is made some time later, when nothing is being started, in a thread
 *         of its own (libvirt_making.h): the machine for it has no mark, and libvirt ends it when our
 *         connection ends. A start that comes meanwhile has precedence.
 * Once:   what could not be made, or did not work twice, is not tried again until qubesd starts anew.
 * Thread: the main loop.
 * Source: docs/saved-states.md.
 */
#ifndef QUBESD_LIBVIRT_MAKER_H
#define QUBESD_LIBVIRT_MAKER_H

#include "qubesd/libvirt_work.h"

struct libvirt_maker;

/* libvirt is borrowed. */
struct libvirt_maker *libvirt_maker_new(struct libvirt *libvirt);
/* What is being made is given up soon. NULL is fine. */
void libvirt_maker_free(struct libvirt_maker *maker);

/* Somebody wants to start a qube: what is being made now is made later. */
void libvirt_maker_make_way(struct libvirt_maker *maker);
/* A start has an answer: what it lacked may be made later, and what it has been given is noted. */
void libvirt_maker_on_start(struct libvirt_maker *maker, struct libvirt_job *job);
/* A machine that was started lately does not work: if it began as a state, that is not used again. */
void libvirt_maker_on_failure(struct libvirt_maker *maker, const char *uuid);
/* It has ended, in whatever way. */
void libvirt_maker_on_end(struct libvirt_maker *maker, const char *uuid);

#endif
