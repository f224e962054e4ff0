#include "qubesd/domain_storage.h"

#include "qubesd/domain_files.h"
#include "qubesd/lifecycle.h"
#include "qubesd/qubes_app.h"
#include "qubesd/storage/claims.h"
#include "qubesd/storage/volume.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>

#define GIB ((uint64_t)1 << 30)
#define CHAIN_MAX 8 /* templates above a qube */

/* --- which volumes there are ---------------------------------------------------------------- */

enum role {
	ROLE_KEPT,
	ROLE_SNAPSHOT, /* of the volume of that name that the template keeps */
	ROLE_FRESH,
	ROLE_KERNEL,
};

/* clang-format off */
static const struct layout {
	const char *name;
	enum global_property_id pool;
	bool rw;
	enum role of_app, of_template, of_disp; /* a StandaloneVM is like a TemplateVM */
	uint64_t size, size_of_disp;            /* of those that do not follow a source */
} layouts[] = {
	{ "root",     GLOBAL_DEFAULT_POOL_ROOT,     true,  ROLE_SNAPSHOT, ROLE_KEPT,   ROLE_SNAPSHOT, 10 * GIB, 10 * GIB },
	{ "private",  GLOBAL_DEFAULT_POOL_PRIVATE,  true,  ROLE_KEPT,     ROLE_KEPT,   ROLE_SNAPSHOT, 2 * GIB,  2 * GIB },
	{ "volatile", GLOBAL_DEFAULT_POOL_VOLATILE, true,  ROLE_FRESH,    ROLE_FRESH,  ROLE_FRESH,    10 * GIB, 12 * GIB },
	{ "kernel",   GLOBAL_DEFAULT_POOL_KERNEL,   false, ROLE_KERNEL,   ROLE_KERNEL, ROLE_KERNEL,   0,        0 },
};
/* clang-format on */

static enum role
role_of(const struct layout *layout, enum domain_class klass)
{
	return klass == DOMAIN_APP    ? layout->of_app
	       : klass == DOMAIN_DISP ? layout->of_disp
				      : layout->of_template;
}

bool
domain_storage_wanted(const struct domain *domain)
{
	const struct lifecycle *lifecycle = qubes_app_lifecycle(domain_app(domain));

	return lifecycle != NULL && lifecycle_has_disks(lifecycle, domain);
}

void
domain_storage_plan(struct domain *domain, const char *name, const char *pool)
{
	GPtrArray *volumes = domain_volumes_copy(domain);

	g_ptr_array_add(volumes, volume_new(name, pool));
	domain_set_volumes(domain, volumes);
}

/* The volume of that name that is kept, up the chain of templates. */
static const struct volume *
kept_above(const struct domain *domain, const char *name)
{
	for (int i = 0; i < CHAIN_MAX; i++) {
		const struct volume *volume;

		domain = domain_template(domain);
		if (domain == NULL)
			return NULL;
		volume = domain_volume(domain, name);
		if (volume != NULL && volume->save_on_stop)
			return volume;
	}
	return NULL;
}

const struct volume *
domain_storage_source(const struct domain *domain, const struct volume *volume)
{
	return volume->snap_on_start ? kept_above(domain, volume->name) : NULL;
}

static char *
vid_of(const struct domain *domain, const char *name)
{
	return g_strdup_printf("%s/%s/%s",
	    domain_class(domain) == DOMAIN_TEMPLATE ? "vm-templates" : "appvms",
	    domain_name(domain), name);
}

static int
revisions_of_pool(const struct qubes_app *app, const char *name)
{
	const struct pool *pool = qubes_app_pool(app, name);
	const char *text = pool != NULL ? pool_get(pool, "revisions_to_keep") : NULL;
	int revisions;

	if (text == NULL ||
	    !volume_decode_revisions(untrusted_bytes_of(text, strlen(text)), &revisions))
		return 1;
	return revisions;
}

