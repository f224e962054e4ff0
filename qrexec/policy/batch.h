/*
 * batch - evaluates recorded requests: one JSON object a line in, one a line out.
 *
 * Shape:  an entry brings its own policy files, system information and request; kind "evaluate"
 *         asks for a decision, "parse" for the list of rules. Each entry is loaded from a folder
 *         of its own, so what runs is what the daemon runs.
 * Source: docs/policy.md, "Batches".
 */
#ifndef QREXEC_POLICY_BATCH_H
#define QREXEC_POLICY_BATCH_H

#include <stdio.h>

/* Returns 0 when every line was an entry, else -EINVAL; answers have been written all the same. */
int policy_batch(FILE *in, FILE *out);

#endif
