/*
 * tree_check - whether what somebody wants to send will be taken, looked at before anything is sent.
 */
#ifndef QREXEC_SERVICES_TREE_CHECK_H
#define QREXEC_SERVICES_TREE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

struct tree_check_options {
	bool allow_links, allow_directories; /* refused when false */
	bool allow_all_names; /* names that are not safe are no reason for UNSAFE_NAMES */
	bool ignore_links;
	bool quiet; /* nothing on stderr */
};

enum tree_check {
	TREE_CHECK_FINE = 0,
	TREE_CHECK_REFUSED = 1,
	TREE_CHECK_UNSAFE_NAMES = 2, /* otherwise fine: needs a receiver that allows all names */
};

/* Adds the sizes of files and links to *bytes. */
enum tree_check tree_check(
    const char *argument, const struct tree_check_options *options, uint64_t *bytes);

#endif
