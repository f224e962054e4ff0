/*
 * vm_exec_decode - the argument of qubes.VMExec: a command as one word of the qrexec alphabet.
 *
 * Shape: elements joined by '+'; A-Z a-z 0-9 . _ stand for themselves, "--" for '-', "-HH" with
 *        upper-case hexadecimal digits for any other byte. There is one spelling only for each
 *        command made by an encoder; a policy may name it.
 * Pure. Source: docs/services.md, "VMExec".
 */
#ifndef QREXEC_SERVICES_VM_EXEC_DECODE_H
#define QREXEC_SERVICES_VM_EXEC_DECODE_H

/* Returns 0 with a vector for g_strfreev(), or -EINVAL; also for an empty text or a NUL. */
int vm_exec_decode(const char *untrusted_text, char ***ret);

#endif
