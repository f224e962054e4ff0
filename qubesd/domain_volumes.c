/* The part of domain.h about volumes. */
#include "qubesd/domain_private.h"
#include "qubesd/qubes_app.h"
#include "qubesd/storage/volume.h"

const GPtrArray *
domain_volumes(const struct domain *domain)
{
	return domain->volumes;
}

const struct volume *
domain_volume(const struct domain *domain, const char *name)
{
	const struct volume *volume = volume_find(domain->volumes, name);

	return volume != NULL && volume->vid != NULL ? volume : NULL;
}

void
domain_volume_load(struct domain *domain, struct volume *volume)
{
	g_ptr_array_add(domain->volumes, volume);
	domain_set_text(domain, NULL);
}

GPtrArray *
domain_volumes_copy(const struct domain *domain)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(volume_free);

	for (guint i = 0; i < domain->volumes->len; i++)
		g_ptr_array_add(copy, volume_copy(domain->volumes->pdata[i]));
	return copy;
}

/* What the volumes were before a change. */
struct volumes_undo {
	struct domain *domain; /* a reference */
	GPtrArray *volumes;    /* owned */
};

static void
undo_volumes(void *data)
{
	struct volumes_undo *undo = data;
	GPtrArray *now = undo->domain->volumes;

	undo->domain->volumes = undo->volumes;
	undo->volumes = now;
	domain_set_text(undo->domain, NULL);
}

static void
drop_volumes(void *data, bool kept)
{
	struct volumes_undo *undo = data;

	(void)kept;
	domain_unref(undo->domain);
	g_ptr_array_unref(undo->volumes);
	g_free(undo);
}

void
domain_set_volumes(struct domain *domain, GPtrArray *volumes)
{
	struct volumes_undo *undo = g_new0(struct volumes_undo, 1);

	undo->domain = domain_ref(domain);
	undo->volumes = domain->volumes;
	domain->volumes = volumes;
	domain_set_text(domain, NULL);
	qubes_app_journal(domain->app, undo_volumes, drop_volumes, undo);
}
