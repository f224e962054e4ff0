#include "qubesd/tools/vmnames.h"

#include "shared/text.h"

#include <fnmatch.h>
#include <string.h>

static void
vm_free(struct vm *vm)
{
	g_free(vm->name);
	g_free(vm->klass);
	g_free(vm->state);
	g_free(vm->uuid);
	g_free(vm);
}

static GPtrArray *
vms_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)vm_free);
}

bool
vm_is_in_state(const struct vm *vm, const char *state)
{
	return vm->state != NULL && strcmp(vm->state, state) == 0;
}

bool
vm_is_active(const struct vm *vm)
{
	return vm->state == NULL ||
	       (strcmp(vm->state, "Halted") != 0 && strcmp(vm->state, "Crashed") != 0 &&
		   strcmp(vm->state, "NA") != 0);
}

/* The value of "key=" among the words of a line, or NULL. */
static char *
line_value(char *const *words, const char *key)
{
	for (size_t i = 1; words[i] != NULL; i++) {
		if (g_str_has_prefix(words[i], key))
			return g_strdup(words[i] + strlen(key));
	}
	return NULL;
}

static void
add_lines(GPtrArray *vms, const char *content)
{
	g_auto(GStrv) lines = client_lines(content);

	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
		struct vm *vm;

		if (words[0] == NULL || words[0][0] == '\0')
			continue;
		vm = g_new0(struct vm, 1);
		vm->name = g_strdup(words[0]);
		vm->klass = line_value(words, "class=");
		vm->state = line_value(words, "state=");
		vm->uuid = line_value(words, "uuid=");
		g_ptr_array_add(vms, vm);
	}
}

int
vmnames_list(struct tool_run *run, GPtrArray **ret)
{
	struct client_call call = tool_call(run, "admin.vm.List", NULL, "dom0", NULL);
	int status = 0;

	if (call.ok) {
		*ret = vms_new();
		add_lines(*ret, call.content);
	} else {
		status = tool_error(run, "%s", call.message);
	}
	client_clear(&call, 1);
	return status;
}

static bool
is_pattern(const char *word)
{
	return strpbrk(word, "*?[") != NULL;
}

/* dom0 is always there; as the destination of a List it would mean every qube. */
static bool
is_dom0(const char *word)
{
	return strcmp(word, "dom0") == 0 ||
	       strcmp(word, "uuid:00000000-0000-0000-0000-000000000000") == 0;
}

static bool
is_askable(const char *word)
{
	if (g_str_has_prefix(word, "uuid:"))
		return text_is_uuid(word + strlen("uuid:"));
	return text_is_qube_name(word);
}

static bool
is_listed(const GPtrArray *vms, const char *name)
{
	for (guint i = 0; i < vms->len; i++) {
		if (strcmp(((struct vm *)vms->pdata[i])->name, name) == 0)
			return true;
	}
	return false;
}

static void
add_once(GPtrArray *vms, const struct vm *vm)
{
	struct vm *copy;

	if (is_listed(vms, vm->name))
		return;
	copy = g_new0(struct vm, 1);
	copy->name = g_strdup(vm->name);
	copy->klass = g_strdup(vm->klass);
	copy->state = g_strdup(vm->state);
	copy->uuid = g_strdup(vm->uuid);
	g_ptr_array_add(vms, copy);
}

static void
add_matches(GPtrArray *vms, const GPtrArray *all, const char *pattern)
{
	for (guint i = 0; i < all->len; i++) {
		const struct vm *vm = all->pdata[i];

		if (fnmatch(pattern, vm->name, FNM_NOESCAPE) == 0)
			add_once(vms, vm);
	}
}

/*
 * What the reply to one name's List says. A refusal is no proof of absence: such a qube is taken as
 * there, and the tool's own calls will tell.
 */
static int
add_named(struct tool_run *run, GPtrArray *vms, const char *word, const struct client_call *call,
    GPtrArray *missing)
{
	if (call->ok) {
		g_autoptr(GPtrArray) found = vms_new();

		add_lines(found, call->content);
		for (guint i = 0; i < found->len; i++)
			add_once(vms, found->pdata[i]);
		return 0;
	}
	if (client_call_found_nobody(call))
		return tool_error(run, "%s", call->message);
	if (client_call_failed_with(call, "QubesVMNotFoundError") ||
	    client_call_failed_with(call, "QubesVMInvalidUUIDError")) {
		if (missing == NULL)
			return tool_usage_error(run, "no such domain: '%s'", word);
		g_ptr_array_add(missing, g_strdup(word));
		return 0;
	}
	add_once(vms, &(struct vm){.name = (char *)word});
	return 0;
}

