/*
 * stderr_log - what a service in a qube writes to its stderr, line by line into the qube's log.
 *
 * The log is the system's, under a tag that names service and caller. Where there is no system log
 * the lines of detached services go to our own stderr, cleaned; those of others are dropped, since
 * the caller gets them anyway. A log that is slow or gone costs lines and nothing else.
 */
#ifndef QREXEC_STDERR_LOG_H
#define QREXEC_STDERR_LOG_H

#include <stddef.h>

struct stderr_log;

struct stderr_log *stderr_log_new(const char *tag);
void stderr_log_write(struct stderr_log *log, const void *bytes, size_t len);
void stderr_log_free(struct stderr_log *log); /* writes a last line without an end; NULL is fine */

/* A service that nobody waits for: reads fd (taken over) to its end, then frees itself. */
void stderr_log_detach(struct stderr_log *log, int fd);

#endif
