/*
 * choices - what the person may choose from when a rule asks.
 *
 * Source: docs/policy.md, "Ask".
 */
#ifndef QREXEC_POLICY_CHOICES_H
#define QREXEC_POLICY_CHOICES_H

#include "qrexec/policy/evaluation.h"

/* Makes the decision an ask with its choices, or a denial when there are none. */
void choices_offer(struct evaluation *eval, const struct policy_rule *rule);

#endif
