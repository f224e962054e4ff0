#include "qrexec/policy/index.h"

#include <glib.h>

struct policy {
	GStringChunk *chunk;
	GHashTable *texts;    /* text -> itself, in chunk */
	GHashTable *tokens;   /* text -> owned struct policy_token */
	GArray *rules;        /* struct policy_rule */
	GHashTable *services; /* interned name -> GArray of rule numbers */
	GArray *any_service;  /* rule numbers */
};

const char *
policy_action_name(enum policy_action action)
{
	static const char *const names[] = {
	    [POLICY_ACTION_ALLOW] = "allow",
	    [POLICY_ACTION_ASK] = "ask",
	    [POLICY_ACTION_DENY] = "deny",
	};

	return names[action];
}

static void
numbers_free(gpointer numbers)
{
	g_array_free(numbers, TRUE);
}

struct policy *
policy_new(void)
{
	struct policy *policy = g_new0(struct policy, 1);

	policy->chunk = g_string_chunk_new(4096);
	policy->texts = g_hash_table_new(g_str_hash, g_str_equal);
	policy->tokens = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	policy->rules = g_array_new(FALSE, FALSE, sizeof(struct policy_rule));
	policy->services = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, numbers_free);
	policy->any_service = g_array_new(FALSE, FALSE, sizeof(unsigned));
	return policy;
}

void
policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	g_array_free(policy->any_service, TRUE);
	g_hash_table_destroy(policy->services);
	g_array_free(policy->rules, TRUE);
	g_hash_table_destroy(policy->tokens);
	g_hash_table_destroy(policy->texts);
	g_string_chunk_free(policy->chunk);
	g_free(policy);
}

size_t
policy_rule_count(const struct policy *policy)
{
	return policy->rules->len;
}

const struct policy_rule *
policy_rule_at(const struct policy *policy, size_t number)
{
	return &g_array_index(policy->rules, struct policy_rule, number);
}

size_t
policy_token_count(const struct policy *policy)
{
	return g_hash_table_size(policy->tokens);
}

const char *
policy_intern(struct policy *policy, const char *text)
{
	char *own;

	if (text == NULL)
		return NULL;
	own = g_hash_table_lookup(policy->texts, text);
	if (own == NULL) {
		own = g_string_chunk_insert(policy->chunk, text);
		g_hash_table_add(policy->texts, own);
	}
	return own;
}

const struct policy_token *
policy_intern_token(struct policy *policy, const struct policy_token *token)
{
	struct policy_token *own;

	if (token == NULL)
		return NULL;
	own = g_hash_table_lookup(policy->tokens, token->text);
	if (own == NULL) {
		own = g_new(struct policy_token, 1);
		*own = *token;
		own->text = policy_intern(policy, token->text);
		own->value = own->text + (token->value - token->text);
		own->index = g_hash_table_size(policy->tokens);
		g_hash_table_insert(policy->tokens, (gpointer)own->text, own);
	}
	return own;
}

static GArray *
numbers_of_service(struct policy *policy, const char *service)
{
	GArray *numbers;

	if (service == NULL)
		return policy->any_service;
	numbers = g_hash_table_lookup(policy->services, service);
	if (numbers == NULL) {
		numbers = g_array_new(FALSE, FALSE, sizeof(unsigned));
		g_hash_table_insert(policy->services, (gpointer)service, numbers);
	}
	return numbers;
}

void
policy_add_rule(struct policy *policy, const struct policy_rule *rule)
{
	unsigned number = policy->rules->len;

	g_array_append_vals(policy->rules, rule, 1);
	g_array_append_vals(numbers_of_service(policy, rule->service), &number, 1);
}

const struct policy_token *
policy_find_token(const struct policy *policy, const char *text)
{
	return g_hash_table_lookup(policy->tokens, text);
}

/* NULL to NULL for a list that is missing or empty. */
static void
set_range(const GArray *numbers, const unsigned **ret_begin, const unsigned **ret_end)
{
	bool empty = numbers == NULL || numbers->len == 0;

	*ret_begin = empty ? NULL : &g_array_index(numbers, unsigned, 0);
	*ret_end = empty ? NULL : *ret_begin + numbers->len;
}

void
policy_cursor_init(struct policy_cursor *cursor, const struct policy *policy, const char *service,
    const char *argument)
{
	cursor->policy = policy;
	cursor->argument = g_hash_table_lookup(policy->texts, argument);
	set_range(
	    g_hash_table_lookup(policy->services, service), &cursor->exact, &cursor->exact_end);
	set_range(policy->any_service, &cursor->any, &cursor->any_end);
}

/* The smaller of the two lists' next numbers, that is the rule that stands first. */
static const struct policy_rule *
cursor_take(struct policy_cursor *cursor)
{
	bool has_exact = cursor->exact < cursor->exact_end;
	bool has_any = cursor->any < cursor->any_end;

	if (!has_exact && !has_any)
		return NULL;
	if (!has_any || (has_exact && *cursor->exact < *cursor->any))
		return policy_rule_at(cursor->policy, *cursor->exact++);
	return policy_rule_at(cursor->policy, *cursor->any++);
}

const struct policy_rule *
policy_cursor_next(struct policy_cursor *cursor)
{
	const struct policy_rule *rule;

	while ((rule = cursor_take(cursor)) != NULL) {
		if (rule->argument == NULL || rule->argument == cursor->argument)
			return rule;
	}
	return NULL;
}
