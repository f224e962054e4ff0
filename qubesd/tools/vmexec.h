/*
 * vmexec - a command line as the argument of the service qubes.VMExec.
 *
 * Shape:  the words joined by "+"; in a word A-Z a-z 0-9 . _ stand for themselves, "-" is written
 *         "--", every other byte "-HH" with upper-case hexadecimal digits.
 * Source: docs/tools.md, "qvm-run"; the decoder runs in the qube.
 */
#ifndef QUBESD_TOOLS_VMEXEC_H
#define QUBESD_TOOLS_VMEXEC_H

/* words ends with NULL. To be freed with g_free(). */
char *vmexec_encode(const char *const *words);

/* The words quoted for a shell and joined by blanks; to be freed. */
char *vmexec_quote(const char *const *words);

#endif
