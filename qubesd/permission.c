#include "qubesd/permission.h"

#include "qubesd/domain.h"
#include "qubesd/policy_client.h"

#include <string.h>

#define DENIED "PermissionDenied"

/* Bookkeeping that a client could use to mark or to leak disposables and connections of others. */
static const char *const forbidden_features[] = {
    "deferred-netvm-original",
    "preload-dispvm",
    "preload-dispvm-completed",
    "preload-dispvm-in-progress",
};

bool
permission_to_change_tag(const struct domain *source, const char *tag, struct admin_error *error)
{
	if (!domain_is_dom0(source) && g_str_has_prefix(tag, "created-by-"))
		return admin_error_set(
		    error, DENIED, "Only dom0 may change tags that say who created a qube");
	return true;
}

bool
permission_to_change_feature(
    const struct domain *source, const char *feature, struct admin_error *error)
{
	/* Whose programs run a qube, and as whom on the host, is not for who manages it. */
	if (!domain_is_dom0(source) && strcmp(feature, "hypervisor") == 0)
		return admin_error_set(
		    error, DENIED, "Only dom0 may choose the hypervisor of a qube");
	for (size_t i = 0; i < G_N_ELEMENTS(forbidden_features); i++) {
		if (strcmp(feature, forbidden_features[i]) == 0)
			return admin_error_set(
			    error, DENIED, "The daemon keeps this feature for itself");
	}
	return true;
}

/* --- lists ---------------------------------------------------------------------------------- */

struct list_filter {
	GPtrArray *domains; /* struct domain * */
	bool *allowed;      /* one for each */
	guint unanswered;
	permission_listed done;
	void *data; /* borrowed from who asks */
};

/* The data of one question: which domain it is about. */
struct list_question {
	struct list_filter *filter;
	guint index;
};

static void
unref_domain(void *domain)
{
	domain_unref(domain);
}

static void
finish_list(struct list_filter *filter)
{
	GPtrArray *seen = g_ptr_array_new_with_free_func(unref_domain);

	for (guint i = 0; i < filter->domains->len; i++) {
		struct domain *domain = filter->domains->pdata[i];

		if (filter->allowed[i] && !domain_is_removed(domain))
			g_ptr_array_add(seen, domain_ref(domain));
	}
	filter->done(seen, filter->data);
	g_ptr_array_unref(filter->domains);
	g_free(filter->allowed);
	g_free(filter);
}

static void
on_list_answer(bool allowed, void *data)
{
	struct list_question *question = data;
	struct list_filter *filter = question->filter;

	filter->allowed[question->index] = allowed;
	g_free(question);
	if (--filter->unanswered == 0)
		finish_list(filter);
}

void
permission_filter_list(struct policy_client *policy, const struct domain *source,
    GPtrArray *domains, permission_listed done, void *data)
{
	struct list_filter *filter;

	if (domain_is_dom0(source)) {
		done(domains, data);
		return;
	}
	filter = g_new0(struct list_filter, 1);
	filter->domains = domains;
	filter->allowed = g_new0(bool, domains->len);
	filter->unanswered = domains->len; /* dom0 is always there */
	filter->done = done;
	filter->data = data;
	for (guint i = 0; i < domains->len; i++) {
		struct list_question *question = g_new0(struct list_question, 1);

		question->filter = filter;
		question->index = i;
		policy_client_ask(policy, domain_name(source), domain_name(domains->pdata[i]),
		    "admin.vm.List+", on_list_answer, question);
	}
}
