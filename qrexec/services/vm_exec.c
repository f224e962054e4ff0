/*
 * vm-exec - the service qubes.VMExec: runs the command that its argument encodes, without a shell.
 */
#include "qrexec/services/vm_exec_decode.h"
#include "shared/qrexec_wire.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	g_auto(GStrv) command = NULL;
	int error;

	if (argc != 2 || vm_exec_decode(argv[1], &command) < 0) {
		fputs("vm-exec: the argument is no encoded command\n", stderr);
		return 1;
	}
	execvp(command[0], command);
	error = errno;
	fprintf(stderr, "vm-exec: cannot run the command: %s\n", strerror(error));
	return error == ENOENT ? QREXEC_EXIT_NOT_FOUND : QREXEC_EXIT_PROBLEM;
}
