/*
 * service_lookup - from the name of a service to the file that serves it.
 *
 * Only folders of the administrator are searched, only for one plain file name; the first folder
 * that has "name+argument" wins, then the first that has "name". An error other than "not there"
 * ends the search: falling through to a later folder would run something else than was meant.
 * Source: docs/qrexec.md, "Finding a service".
 */
#ifndef QREXEC_SERVICE_LOOKUP_H
#define QREXEC_SERVICE_LOOKUP_H

#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

enum service_kind {
	SERVICE_EXECUTABLE,
	SERVICE_SOCKET,
	SERVICE_TCP, /* the file is a link whose text begins with /dev/tcp */
};

struct service_found {
	enum service_kind kind;
	char *path; /* owned; absolute if the folder was */
	char *link; /* owned; SERVICE_TCP only: the text of the link */
};

/*
 * search: colon separated folders. Returns 0; -ENOENT when there is no such service; -EACCES when
 * what is there is no service; another negative errno. *ret is untouched on failure.
 */
int service_lookup(
    const char *search, const struct qrexec_command *command, struct service_found *ret);
void service_found_clear(struct service_found *found);

/* The same search for a plain file, whatever it is; *ret is its path. */
int service_lookup_file(const char *search, const struct qrexec_command *command, char **ret);

/*
 * Where a TCP service leads: takes the link's text and the call's argument (NULL: none) apart.
 * Pure; a numeric address and a port 1..65535, or -EINVAL. Both strings are to be freed.
 */
int service_tcp_parse(const char *link, const char *argument, char **ret_host, char **ret_port);

#endif
