#include "qrexec/policy/decision.h"

#include <string.h>

void
policy_decision_clear(struct policy_decision *decision)
{
	g_free(decision->reason);
	g_free(decision->source);
	g_free(decision->requested_target);
	g_free(decision->guivm);
	g_free(decision->target);
	g_free(decision->reply);
	g_clear_pointer(&decision->choices, g_array_unref);
	g_free(decision->default_target);
	g_clear_pointer(&decision->warnings, g_ptr_array_unref);
	*decision = (struct policy_decision){0};
}

const struct policy_choice *
policy_decision_find(const struct policy_decision *decision, const char *target)
{
	for (guint i = 0; decision->choices != NULL && i < decision->choices->len; i++) {
		const struct policy_choice *choice =
		    &g_array_index(decision->choices, struct policy_choice, i);

		if (strcmp(choice->target, target) == 0)
			return choice;
	}
	return NULL;
}

bool
policy_decision_offers(const struct policy_decision *decision, const char *target)
{
	return policy_decision_find(decision, target) != NULL;
}

static void
choice_clear(gpointer data)
{
	struct policy_choice *choice = data;

	g_free(choice->target);
	g_free(choice->uuid);
}

GArray *
policy_choices_new(void)
{
	GArray *choices = g_array_new(FALSE, FALSE, sizeof(struct policy_choice));

	g_array_set_clear_func(choices, choice_clear);
	return choices;
}