static struct volume *
new_volume(const struct domain *domain, const struct layout *layout)
{
	const struct qubes_app *app = domain_app(domain);
	const struct volume *planned = volume_find(domain_volumes(domain), layout->name);
	const struct volume *source = kept_above(domain, layout->name);
	enum role role = role_of(layout, domain_class(domain));
	g_autofree char *pool =
	    planned != NULL ? g_strdup(planned->pool) : qubes_app_string(app, layout->pool);
	bool is_snapshot = role == ROLE_SNAPSHOT && source != NULL;
	struct volume *volume = volume_new(layout->name, is_snapshot ? source->pool : pool);

	volume->rw = layout->rw;
	volume->vid = role == ROLE_KERNEL ? domain_string(domain, PROPERTY_KERNEL)
					  : vid_of(domain, layout->name);
	volume->size = is_snapshot                           ? source->size
		       : domain_class(domain) == DOMAIN_DISP ? layout->size_of_disp
							     : layout->size;
	volume->save_on_stop = role == ROLE_KEPT;
	volume->snap_on_start = is_snapshot;
	volume->source = is_snapshot ? g_strdup(source->vid) : NULL;
	volume->revisions_to_keep = role == ROLE_KEPT ? revisions_of_pool(app, volume->pool) : 0;
	return volume;
}

static bool
is_complete(const struct domain *domain)
{
	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		if (domain_volume(domain, layouts[i].name) == NULL)
			return false;
	}
	return true;
}

/* Those it has, and those it lacks, in the order of disks; others that the store knows behind them. */
static GPtrArray *
complete_volumes(const struct domain *domain)
{
	GPtrArray *volumes = g_ptr_array_new_with_free_func(volume_free);
	const GPtrArray *now = domain_volumes(domain);

	for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
		const struct volume *volume = domain_volume(domain, layouts[i].name);

		g_ptr_array_add(volumes,
		    volume != NULL ? volume_copy(volume) : new_volume(domain, &layouts[i]));
	}
	for (guint i = 0; i < now->len; i++) {
		const struct volume *volume = now->pdata[i];

		if (volume_find(volumes, volume->name) == NULL)
			g_ptr_array_add(volumes, volume_copy(volume));
	}
	return volumes;
}

/* --- templates that change ------------------------------------------------------------------ */

/* Snapshots follow what they are snapshots of: another volume, another size. */
static void
follow_sources(struct domain *domain)
{
	GPtrArray *volumes = domain_volumes_copy(domain);
	bool changed = false;

	for (guint i = 0; i < volumes->len; i++) {
		struct volume *volume = volumes->pdata[i];
		const struct volume *source = domain_storage_source(domain, volume);

		if (source == NULL ||
		    (g_strcmp0(source->vid, volume->source) == 0 &&
			strcmp(source->pool, volume->pool) == 0 && source->size == volume->size))
			continue;
		g_free(volume->pool);
		g_free(volume->source);
		volume->pool = g_strdup(source->pool);
		volume->source = g_strdup(source->vid);
		volume->size = source->size;
		changed = true;
	}
	if (changed)
		domain_set_volumes(domain, volumes);
	else
		g_ptr_array_unref(volumes);
}

static bool
on_event(const struct event *event, struct admin_error *error, void *data)
{
	(void)error, (void)data;
	if (event->subject != NULL && strcmp(event->name, "property-set:template") == 0)
		follow_sources(event->subject);
	return true;
}

void
domain_storage_init(struct qubes_app *app)
{
	event_add_handler(app, EVENT_ORDER_STORAGE, on_event, NULL);
}

/* --- one job -------------------------------------------------------------------------------- */

static bool
is_imported(const struct domain *domain, const struct volume *volume)
{
	struct claims *claims = storage_claims(qubes_app_storage(domain_app(domain)));

	return volume->vid != NULL &&
	       claims_importing(claims, volume->pool, volume->vid, g_get_monotonic_time());
}

