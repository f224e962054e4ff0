#include "qubesd/libvirt_saved.h"

#include "qubesd/machine.h"
#include "qubesd/region_file.h"
#include "qubesd/saved_machine.h"
#include "qubesd/saved_states.h"
#include "shared/log.h"

#include <libvirt/virterror.h>
#include <unistd.h>

/* What runs a machine, for the key: another version may read another form of state. */
static char *
describe_host(const struct libvirt_job *job)
{
	unsigned long library = 0, qemu = 0;

	if (virConnectGetLibVersion(job->connection, &library) < 0 ||
	    virConnectGetVersion(job->connection, &qemu) < 0)
		return NULL;
	return g_strdup_printf("%s libvirt %lu qemu %lu", job->libvirt->base.kind, library, qemu);
}

/* Not used again. */
static void
give_up(struct libvirt_start *start)
{
	start->restore_failed = true;
	saved_states_drop(start->saved_key);
}

static char *
open_state(const struct libvirt_job *job)
{
	g_autofree char *port_path = machine_port_path(job->our_id);
	g_autofree char *console_path = machine_console_path(job->our_id);
	struct saved_identity identity = {
	    .name = job->name,
	    .uuid = job->uuid,
	    .klass = "DispVM",
	    .xid = job->our_id,
	    .port_path = port_path,
	    .console_path = console_path,
	};
	char *path = NULL;
	int r;

	identity.volumes = saved_machine_volumes(job->start->saved, &identity.volume_count);
	r = saved_states_open(job->start->saved_key, &identity, &path);

	if (r == 0 || r == -ENOENT)
		return path;
	log_warn("%s: its saved state cannot be used: %s", job->name, g_strerror(-r));
	if (r == -ENOTSUP) /* else the disk is full, or the like */
		give_up(job->start);
	return NULL;
}

static bool
plug_region(const struct libvirt_job *job, virDomainPtr domain)
{
	g_autofree char *xml =
	    domain_xml_region_new(job->start->region_name, job->start->region_bytes);

	return virDomainAttachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE) == 0;
}

/* False when it may still run: then nothing else may be begun in its place. */
static bool
is_off(virDomainPtr domain)
{
	int active = virDomainIsActive(domain);

	if (active == 1 && virDomainDestroy(domain) == 0)
		active = virDomainIsActive(domain);
	return active == 0;
}

bool
libvirt_saved_restore(struct libvirt_job *job, virDomainPtr domain)
{
	struct libvirt_start *start = job->start;
	g_autofree char *host = start->saved != NULL ? describe_host(job) : NULL;
	g_autofree char *path = NULL;
	bool ok;

	if (host == NULL)
		return false;
	start->saved_key = saved_machine_key(start->saved, start->kvm, start->region_bytes, host);
	path = start->saved_key != NULL ? open_state(job) : NULL;
	if (path == NULL)
		return false;
	ok = virDomainRestoreFlags(job->connection, path, NULL, VIR_DOMAIN_SAVE_PAUSED) == 0 &&
	     plug_region(job, domain);
	(void)unlink(path);
	if (ok) {
		start->restored = true;
		return true;
	}
	log_warn(
	    "%s: its saved state does not work, it boots: %s", job->name, virGetLastErrorMessage());
	if (is_off(domain))
		give_up(start);
	else /* libvirtd has gone, perhaps: that says nothing of the state */
		job->error = g_strdup("libvirt: restore: nobody knows how it is now");
	return false;
}
