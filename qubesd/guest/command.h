/*
 * command - runs one program to its end; for process 1 of a machine, which has nothing else to do
 * before its volumes are there.
 */
#ifndef GUEST_COMMAND_H
#define GUEST_COMMAND_H

/*
 * argv[0] is looked up in PATH. The program gets our environment, our output and no signal mask.
 * Returns its exit status 0..255 (127: it could not be started), 256 + N when signal N ended it,
 * or a negative errno.
 */
int command_run(const char *const *argv);

#endif