static struct volume_image *
image_of(const struct domain *domain, const struct volume *volume, const struct pool *pool)
{
	const struct volume *source = domain_storage_source(domain, volume);
	bool is_kernel = strcmp(volume->name, "kernel") == 0;
	struct volume_image *image = g_new0(struct volume_image, 1);

	image->dir = g_strdup(pool_get(pool, "dir_path"));
	image->vid = is_kernel ? domain_string(domain, PROPERTY_KERNEL) : g_strdup(volume->vid);
	image->source = g_strdup(source != NULL ? source->vid : volume->source);
	image->size = volume->size;
	image->snap_on_start = volume->snap_on_start;
	image->save_on_stop = volume->save_on_stop;
	image->revisions_to_keep = volume->revisions_to_keep;
	image->copy = strcmp(pool->driver, "file") == 0 ? COPY_SPARSE : COPY_AUTO;
	image->is_imported = is_imported(domain, volume);
	return image;
}

struct volume_job *
domain_storage_job(const struct domain *domain, const struct volume *volume,
    enum volume_operation operation, struct admin_error *error)
{
	const struct pool *pool = qubes_app_pool(domain_app(domain), volume->pool);
	const struct volume_driver *driver = pool != NULL ? volume_driver_find(pool->driver) : NULL;

	if (driver == NULL || pool_get(pool, "dir_path") == NULL) {
		admin_error_set(error, "StoragePoolException",
		    "The pool of volume '%s' cannot be used", volume->name);
		return NULL;
	}
	return volume_job_new(driver, operation, volume->pool, image_of(domain, volume, pool));
}

/* --- all volumes of a qube ------------------------------------------------------------------ */

/* Several jobs, and what comes after the last of them. */
struct batch {
	struct domain *domain; /* a reference */
	GPtrArray *volumes;    /* owned; what the jobs are about */
	struct batch_slot {
		struct batch *batch;
		const struct volume *volume; /* borrowed from volumes */
		bool ok, made;
		char *path, *origin; /* owned */
	} * slots;                   /* owned; one a volume */
	unsigned pending;            /* jobs under way, and one while they are being given out */
	struct admin_error error;    /* the first one */
	void (*after)(struct batch *batch); /* takes it over */
	union {
		domain_storage_done done;
		domain_storage_started started;
	};
	void *data;
};

static struct batch *
batch_new(struct domain *domain, GPtrArray *volumes, void *data)
{
	struct batch *batch = g_new0(struct batch, 1);

	batch->domain = domain_ref(domain);
	batch->volumes = volumes;
	batch->slots = g_new0(struct batch_slot, volumes->len);
	batch->data = data;
	return batch;
}

static void
batch_free(struct batch *batch)
{
	for (guint i = 0; i < batch->volumes->len; i++) {
		g_free(batch->slots[i].path);
		g_free(batch->slots[i].origin);
	}
	g_free(batch->slots);
	g_ptr_array_unref(batch->volumes);
	domain_unref(batch->domain);
	admin_error_clear(&batch->error);
	g_free(batch);
}

static void
batch_fail(struct batch *batch, const struct volume *volume, const char *message)
{
	log_warn("%s: volume %s: %s", domain_name(batch->domain), volume->name, message);
	if (batch->error.name == NULL)
		admin_error_set(&batch->error, "StoragePoolException", "Volume '%s' of '%s': %s",
		    volume->name, domain_name(batch->domain), message);
}

static gboolean
on_batch_done(void *data)
{
	struct batch *batch = data;

	batch->after(batch);
	return G_SOURCE_REMOVE;
}

static void
batch_one_less(struct batch *batch)
{
	if (--batch->pending == 0)
		batch->after(batch);
}

static void
on_job(struct volume_job *job, void *data)
{
	struct batch_slot *slot = data;

	slot->ok = job->result == 0;
	slot->made = job->made;
	slot->path = g_steal_pointer(&job->path);
	slot->origin = g_steal_pointer(&job->origin);
	if (job->result < 0)
		batch_fail(slot->batch, slot->volume, job->error);
	batch_one_less(slot->batch);
}

