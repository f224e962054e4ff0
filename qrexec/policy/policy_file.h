/*
 * policy_file - reading the files and folders of a policy, whole or not at all.
 *
 * Errors: nothing is ever taken for the end of a file that is not: an error while reading, and a
 *         file that changes while it is read, are errors of the file.
 */
#ifndef QREXEC_POLICY_POLICY_FILE_H
#define QREXEC_POLICY_POLICY_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

/*
 * Reads a regular file (links are followed) of at most POLICY_FILE_MAX bytes. Returns 0 with its
 * bytes and state; -EMEDIUMTYPE when it is not regular, -EFBIG, -EAGAIN when it went on changing,
 * or another negative errno.
 */
int policy_file_read(const char *path, struct stat *ret_state, GByteArray *bytes);

/* What such an error means, for people; borrowed for ever. */
const char *policy_file_error_text(int error);

/*
 * The regular files of a folder that are not hidden and for which wanted() says yes, in no order.
 * Returns their names, to be freed, or NULL with *ret_error a negative errno.
 */
GPtrArray *policy_file_list(const char *path, bool (*wanted)(const char *name), int *ret_error);

#endif
