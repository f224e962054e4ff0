/*
 * role - on which side this program runs.
 *
 * Files do not tell: a sandbox shares the host's /usr, and a host may have a guest's programs
 * installed. What tells is who answers: qrexec-agent's socket means a qube, else a qubesd that
 * takes connections means the trusted side. BORDURE_ROLE=trusted or qube overrides it, for tests.
 */
#ifndef SHARED_ROLE_H
#define SHARED_ROLE_H

#include <stdbool.h>

bool role_is_trusted_side(void);

#endif