typedef bool (*batch_pick)(const struct batch *batch, const struct batch_slot *slot);

/* One job for each volume that is picked (NULL: all), then after(), in a later turn of the loop. */
static void
batch_run(struct batch *batch, enum volume_operation operation, batch_pick pick,
    void (*after)(struct batch *batch))
{
	struct storage *storage = qubes_app_storage(domain_app(batch->domain));
	unsigned jobs = 0;

	batch->after = after;
	for (guint i = 0; i < batch->volumes->len; i++) {
		struct batch_slot *slot = &batch->slots[i];
		struct admin_error error = {0};
		struct volume_job *job;

		slot->batch = batch;
		slot->volume = batch->volumes->pdata[i];
		if (slot->volume->vid == NULL || (pick != NULL && !pick(batch, slot)))
			continue;
		job = domain_storage_job(batch->domain, slot->volume, operation, &error);
		if (job == NULL) {
			slot->ok = false;
			batch_fail(batch, slot->volume, error.message);
			admin_error_clear(&error);
			continue;
		}
		jobs++;
		batch->pending++;
		storage_run(storage, job, on_job, slot);
	}
	if (jobs == 0)
		g_idle_add(on_batch_done, batch);
}

static const struct admin_error *
batch_error(const struct batch *batch)
{
	return batch->error.name != NULL ? &batch->error : NULL;
}

static void
finish(struct batch *batch)
{
	batch->done(batch_error(batch), batch->data);
	batch_free(batch);
}

/* --- making --------------------------------------------------------------------------------- */

static bool
is_to_be_made(const struct batch *batch, const struct batch_slot *slot)
{
	return slot->volume->save_on_stop &&
	       domain_volume(batch->domain, slot->volume->name) == NULL;
}

static bool
was_made(const struct batch *batch, const struct batch_slot *slot)
{
	(void)batch;
	return slot->made;
}

static void
on_made(struct batch *batch)
{
	if (batch->error.name == NULL && domain_is_removed(batch->domain))
		admin_error_set(&batch->error, "QubesVMNotFoundError", "No such domain: '%s'",
		    domain_name(batch->domain));
	if (batch->error.name != NULL) {
		batch_run(batch, VOLUME_REMOVE, was_made, finish);
		return;
	}
	if (!is_complete(batch->domain)) { /* else somebody else was faster */
		g_ptr_array_ref(batch->volumes);
		domain_set_volumes(batch->domain, batch->volumes);
	}
	finish(batch);
}

static void
make_own(struct domain *domain, domain_storage_done done, void *data)
{
	struct batch *batch = batch_new(domain, complete_volumes(domain), data);

	batch->done = done;
	if (!domain_files_make_folders(domain, batch->volumes, &batch->error)) {
		batch->after = finish;
		g_idle_add(on_batch_done, batch);
		return;
	}
	batch_run(batch, VOLUME_CREATE, is_to_be_made, on_made);
}

/* Waits for the template's. */
struct chain {
	struct domain *domain; /* a reference */
	domain_storage_done done;
	void *data;
};

static void
on_template_made(const struct admin_error *error, void *data)
{
	struct chain *chain = data;

	if (error != NULL)
		chain->done(error, chain->data);
	else
		make_own(chain->domain, chain->done, chain->data);
	domain_unref(chain->domain);
	g_free(chain);
}

void
domain_storage_ensure(struct domain *domain, domain_storage_done done, void *data)
{
	struct domain *template = domain_template(domain);
	struct chain *chain;
	struct batch *batch;

	if (is_complete(domain)) {
		batch = batch_new(domain, domain_volumes_copy(domain), data);
		batch->done = done;
		batch->after = finish;
		g_idle_add(on_batch_done, batch);
		return;
	}
	if (template == NULL) {
		make_own(domain, done, data);
		return;
	}
	chain = g_new0(struct chain, 1);
	chain->domain = domain_ref(domain);
	chain->done = done;
	chain->data = data;
	domain_storage_ensure(template, on_template_made, chain);
}

