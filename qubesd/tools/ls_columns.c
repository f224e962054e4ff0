#include "qubesd/tools/ls_columns.h"

#include "qubesd/tools/properties.h"

#include <string.h>

struct ls_column_type {
	const char *head;
	unsigned needs;
	const char *property; /* what a plain property column shows; NULL: the function tells */
	bool numeric;
	char *(*cell)(const struct ls_vm *vm, const char *detail);
	const char *detail; /* for the function: a volume and what of it */
	const char *help;
};

/* --- cells; NULL stands for "-" ------------------------------------------------------------- */

static char *
cell_name(const struct ls_vm *vm, const char *detail)
{
	(void)detail;
	return g_strdup(vm->vm->name);
}

static char *
cell_state(const struct ls_vm *vm, const char *detail)
{
	(void)detail;
	return g_strdup(vm->vm->state);
}

static char *
cell_class(const struct ls_vm *vm, const char *detail)
{
	(void)detail;
	return g_strdup(vm->vm->klass);
}

static char *
cell_gateway(const struct ls_vm *vm, const char *detail)
{
	(void)detail;
	return g_strdup(vm->gateway);
}

/* The number behind "key=" in text whose words are separated by one of separators. */
static bool
number_of(const char *text, const char *key, const char *separators, guint64 *ret)
{
	g_auto(GStrv) words = text != NULL ? g_strsplit_set(text, separators, -1) : NULL;

	for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
		if (g_str_has_prefix(words[i], key))
			return g_ascii_string_to_unsigned(
			    words[i] + strlen(key), 10, 0, G_MAXUINT64, ret, NULL);
	}
	return false;
}

static char *
cell_memory(const struct ls_vm *vm, const char *detail)
{
	guint64 kib;

	(void)detail;
	if (!vm_is_active(vm->vm) || !number_of(vm->state, "mem=", " ", &kib))
		return NULL;
	return g_strdup_printf("%" G_GUINT64_FORMAT, kib / 1024);
}

static const char *
volume_info(const struct ls_vm *vm, const char *volume)
{
	return vm->volumes != NULL ? g_hash_table_lookup(vm->volumes, volume) : NULL;
}

static char *
volume_mib(const struct ls_vm *vm, const char *volume, const char *key)
{
	guint64 bytes;

	if (!number_of(volume_info(vm, volume), key, "\n", &bytes))
		return NULL;
	return g_strdup_printf("%" G_GUINT64_FORMAT, bytes >> 20);
}

static char *
cell_volume_usage(const struct ls_vm *vm, const char *volume)
{
	return volume_mib(vm, volume, "usage=");
}

static char *
cell_volume_size(const struct ls_vm *vm, const char *volume)
{
	return volume_mib(vm, volume, "size=");
}

static char *
cell_volume_percent(const struct ls_vm *vm, const char *volume)
{
	const char *info = volume_info(vm, volume);
	guint64 usage, size;

	if (!number_of(info, "usage=", "\n", &usage) || !number_of(info, "size=", "\n", &size) ||
	    size == 0)
		return NULL;
	return g_strdup_printf("%.0f%%", 100.0 * (double)usage / (double)size);
}

static char *
cell_volume_pool(const struct ls_vm *vm, const char *volume)
{
	const char *info = volume_info(vm, volume);
	g_auto(GStrv) lines = info != NULL ? g_strsplit(info, "\n", -1) : NULL;

	for (size_t i = 0; lines != NULL && lines[i] != NULL; i++) {
		if (g_str_has_prefix(lines[i], "pool="))
			return g_strdup(lines[i] + strlen("pool="));
	}
	return NULL;
}

static const char *const volumes[] = {"root", "private", "volatile"};

static char *
cell_disk(const struct ls_vm *vm, const char *detail)
{
	guint64 sum = 0, usage;
	bool known = false;

	(void)detail;
	for (size_t i = 0; i < G_N_ELEMENTS(volumes); i++) {
		if (number_of(volume_info(vm, volumes[i]), "usage=", "\n", &usage)) {
			sum += usage;
			known = true;
		}
	}
	return known ? g_strdup_printf("%" G_GUINT64_FORMAT, sum >> 20) : NULL;
}

static char
flag_of_class(const struct ls_vm *vm)
{
	static const struct {
		const char *klass;
		char flag;
	} flags[] = {{"AdminVM", '0'}, {"AppVM", 'a'}, {"StandaloneVM", 's'}, {"DispVM", 'd'},
	    {"TemplateVM", 't'}, {"RemoteVM", 'r'}};
	g_autofree char *virt_mode = ls_vm_property(vm, "virt_mode");
	char flag = '-';

	for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
		if (g_strcmp0(vm->vm->klass, flags[i].klass) == 0)
			flag = flags[i].flag;
	}
	return g_strcmp0(virt_mode, "hvm") == 0 ? g_ascii_toupper(flag) : flag;
}