/* Words in their order: patterns against the list, names by one call each, all made at once. */
static int
resolve(struct tool_run *run, const GPtrArray *words, const GPtrArray *all, GPtrArray *missing,
    GPtrArray *vms)
{
	static const struct vm dom0 = {(char *)"dom0", (char *)"AdminVM", (char *)"Running",
	    (char *)"00000000-0000-0000-0000-000000000000"};
	g_autofree struct client_call *calls = g_new0(struct client_call, words->len);
	size_t count = 0, answered = 0;
	int status = 0;

	for (guint i = 0; i < words->len; i++) {
		const char *word = words->pdata[i];

		if (!is_pattern(word) && !is_dom0(word) && is_askable(word))
			calls[count++] =
			    (struct client_call){.method = "admin.vm.List", .dest = word};
	}
	client_run(run->client, calls, count);
	for (guint i = 0; i < words->len && status == 0; i++) {
		const char *word = words->pdata[i];

		if (is_pattern(word))
			add_matches(vms, all, word);
		else if (is_dom0(word))
			add_once(vms, &dom0);
		else if (is_askable(word))
			status = add_named(run, vms, word, &calls[answered++], missing);
		else if (missing != NULL)
			g_ptr_array_add(missing, g_strdup(word));
		else
			status = tool_usage_error(run, "no such domain: '%s'", word);
	}
	client_clear(calls, count);
	return status;
}

static bool
is_excluded(const struct selection *selection, const char *name)
{
	for (guint i = 0; selection->exclude != NULL && i < selection->exclude->len; i++) {
		if (strcmp(selection->exclude->pdata[i], name) == 0)
			return true;
	}
	return false;
}

static int
select_all(
    struct tool_run *run, const struct selection *selection, const GPtrArray *all, GPtrArray *vms)
{
	for (guint i = 0; selection->exclude != NULL && i < selection->exclude->len; i++) {
		const char *name = selection->exclude->pdata[i];

		if (!is_listed(all, name))
			return tool_usage_error(run, "no such domain: '%s'", name);
	}
	for (guint i = 0; i < all->len; i++) {
		const struct vm *vm = all->pdata[i];

		if (strcmp(vm->name, "dom0") != 0 && !is_excluded(selection, vm->name))
			add_once(vms, vm);
	}
	return 0;
}

static bool
has_pattern(const GPtrArray *words)
{
	for (guint i = 0; i < words->len; i++) {
		if (is_pattern(words->pdata[i]))
			return true;
	}
	return false;
}

int
vmnames_select(struct tool_run *run, const GPtrArray *words, const struct selection *selection,
    bool required, GPtrArray *missing, GPtrArray **ret)
{
	bool take_all = selection != NULL && selection->all;
	g_autoptr(GPtrArray) all = NULL;
	g_autoptr(GPtrArray) vms = vms_new();
	int status = 0;

	if (take_all && words->len > 0)
		return tool_usage_error(run, "--all and names do not go together");
	if (!take_all && selection != NULL && selection->exclude != NULL)
		return tool_usage_error(run, "--exclude can only be used with --all");
	if (required && !take_all && words->len == 0)
		return tool_usage_error(run, "name a qube, or use --all");
	if (take_all || has_pattern(words))
		status = vmnames_list(run, &all);
	if (status == 0)
		status = take_all ? select_all(run, selection, all, vms)
				  : resolve(run, words, all, missing, vms);
	if (status == 0)
		*ret = g_steal_pointer(&vms);
	return status;
}

int
vmnames_one(struct tool_run *run, const char *word, char **ret_name)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GPtrArray) vms = vms_new();
	int status;

	g_ptr_array_add(words, (gpointer)word);
	if (is_pattern(word))
		return tool_usage_error(run, "no such domain: '%s'", word);
	status = resolve(run, words, NULL, NULL, vms);
	if (status == 0)
		*ret_name = g_strdup(((struct vm *)vms->pdata[0])->name);
	return status;
}
