/*
 * libvirt_saved - disposables on QEMU that go on from a saved machine.
 *
 * Shape:  a start that may be restored looks for a state with its key. There is one: the machine
 *         begins as a copy of it, gets its region, and goes on from where all of its kind wait for
 *         guest.conf. There is none, or it does not work: it boots, and libvirt_maker.h sees to it.
 * Source: docs/saved-states.md.
 */
#ifndef QUBESD_LIBVIRT_SAVED_H
#define QUBESD_LIBVIRT_SAVED_H

#include "qubesd/libvirt_work.h"

/*
 * In a thread, as a part of a start. True: the domain, which is described but does not run, is restored and paused. False: it has to
 * boot; with job->error it must not even do that, because nobody knows how it is.
 */
bool libvirt_saved_restore(struct libvirt_job *job, virDomainPtr domain);

#endif