static char
flag_of_state(const struct ls_vm *vm)
{
	static const char *const states[] = {
	    "Running", "Transient", "Paused", "Suspended", "Halting", "Dying", "Crashed"};

	for (size_t i = 0; i < G_N_ELEMENTS(states); i++) {
		if (vm_is_in_state(vm->vm, states[i]))
			return g_ascii_tolower(states[i][0]);
	}
	return '-';
}

static char
flag_of_property(const struct ls_vm *vm, const char *property, char flag)
{
	g_autofree char *value = ls_vm_property(vm, property);

	return g_strcmp0(value, "True") == 0 ? flag : '-';
}

static char *
cell_flags(const struct ls_vm *vm, const char *detail)
{
	const char *internal = ls_vm_feature(vm, "internal");
	char flags[] = {flag_of_class(vm), flag_of_state(vm),
	    flag_of_property(vm, "updateable", 'U'), flag_of_property(vm, "provides_network", 'N'),
	    flag_of_property(vm, "installed_by_rpm", 'R'),
	    internal != NULL && internal[0] != '\0' ? 'i' : '-', flag_of_property(vm, "debug", 'D'),
	    flag_of_property(vm, "autostart", 'A'), '\0'};

	(void)detail;
	return g_strdup(flags);
}

/* clang-format off */
static const struct ls_column_type types[] = {
	{ "NAME",            0,             NULL,     false, cell_name,           NULL,      "the qube's name" },
	{ "STATE",           0,             NULL,     false, cell_state,          NULL,      "power state" },
	{ "CLASS",           0,             NULL,     false, cell_class,          NULL,      "class" },
	{ "GATEWAY",         LS_GATEWAYS,   NULL,     false, cell_gateway,        NULL,      "gateway of the qube for the network" },
	{ "MEMORY",          LS_STATE,      NULL,     true,  cell_memory,         NULL,      "memory in use, MiB" },
	{ "INITIALMEM",      LS_PROPERTIES, "memory", true,  NULL,                NULL,      "memory at the start, MiB" },
	{ "DISK",            LS_VOLUMES,    NULL,     true,  cell_disk,           NULL,      "disk space in use, MiB" },
	{ "PRIV-CURR",       LS_VOLUMES,    NULL,     true,  cell_volume_usage,   "private", "private volume: in use, MiB" },
	{ "PRIV-MAX",        LS_VOLUMES,    NULL,     true,  cell_volume_size,    "private", "private volume: size, MiB" },
	{ "PRIV-USED",       LS_VOLUMES,    NULL,     true,  cell_volume_percent, "private", "private volume: in use, percent" },
	{ "PRIV-POOL",       LS_VOLUMES,    NULL,     false, cell_volume_pool,    "private", "private volume: pool" },
	{ "ROOT-CURR",       LS_VOLUMES,    NULL,     true,  cell_volume_usage,   "root",    "root volume: in use, MiB" },
	{ "ROOT-MAX",        LS_VOLUMES,    NULL,     true,  cell_volume_size,    "root",    "root volume: size, MiB" },
	{ "ROOT-USED",       LS_VOLUMES,    NULL,     true,  cell_volume_percent, "root",    "root volume: in use, percent" },
	{ "ROOT-POOL",       LS_VOLUMES,    NULL,     false, cell_volume_pool,    "root",    "root volume: pool" },
	{ "FLAGS",           LS_PROPERTIES, NULL,     false, cell_flags,          NULL,      "type, state, Updateable, Network, Rpm, internal, Debug, Autostart" },
	{ "XID",             LS_PROPERTIES, "xid",    true,  NULL,                NULL,      "number of the running domain" },
	{ "MAXMEM",          LS_PROPERTIES, "maxmem", true,  NULL,                NULL,      "most memory it may get, MiB" },
	{ "VCPUS",           LS_PROPERTIES, "vcpus",  true,  NULL,                NULL,      "processors" },
	{ "QREXEC-TIMEOUT",  LS_PROPERTIES, "qrexec_timeout", true, NULL,         NULL,      "seconds a start may take" },
	{ "SHUTDOWN-TIMEOUT", LS_PROPERTIES, "shutdown_timeout", true, NULL,      NULL,      "seconds a shutdown may take" },
};
/* clang-format on */

/* Properties that FLAGS reads. */
static const char *const flag_properties[] = {
    "virt_mode", "updateable", "provides_network", "installed_by_rpm", "debug", "autostart"};

