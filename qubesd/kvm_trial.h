/*
 * kvm_trial - does a guest really run with KVM here, and not at the speed of a snail?
 *
 * That /dev/kvm opens says little: inside another hypervisor, instructions may be missing, wrong, or
 * emulated one by one. So a small guest (kvm_trial_guest.S) is started once with the processor that
 * qubes would get; within KVM_TRIAL_LIMIT_S it must have done what kernels do and said so. Emulation
 * needs a third of a second for the same.
 * Memory: the answer is kept in kvm-trial in the state folder, with the versions of the kernel and of
 *         QEMU; another version of either, and the trial is made again.
 * Blocks: for as long as the trial takes; only in a worker.
 */
#ifndef QUBESD_KVM_TRIAL_H
#define QUBESD_KVM_TRIAL_H

#include <stdbool.h>

#define KVM_TRIAL_LIMIT_S 10

/* True when guests are to be run with KVM. What was found out is logged when it is new. */
bool kvm_trial(void);

/* One run with an accelerator ("kvm", "tcg") and a processor; NULL: well, else a sentence. g_free(). */
char *kvm_trial_run(const char *accelerator, const char *processor);

#endif
