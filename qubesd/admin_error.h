/*
 * admin_error - a failure as the Admin API reports it: a class that clients act on and a message
 * for people. Classes are the names of docs/admin-api.md, spelled exactly.
 */
#ifndef QUBESD_ADMIN_ERROR_H
#define QUBESD_ADMIN_ERROR_H

#include <stdbool.h>

struct admin_error {
	const char *name; /* borrowed for ever: a string literal such as "QubesVMNotFoundError" */
	char *message;    /* owned */
};

/*
 * Fills *error (when it is not NULL; zeroed by whoever made it) and returns false, so that
 * "return admin_error_set(...)" works.
 */
bool admin_error_set(struct admin_error *error, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void admin_error_clear(struct admin_error *error);

#endif