struct ls_column *
ls_column_new(const char *name)
{
	struct ls_column *column = g_new0(struct ls_column, 1);
	g_autofree char *upper = g_ascii_strup(name, -1);

	column->head = g_strdelimit(g_steal_pointer(&upper), "_", '-');
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		if (strcmp(column->head, types[i].head) == 0)
			column->type = &types[i];
	}
	if (column->type == NULL) {
		g_autofree char *lower = g_ascii_strdown(name, -1);

		column->property = g_strdelimit(g_steal_pointer(&lower), "-", '_');
	} else {
		column->property = g_strdup(column->type->property);
	}
	return column;
}

void
ls_column_free(struct ls_column *column)
{
	if (column == NULL)
		return;
	g_free(column->head);
	g_free(column->property);
	g_free(column);
}

bool
ls_column_is_numeric(const struct ls_column *column)
{
	return column->type != NULL && column->type->numeric;
}

void
ls_column_add_needs(const struct ls_column *column, struct ls_needs *needs)
{
	needs->what |= column->type != NULL ? column->type->needs : LS_PROPERTIES;
	if (column->property != NULL)
		ls_needs_add_property(needs, column->property);
	if (column->type != NULL && column->type->cell == cell_gateway)
		ls_needs_add_property(needs, "netvm");
	if (column->type != NULL && column->type->cell == cell_flags) {
		ls_needs_add_feature(needs, "internal");
		for (size_t i = 0; i < G_N_ELEMENTS(flag_properties); i++)
			ls_needs_add_property(needs, flag_properties[i]);
	}
}

char *
ls_column_cell(const struct ls_column *column, const struct ls_vm *vm)
{
	char *cell = column->property != NULL ? ls_vm_property(vm, column->property)
					      : column->type->cell(vm, column->type->detail);

	return cell != NULL ? cell : g_strdup("-");
}

void
ls_columns_print_help(FILE *stream)
{
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		fprintf(stream, "%-18s%s\n", types[i].head, types[i].help);
	fprintf(stream, "Every property is a column as well (qvm-prefs --help-properties).\n");
}

/* --- gathering ------------------------------------------------------------------------------ */

void
ls_needs_init(struct ls_needs *needs)
{
	needs->what = 0;
	needs->features = g_ptr_array_new();
	needs->properties = g_ptr_array_new_with_free_func(g_free);
}

void
ls_needs_fini(struct ls_needs *needs)
{
	g_ptr_array_unref(needs->features);
	g_ptr_array_unref(needs->properties);
}

void
ls_needs_add_feature(struct ls_needs *needs, const char *name)
{
	if (!g_ptr_array_find_with_equal_func(needs->features, name, g_str_equal, NULL))
		g_ptr_array_add(needs->features, (gpointer)name);
}

void
ls_needs_add_property(struct ls_needs *needs, const char *name)
{
	needs->what |= LS_PROPERTIES;
	if (!g_ptr_array_find_with_equal_func(needs->properties, name, g_str_equal, NULL))
		g_ptr_array_add(needs->properties, g_strdup(name));
}

static void
ls_vm_free(struct ls_vm *vm)
{
	g_free(vm->properties);
	g_free(vm->state);
	g_free(vm->gateway);
	g_strfreev(vm->tags);
	g_clear_pointer(&vm->volumes, g_hash_table_unref);
	g_clear_pointer(&vm->features, g_hash_table_unref);
	g_free(vm);
}

const char *
ls_vm_feature(const struct ls_vm *vm, const char *name)
{
	return vm->features != NULL ? g_hash_table_lookup(vm->features, name) : NULL;
}

char *
ls_vm_property(const struct ls_vm *vm, const char *name)
{
	struct property *property =
	    vm->properties != NULL ? properties_pick(vm->properties, name) : NULL;
	char *value = NULL;

	if (property != NULL && property_flag(property) != 'U' && !property_is_none(property))
		value = g_steal_pointer(&property->value);
	property_free(property);
	return value;
}

/* The calls about one qube, in the order in which take_replies() reads them. */
static void
add_calls(GArray *calls, const char *name, const struct ls_needs *needs)
{
	struct client_call call = {.dest = name};

	if (needs->what & LS_PROPERTIES) {
		call.method = "admin.vm.property.GetAll";
		g_array_append_val(calls, call);
	}
	if (needs->what & LS_STATE) {
		call.method = "admin.vm.CurrentState";
		g_array_append_val(calls, call);
	}
	if (needs->what & LS_TAGS) {
		call.method = "admin.vm.tag.List";
		g_array_append_val(calls, call);
	}
	for (size_t i = 0; needs->what & LS_VOLUMES && i < G_N_ELEMENTS(volumes); i++) {
		call.method = "admin.vm.volume.Info";
		call.arg = volumes[i];
		g_array_append_val(calls, call);
	}
	for (guint i = 0; i < needs->features->len; i++) {
		call.method = "admin.vm.feature.Get";
		call.arg = needs->features->pdata[i];
		g_array_append_val(calls, call);
	}
}