/* --- verify, start, stop -------------------------------------------------------------------- */

/* What is being imported would be in the way of what the qube writes. */
static bool
refuse_imported(const struct domain *domain, struct admin_error *error)
{
	const GPtrArray *volumes = domain_volumes(domain);

	for (guint i = 0; i < volumes->len; i++) {
		const struct volume *volume = volumes->pdata[i];

		if (!is_imported(domain, volume))
			continue;
		admin_error_set(error, "QubesException", "Volume '%s' of '%s' is being imported",
		    volume->name, domain_name(domain));
		return true;
	}
	return false;
}

static void
on_ensured_for_verify(const struct admin_error *error, void *data)
{
	struct chain *chain = data;
	struct admin_error importing = {0};
	struct batch *batch;

	if (error != NULL) {
		chain->done(error, chain->data);
	} else if (refuse_imported(chain->domain, &importing)) {
		chain->done(&importing, chain->data);
		admin_error_clear(&importing);
	} else {
		follow_sources(chain->domain);
		batch = batch_new(chain->domain, domain_volumes_copy(chain->domain), chain->data);
		batch->done = chain->done;
		batch_run(batch, VOLUME_VERIFY, NULL, finish);
	}
	domain_unref(chain->domain);
	g_free(chain);
}

void
domain_storage_verify(struct domain *domain, domain_storage_done done, void *data)
{
	struct chain *chain = g_new0(struct chain, 1);

	chain->domain = domain_ref(domain);
	chain->done = done;
	chain->data = data;
	domain_storage_ensure(domain, on_ensured_for_verify, chain);
}

void
domain_disks_free(struct domain_disks *disks)
{
	if (disks == NULL)
		return;
	for (size_t i = 0; i < disks->count; i++) {
		g_free((char *)disks->volumes[i].name);
		g_free((char *)disks->volumes[i].path);
		g_free((char *)disks->volumes[i].origin);
	}
	g_free(disks->volumes);
	g_free(disks);
}

static void
finish_failed_start(struct batch *batch)
{
	batch->started(NULL, batch_error(batch), batch->data);
	batch_free(batch);
}

static bool
was_started(const struct batch *batch, const struct batch_slot *slot)
{
	(void)batch;
	return slot->ok;
}

static void
on_started(struct batch *batch)
{
	struct domain_disks *disks;

	if (batch->error.name != NULL) {
		batch_run(batch, VOLUME_STOP, was_started, finish_failed_start);
		return;
	}
	disks = g_new0(struct domain_disks, 1);
	disks->volumes = g_new0(struct hypervisor_volume, batch->volumes->len);
	for (guint i = 0; i < batch->volumes->len; i++) {
		struct batch_slot *slot = &batch->slots[i];

		if (slot->path == NULL) /* a kernel without modules, or only planned */
			continue;
		disks->volumes[disks->count++] = (struct hypervisor_volume){
		    .name = g_strdup(slot->volume->name),
		    .path = g_steal_pointer(&slot->path),
		    .origin = g_steal_pointer(&slot->origin),
		    .rw = slot->volume->rw,
		};
	}
	batch->started(disks, NULL, batch->data);
	batch_free(batch);
}

void
domain_storage_start(struct domain *domain, domain_storage_started started, void *data)
{
	struct batch *batch = batch_new(domain, domain_volumes_copy(domain), data);

	batch->started = started;
	batch_run(batch, VOLUME_START, NULL, on_started);
}

void
domain_storage_stop(struct domain *domain, domain_storage_done done, void *data)
{
	struct batch *batch = batch_new(domain, domain_volumes_copy(domain), data);

	batch->done = done;
	batch_run(batch, VOLUME_STOP, NULL, finish);
}

void
domain_storage_recover(struct domain *domain)
{
	struct batch *batch = batch_new(domain, domain_volumes_copy(domain), NULL);

	batch_run(batch, VOLUME_RECOVER, NULL, batch_free);
}
