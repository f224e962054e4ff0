#include "qubesd/tools/run_service.h"

#include "qubesd/tools/vmexec.h"

#include <glib.h>

static void
choose_for_program(
    const struct run_wish *wish, const struct run_traits *traits, struct run_service *ret)
{
	g_autofree char *encoded = vmexec_encode(wish->words);
	const char *name = "qubes.VMExec";

	if (wish->as_root && traits->root_exec)
		name = "qubes.VMRootExec";
	else if (wish->disposable && traits->gui)
		name = "qubes.VMExecGUI";
	ret->service = g_strconcat(name, "+", encoded, NULL);
}

static void
choose_for_shell(const struct run_wish *wish, const struct run_traits *traits, const char *command,
    struct run_service *ret)
{
	const char *name = "qubes.VMShell";

	if (wish->just_exec) {
		ret->command = g_strdup(command);
		return;
	}
	if (wish->as_root && traits->root_shell)
		name = "qubes.VMRootShell";
	else if (wish->disposable && traits->gui)
		name = "qubes.VMShell+WaitForSession";
	ret->service = g_strdup(name);
	ret->prefix = g_strdup_printf("%s; exit\n", command);
}

void
run_service_choose(
    const struct run_wish *wish, const struct run_traits *traits, struct run_service *ret)
{
	bool as_program = wish->no_shell || wish->words[1] != NULL;
	g_autofree char *quoted = as_program ? vmexec_quote(wish->words) : NULL;

	*ret = (struct run_service){0};
	if (wish->is_service)
		ret->service = g_strdup(wish->words[0]);
	else if (as_program && traits->vmexec)
		choose_for_program(wish, traits, ret);
	else
		choose_for_shell(wish, traits, as_program ? quoted : wish->words[0], ret);
}

void
run_service_clear(struct run_service *service)
{
	g_clear_pointer(&service->service, g_free);
	g_clear_pointer(&service->prefix, g_free);
	g_clear_pointer(&service->command, g_free);
}
