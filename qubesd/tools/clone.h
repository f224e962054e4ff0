/*
 * clone - makes a new qube like another one: properties, tags, features, and volumes.
 *
 * There is no such call; it is a row of ordinary ones, each under its own policy.
 */
#ifndef QUBESD_TOOLS_CLONE_H
#define QUBESD_TOOLS_CLONE_H

#include "qubesd/tools/tool.h"

/*
 * Copies what belongs to a qube and not to its identity. The volume "private" is left out unless
 * with_private. A qubesd without volumes has none to copy. Returns NULL, or a sentence (g_free())
 * about the first call that failed.
 */
char *clone_contents(
    struct tool_run *run, const char *source, const char *target, bool with_private);

#endif
