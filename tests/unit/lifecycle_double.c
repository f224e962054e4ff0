#include "tests/unit/lifecycle_double.h"

#include "qubesd/event.h"
#include "qubesd/hypervisor.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qubes_app.h"

#include <string.h>

struct lifecycle {
	struct qubes_app *app;
	GHashTable *states; /* name -> literal */
};

/* The answer comes later, as the real one's does. */
struct answer {
	lifecycle_done done;
	void *data;
	struct admin_error error;
};

static gboolean
on_answer(void *data)
{
	struct answer *answer = data;

	answer->done(answer->error.name != NULL ? &answer->error : NULL, answer->data);
	admin_error_clear(&answer->error);
	g_free(answer);
	return G_SOURCE_REMOVE;
}

static void
answer_later(lifecycle_done done, void *data, const char *error)
{
	struct answer *answer = g_new0(struct answer, 1);

	answer->done = done;
	answer->data = data;
	if (error != NULL)
		admin_error_set(&answer->error, error, "not in this state");
	g_idle_add(on_answer, answer);
}

int
lifecycle_new(
    struct qubes_app *app, const char *default_kind, struct lifecycle **ret, char **ret_error)
{
	struct lifecycle *lifecycle = g_new0(struct lifecycle, 1);

	(void)default_kind, (void)ret_error;
	lifecycle->app = app;
	lifecycle->states = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	*ret = lifecycle;
	return 0;
}

void
lifecycle_free(struct lifecycle *lifecycle)
{
	if (lifecycle == NULL)
		return;
	g_hash_table_unref(lifecycle->states);
	g_free(lifecycle);
}

void
lifecycle_adopt_all(struct lifecycle *lifecycle)
{
	(void)lifecycle;
}

void
lifecycle_double_set(struct lifecycle *lifecycle, const struct domain *domain, const char *state)
{
	if (strcmp(state, "Halted") == 0)
		g_hash_table_remove(lifecycle->states, domain_name(domain));
	else
		g_hash_table_insert(
		    lifecycle->states, g_strdup(domain_name(domain)), (char *)state);
}

static bool
is(const struct lifecycle *lifecycle, const struct domain *domain, const char *state)
{
	return strcmp(lifecycle_power_state(lifecycle, domain), state) == 0;
}

void
lifecycle_start(struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	if (is(lifecycle, domain, "Halted")) {
		lifecycle_double_set(lifecycle, domain, "Running");
		event_fire(lifecycle->app, domain, "domain-start", "start_guid", "0", NULL);
	}
	answer_later(done, data, NULL);
}

void
lifecycle_shutdown(struct lifecycle *lifecycle, struct domain *domain, bool force, bool wait,
    lifecycle_done done, void *data)
{
	(void)force, (void)wait;
	lifecycle_kill(lifecycle, domain, done, data);
}

void
lifecycle_kill(struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	bool halted = is(lifecycle, domain, "Halted");

	lifecycle_double_set(lifecycle, domain, "Halted");
	if (!halted)
		event_fire(lifecycle->app, domain, "domain-shutdown", NULL);
	answer_later(done, data, halted ? "QubesVMNotStartedError" : NULL);
}

void
lifecycle_pause(struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	bool running = is(lifecycle, domain, "Running");

	if (running)
		lifecycle_double_set(lifecycle, domain, "Paused");
	answer_later(done, data, running ? NULL : "QubesVMNotRunningError");
}

void
lifecycle_unpause(
    struct lifecycle *lifecycle, struct domain *domain, lifecycle_done done, void *data)
{
	bool paused = is(lifecycle, domain, "Paused");

	if (paused)
		lifecycle_double_set(lifecycle, domain, "Running");
	answer_later(done, data, paused ? NULL : "QubesVMNotPausedError");
}

const char *
lifecycle_power_state(const struct lifecycle *lifecycle, const struct domain *domain)
{
	const char *state = g_hash_table_lookup(lifecycle->states, domain_name(domain));

	return state != NULL ? state : "Halted";
}

bool
lifecycle_is_active(const struct lifecycle *lifecycle, const struct domain *domain)
{
	return !is(lifecycle, domain, "Halted");
}

long
lifecycle_xid(const struct lifecycle *lifecycle, const struct domain *domain)
{
	return is(lifecycle, domain, "Halted") ? -1 : (long)domain_qid(domain) + 100;
}

/* Only with the feature, so that qubes of most tests have no files. */
bool
lifecycle_has_disks(const struct lifecycle *lifecycle, const struct domain *domain)
{
	const char *kind = domain_feature(domain, FEATURE_TEMPLATE, "hypervisor");

	(void)lifecycle;
	return kind != NULL && strchr(kind, ':') != NULL;
}

void
lifecycle_usage(
    const struct lifecycle *lifecycle, const struct domain *domain, struct hypervisor_usage *ret)
{
	(void)lifecycle, (void)domain;
	*ret = (struct hypervisor_usage){512, 1024, 100};
}
