/*
 * qubes-policy - looks at policy without deciding anything for anybody.
 *
 *   qubes-policy eval --batch    entries on stdin, answers on stdout (batch.h)
 */
#include "qrexec/policy/batch.h"
#include "shared/log.h"

#include <stdio.h>
#include <string.h>

static int
usage(void)
{
	fputs("usage: qubes-policy eval --batch\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	log_init("qubes-policy");
	if (argc != 3 || strcmp(argv[1], "eval") != 0 || strcmp(argv[2], "--batch") != 0)
		return usage();
	return policy_batch(stdin, stdout) == 0 && fflush(stdout) == 0 ? 0 : 1;
}
