/*
 * cgroup - limits for a sandbox, where this system lets us set any.
 *
 * Version 2: a group "bordure/UUID" below the root group (as root) or below our own (else).
 * Version 1: the same in each of the hierarchies memory, pids, freezer and cpuacct. Both may be
 * mixed. What cannot be had is left out; cgroup_new() says what was had.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_PIDS_MAX 4096 /* processes and threads of one sandbox */

struct cgroup_limits {
	uint64_t memory_bytes;
	uint32_t pids;
};

/*
 * Makes the groups and sets the limits. *ret_folders are their absolute folders (g_strfreev()),
 * possibly none; *ret_missing a text such as "memory, pids" naming the limits that could not be
 * set, NULL when all were (g_free()).
 */
void cgroup_new(
    const char *uuid, const struct cgroup_limits *limits, char ***ret_folders, char **ret_missing);
/* Moves a process, with what it will fork, into them. 0 or the first failure. */
int cgroup_add(char *const *folders, pid_t pid);
/* Removes them; processes that are still inside are killed first. */
void cgroup_free(char *const *folders);

/*
 * Stops or continues all processes. -ENOTSUP when there is no freezer among the folders; the
 * caller then sends signals.
 */
int cgroup_freeze(char *const *folders, bool on);
bool cgroup_is_frozen(char *const *folders);

/* What is used now; false when no group can tell. */
bool cgroup_memory_kib(char *const *folders, uint64_t *ret);
bool cgroup_cpu_ns(char *const *folders, uint64_t *ret);

#endif
