/* Methods that start and stop qubes. What a state allows is the lifecycle's to say. */
#include "qubesd/admin.h"
#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/hypervisor.h"
#include "qubesd/lifecycle.h"

#include <unistd.h>

void
admin_power_state(struct admin_call *call)
{
	struct domain *domain = admin_call_dest(call);
	struct lifecycle *lifecycle = qubes_app_lifecycle(admin_call_app(call));
	struct hypervisor_usage usage = {0};
	g_autofree char *text = NULL;

	if (domain_is_dom0(domain)) {
		usage.memory_kib =
		    (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
		usage.memory_max_kib = usage.memory_kib;
	} else if (lifecycle != NULL && !domain_is_halted(domain)) {
		lifecycle_usage(lifecycle, domain, &usage);
	}
	text = g_strdup_printf("mem=%" G_GUINT64_FORMAT " mem_static_max=%" G_GUINT64_FORMAT
			       " cputime=%" G_GUINT64_FORMAT " power_state=%s",
	    usage.memory_kib, usage.memory_max_kib, usage.cputime_ns, domain_power_state(domain));
	admin_call_reply(call, text);
}

/* A disposable may have been removed by its stop: that is on disk before the answer. */
static void
on_done(const struct admin_error *error, void *data)
{
	struct admin_call *call = data;

	if (error != NULL)
		admin_call_fail_with(call, error->name, "%s", error->message);
	else
		admin_call_commit(call, NULL);
}

/* The lifecycle; or NULL, after an answer, where the destination or the daemon cannot do that. */
static struct lifecycle *
lifecycle_of(struct admin_call *call, const char *dom0_error, const char *offline_error)
{
	struct domain *domain = admin_call_dest(call);
	struct lifecycle *lifecycle = qubes_app_lifecycle(admin_call_app(call));

	if (domain_is_dom0(domain)) {
		admin_call_fail_with(call, dom0_error, "dom0 always runs");
		return NULL;
	}
	if (domain_class(domain) == DOMAIN_REMOTE) {
		admin_call_fail_with(
		    call, "QubesVMError", "'%s' is not on this machine", domain_name(domain));
		return NULL;
	}
	if (lifecycle == NULL)
		admin_call_fail_with(call, offline_error,
		    "'%s' is off, and this daemon runs offline", domain_name(domain));
	return lifecycle;
}

void
admin_power_start(struct admin_call *call)
{
	struct lifecycle *lifecycle = lifecycle_of(call, "QubesVMNotHaltedError", "QubesException");

	if (lifecycle != NULL)
		lifecycle_start(lifecycle, admin_call_dest(call), on_done, call);
}

void
admin_power_shutdown(struct admin_call *call)
{
	struct admin_error error = {0};
	struct lifecycle *lifecycle;
	bool force, wait;

	if (!admin_decode_shutdown(admin_call_arg(call), &force, &wait, &error)) {
		admin_call_fail(call, &error);
		return;
	}
	lifecycle = lifecycle_of(call, "QubesVMError", "QubesVMNotStartedError");
	if (lifecycle != NULL)
		lifecycle_shutdown(lifecycle, admin_call_dest(call), force, wait, on_done, call);
}

void
admin_power_kill(struct admin_call *call)
{
	struct lifecycle *lifecycle = lifecycle_of(call, "QubesVMError", "QubesVMNotStartedError");

	if (lifecycle != NULL)
		lifecycle_kill(lifecycle, admin_call_dest(call), on_done, call);
}

void
admin_power_pause(struct admin_call *call)
{
	struct lifecycle *lifecycle = lifecycle_of(call, "QubesVMError", "QubesVMNotRunningError");

	if (lifecycle != NULL)
		lifecycle_pause(lifecycle, admin_call_dest(call), on_done, call);
}

void
admin_power_unpause(struct admin_call *call)
{
	struct lifecycle *lifecycle = lifecycle_of(call, "QubesVMError", "QubesVMNotPausedError");

	if (lifecycle != NULL)
		lifecycle_unpause(lifecycle, admin_call_dest(call), on_done, call);
}
