/*
 * policy_query - one question to the policy: may this call be made, and where does it go?
 *
 * Asked over the policy daemon's socket; where that is absent or answers nonsense, a program is
 * asked instead. Whatever is not a well-formed "allow" is a refusal. No time limit: a person may be
 * thinking.
 */
#ifndef QREXEC_POLICY_QUERY_H
#define QREXEC_POLICY_QUERY_H

#include "shared/qrexec_decode.h"
#include "shared/qrexec_text_decode.h"

struct policy_query;

/*
 * Once, from the loop; the query is to be freed. verdict is NULL when there is no answer to be had;
 * its strings may be moved out.
 */
typedef void (*policy_query_done)(struct qrexec_verdict *verdict, void *data);

/* program is asked when the daemon cannot be: a path, borrowed for the query. */
struct policy_query *policy_query_new(const char *program, const char *source,
    const struct qrexec_trigger *trigger, policy_query_done done, void *data);
/* Also gives up: the policy daemon sees us leave and takes back its question to a person. */
void policy_query_free(struct policy_query *query);

#endif
