/*
 * seccomp - the system calls that a sandbox does not get.
 *
 * A list of refusals over "allow": desktop programs use most of what a kernel has, and what is
 * refused here is what sandboxes have been left through, or what has no use inside one
 * (docs/decisions.md, "Refusals, not permissions"). Refused calls fail with EPERM; clone3, whose
 * flags no filter can see, and io_uring fail with ENOSYS, so that programs take the older way.
 * SO_LINGER is taken and ignored, because it would make others wait. Calls of another architecture (32 bit, x32) end the process.
 */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

/* Writes the filter (a classic BPF program) to fd. Returns 0 or a negative errno. */
int sandbox_seccomp_export(int fd);

#endif
