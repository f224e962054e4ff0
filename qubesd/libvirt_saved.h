/*
 * libvirt_saved - machines on QEMU that are saved once and restored as many disposables.
 *
 * Shape:  a start that may be restored looks for a state with its key. There is one: the machine
 *         begins as a copy of it, gets its region, and goes on from where all of its kind wait for
 *         guest.conf. There is none, or it does not work: it boots, and some time later, when nothing
 *         is being started, a state is made in a thread of its own: the machine for it has no mark,
 *         and libvirt ends it when our connection ends.
 * Once:   what could not be made is not tried again until qubesd starts anew.
 * Source: docs/saved-states.md.
 */
#ifndef QUBESD_LIBVIRT_SAVED_H
#define QUBESD_LIBVIRT_SAVED_H

#include "qubesd/libvirt_work.h"

/* --- in a thread, as a part of a start --- */

/*
 * True: the domain, which is described but does not run, is restored and paused. False: it has to
 * boot; with job->error it must not even do that, because nobody knows how it is.
 */
bool libvirt_saved_restore(struct libvirt_job *job, virDomainPtr domain);

/* --- on the main loop --- */

struct libvirt_maker;

/* Removes what a killed daemon has left. Before the first of the next. */
void libvirt_saved_tidy(void);

/* libvirt is borrowed. */
struct libvirt_maker *libvirt_maker_new(struct libvirt *libvirt);
/* What is being made is given up soon. NULL is fine. */
void libvirt_maker_free(struct libvirt_maker *maker);

/* A start has an answer: what it lacked may be made later, and what it has been given is noted. */
void libvirt_maker_on_start(struct libvirt_maker *maker, struct libvirt_job *job);
/* A machine that was started lately does not work: if it began as a state, that is not used again. */
void libvirt_maker_on_failure(struct libvirt_maker *maker, const char *uuid);
/* It has ended, in whatever way. */
void libvirt_maker_on_end(struct libvirt_maker *maker, const char *uuid);

#endif
