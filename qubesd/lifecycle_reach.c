/*
 * How a running qube is reached: the file that tells every program of the trusted side its transport,
 * and the broker's word on who is its GUI domain. Neither depends on what runs the qube.
 */
#include "qubesd/gui_access.h"
#include "qubesd/lifecycle_run.h"
#include "shared/log.h"
#include "shared/vchan/spec.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define BROKER "broker:"

static bool
is_behind_broker(const struct run *run)
{
	const char *vchan = run->hypervisor != NULL ? hypervisor_vchan(run->hypervisor) : NULL;

	return run->spawned && vchan != NULL && g_str_has_prefix(vchan, BROKER);
}

static int64_t
xid_of(const struct run *run)
{
	return hypervisor_xid(run->hypervisor, domain_uuid(run->domain));
}

/* --- the transport of a target -------------------------------------------------------------- */

void
run_write_transport(struct run *run)
{
	const char *vchan = hypervisor_vchan(run->hypervisor);
	g_autoptr(GError) error = NULL;
	int64_t xid = xid_of(run);
	g_autofree char *text = NULL;

	if (vchan == NULL || !hypervisor_has_vchan(run->hypervisor) || xid <= 0)
		return;
	run->transport_file = vchan_spec_file((uint32_t)xid);
	text = g_strconcat(vchan, "\n", NULL);
	if (!g_file_set_contents(run->transport_file, text, -1, &error))
		log_warn("%s: programs may not find the way to it: %s", domain_name(run->domain),
		    error->message);
}

void
run_remove_transport(struct run *run)
{
	if (run->transport_file != NULL)
		(void)unlink(run->transport_file);
	g_clear_pointer(&run->transport_file, g_free);
}

static bool
is_transport_of_run(const struct lifecycle *lifecycle, const char *path)
{
	GHashTableIter iter;
	const struct run *run;

	g_hash_table_iter_init(&iter, lifecycle->runs);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&run))
		if (g_strcmp0(run->transport_file, path) == 0)
			return true;
	return false;
}

void
lifecycle_remove_stale_transports(const struct lifecycle *lifecycle)
{
	g_autofree char *example = vchan_spec_file(0);
	g_autofree char *folder = g_path_get_dirname(example);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		const char *number = name + strlen("vchan-");

		if (g_str_has_prefix(name, "vchan-") &&
		    number[strspn(number, "0123456789")] == '\0' &&
		    !is_transport_of_run(lifecycle, path))
			(void)unlink(path);
	}
}

/* --- GUI domains ---------------------------------------------------------------------------- */

int64_t
run_gui_domain(const struct domain *domain)
{
	const char *gui = domain_feature(domain, FEATURE_TEMPLATE, "gui");
	const struct domain *guivm = domain_reference(domain, PROPERTY_GUIVM);

	if (guivm == NULL || (gui != NULL && gui[0] == '\0'))
		return -1;
	return domain_xid(guivm);
}

static void
add_pair(GArray *pairs, const struct run *run)
{
	int64_t xid = xid_of(run), gui = run_gui_domain(run->domain);
	struct gui_access_pair pair = {(uint32_t)xid, gui > 0 ? (uint32_t)gui : 0};

	if (xid > 0 && gui != xid)
		g_array_append_val(pairs, pair);
}

/* The run itself, and the others whose GUI domain it is. NULL: all. */
static GArray *
pairs_of(const struct lifecycle *lifecycle, const struct run *changed)
{
	GArray *pairs = g_array_new(FALSE, FALSE, sizeof(struct gui_access_pair));
	GHashTableIter iter;
	struct run *run;

	g_hash_table_iter_init(&iter, lifecycle->runs);
	while (g_hash_table_iter_next(&iter, NULL, (gpointer *)&run)) {
		const struct domain *guivm = domain_reference(run->domain, PROPERTY_GUIVM);

		if (is_behind_broker(run) &&
		    (changed == NULL || run == changed || guivm == changed->domain))
			add_pair(pairs, run);
	}
	return pairs;
}

/* Who waits, by name: the run may be over when the broker has answered. */
struct telling {
	struct lifecycle *lifecycle; /* borrowed: gui_access is dropped before it */
	char *uuid, *start_guid;     /* owned */
};

static void
on_told(void *data)
{
	struct telling *telling = data;
	struct run *run = g_hash_table_lookup(telling->lifecycle->runs, telling->uuid);

	if (run != NULL && strcmp(run->start_guid, telling->start_guid) == 0)
		run_continue(run);
	g_free(telling->uuid);
	g_free(telling->start_guid);
	g_free(telling);
}

bool
run_tell_gui_domains(struct run *run)
{
	g_autoptr(GArray) pairs = pairs_of(run->lifecycle, run);
	struct telling *telling;

	if (pairs->len == 0)
		return false;
	telling = g_new0(struct telling, 1);
	telling->lifecycle = run->lifecycle;
	telling->uuid = g_strdup(domain_uuid(run->domain));
	telling->start_guid = g_strdup(run->start_guid);
	gui_access_tell(run->lifecycle->gui_access,
	    (const struct gui_access_pair *)(void *)pairs->data, pairs->len, on_told, telling);
	return true;
}

static void
tell(struct lifecycle *lifecycle, const struct run *changed)
{
	g_autoptr(GArray) pairs = pairs_of(lifecycle, changed);

	if (pairs->len > 0)
		gui_access_tell(lifecycle->gui_access,
		    (const struct gui_access_pair *)(void *)pairs->data, pairs->len, NULL, NULL);
}

void
lifecycle_tell_gui_domains(struct lifecycle *lifecycle)
{
	tell(lifecycle, NULL);
}

bool
lifecycle_on_property(const struct event *event, struct admin_error *error, void *data)
{
	struct lifecycle *lifecycle = data;
	const char *property = strchr(event->name, ':');
	struct run *run;

	(void)error;
	if (event->subject == NULL || property == NULL || strcmp(property, ":guivm") != 0 ||
	    strstr(event->name, "-pre-") != NULL)
		return true;
	run = run_find(lifecycle, event->subject);
	if (run != NULL)
		tell(lifecycle, run);
	return true;
}