/* Moves the replies out of the calls about one qube; returns the call behind them. */
static struct client_call *
take_replies(struct ls_vm *vm, struct client_call *call, const struct ls_needs *needs)
{
	if (needs->what & LS_PROPERTIES)
		vm->properties = g_steal_pointer(&(call++)->content);
	if (needs->what & LS_STATE)
		vm->state = g_steal_pointer(&(call++)->content);
	if (needs->what & LS_TAGS) {
		vm->tags = call->ok ? client_lines(call->content) : NULL;
		call++;
	}
	if (needs->what & LS_VOLUMES)
		vm->volumes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	for (size_t i = 0; needs->what & LS_VOLUMES && i < G_N_ELEMENTS(volumes); i++, call++) {
		if (call->ok)
			g_hash_table_insert(
			    vm->volumes, (gpointer)volumes[i], g_steal_pointer(&call->content));
	}
	if (needs->features->len > 0)
		vm->features = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	for (guint i = 0; i < needs->features->len; i++, call++) {
		if (call->ok)
			g_hash_table_insert(vm->features, needs->features->pdata[i],
			    g_steal_pointer(&call->content));
	}
	return call;
}

/* GetAll was refused: the properties that are needed, each for itself, in the form of GetAll. */
static void
read_single_properties(struct tool_run *run, struct ls_vm *vm, const struct ls_needs *needs)
{
	guint count = needs->properties->len;
	g_autofree struct client_call *calls = g_new0(struct client_call, count);
	GString *lines = g_string_new(NULL);

	for (guint i = 0; i < count; i++)
		calls[i] = (struct client_call){.method = "admin.vm.property.Get",
		    .arg = needs->properties->pdata[i],
		    .dest = vm->vm->name};
	client_run(run->client, calls, count);
	for (guint i = 0; i < count; i++) {
		if (calls[i].ok && strchr(calls[i].content, '\n') == NULL)
			g_string_append_printf(lines, "%s %s\n", calls[i].arg, calls[i].content);
	}
	client_clear(calls, count);
	vm->properties = g_string_free(lines, FALSE);
}

/* The gateway of each one's netvm; every netvm is asked once. */
static void
read_gateways(struct tool_run *run, GPtrArray *vms)
{
	g_autoptr(GHashTable) gateways =
	    g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

	for (guint i = 0; i < vms->len; i++) {
		struct ls_vm *vm = vms->pdata[i];
		g_autofree char *netvm = ls_vm_property(vm, "netvm");

		if (netvm == NULL)
			continue;
		if (!g_hash_table_contains(gateways, netvm)) {
			struct client_call call =
			    tool_call(run, "admin.vm.property.Get", "gateway", netvm, NULL);
			struct property *gateway =
			    call.ok ? property_parse("gateway", call.content) : NULL;

			g_hash_table_insert(gateways, g_strdup(netvm),
			    gateway != NULL ? g_strdup(gateway->value) : NULL);
			property_free(gateway);
			client_clear(&call, 1);
		}
		vm->gateway = g_strdup(g_hash_table_lookup(gateways, netvm));
	}
}

GPtrArray *
ls_gather(struct tool_run *run, const GPtrArray *vms, const struct ls_needs *needs)
{
	GPtrArray *gathered = g_ptr_array_new_with_free_func((GDestroyNotify)ls_vm_free);
	g_autoptr(GArray) calls = g_array_new(FALSE, TRUE, sizeof(struct client_call));
	struct client_call *next;

	for (guint i = 0; i < vms->len; i++)
		add_calls(calls, ((struct vm *)vms->pdata[i])->name, needs);
	client_run(run->client, (struct client_call *)calls->data, calls->len);
	next = (struct client_call *)calls->data;
	for (guint i = 0; i < vms->len; i++) {
		struct ls_vm *vm = g_new0(struct ls_vm, 1);

		vm->vm = vms->pdata[i];
		next = take_replies(vm, next, needs);
		if ((needs->what & LS_PROPERTIES) != 0 && vm->properties == NULL)
			read_single_properties(run, vm, needs);
		g_ptr_array_add(gathered, vm);
	}
	client_clear((struct client_call *)calls->data, calls->len);
	if (needs->what & LS_GATEWAYS)
		read_gateways(run, gathered);
	return gathered;
}
