/*
 * Methods about the volumes of a qube. Names, sizes, revisions and tokens are the caller's: they pass
 * the decoders of storage/volume.h, and a volume is only ever found by name among those the qube has,
 * so that nothing a caller says becomes part of a path. No reply holds content of a volume, and only
 * dom0 is told where one lies.
 */
#include "qubesd/admin.h"
#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/domain_storage.h"
#include "qubesd/grammar.h"
#include "qubesd/storage/claims.h"
#include "qubesd/storage/volume.h"
#include "shared/log.h"

#include <errno.h>
#include <string.h>

#define PROTOCOL "ProtocolError"
#define NOT_HALTED "QubesVMNotHaltedError"

/* One call, from its syntax to the job and its answer. */
struct request {
	struct admin_call *call; /* gone with the answer, and so is the request */
	void (*go)(struct request *request);
	uint64_t size;
	int revisions;
	bool flag;
	char *text; /* owned */
};

static struct request *
request_new(struct admin_call *call, void (*go)(struct request *request))
{
	struct request *request = g_new0(struct request, 1);

	request->call = call;
	request->go = go;
	return request;
}

static void
request_free(struct request *request)
{
	g_free(request->text);
	g_free(request);
}

static struct domain *
qube_of(const struct request *request)
{
	return admin_call_dest(request->call);
}

static void
request_fail(struct request *request, const char *class, const char *message)
{
	admin_call_fail_with(request->call, class, "%s", message);
	request_free(request);
}

static void
request_commit(struct request *request, const char *content)
{
	admin_call_commit(request->call, content);
	request_free(request);
}

/*
 * The volume that the argument names; without one the call has been refused. A qube may have been
 * removed since the call came, and its volume's files may be those of another of its name by now.
 */
static const struct volume *
find_volume(struct request *request)
{
	const struct volume *volume =
	    domain_volume(qube_of(request), admin_call_arg(request->call));

	if (domain_is_removed(qube_of(request))) {
		request_fail(request, "QubesVMNotFoundError", "The qube has been removed");
		return NULL;
	}
	if (volume == NULL)
		request_fail(request, "PermissionDenied",
		    domain_volumes(qube_of(request))->len > 0
			? "The argument is not one of the volumes of the qube"
			: "The qube has no volumes: it is a sandbox, unless its feature "
			  "hypervisor, or its template's, says otherwise");
	return volume;
}

static const struct volume *
find_kept(struct request *request)
{
	const struct volume *volume = find_volume(request);

	if (volume == NULL || volume->save_on_stop)
		return volume;
	request_fail(request, "QubesException", "Nothing of this volume is kept");
	return NULL;
}

static void
on_ensured(const struct admin_error *error, void *data)
{
	struct request *request = data;

	if (error != NULL)
		request_fail(request, error->name, error->message);
	else
		request->go(request);
}

/* Volumes may not have been needed before. A qube that has none of its kind has none here. */
static void
begin(struct admin_call *call, struct request *request)
{
	struct domain *domain = admin_call_dest(call);

	if (domain_storage_wanted(domain))
		domain_storage_ensure(domain, on_ensured, request);
	else
		request->go(request);
}

static bool
is_halted(struct request *request)
{
	if (domain_is_halted(qube_of(request)))
		return true;
	request_fail(request, NOT_HALTED, "The qube is not halted");
	return false;
}

static struct claims *
claims_of(const struct request *request)
{
	return storage_claims(qubes_app_storage(admin_call_app(request->call)));
}

static bool
is_not_imported(struct request *request, const struct volume *volume)
{
	if (!claims_importing(
		claims_of(request), volume->pool, volume->vid, g_get_monotonic_time()))
		return true;
	request_fail(request, "QubesException", "An import into this volume is under way");
	return false;
}

/* NULL: the call has been refused. */
static struct volume_job *
new_job(struct request *request, const struct volume *volume, enum volume_operation operation)
{
	struct admin_error error = {0};
	struct volume_job *job = domain_storage_job(qube_of(request), volume, operation, &error);

	if (job == NULL)
		request_fail(request, error.name, error.message);
	admin_error_clear(&error);
	return job;
}

static void
run(struct request *request, struct volume_job *job,
    void (*done)(struct volume_job *job, void *data))
{
	storage_run(qubes_app_storage(admin_call_app(request->call)), job, done, request);
}

/* True when it went well; else the call is over. */
static bool
went_well(struct request *request, const struct volume_job *job)
{
	if (job->result == 0)
		return true;
	log_info("%s: volume %s: %s", domain_name(qube_of(request)), job->image->vid, job->error);
	request_fail(request,
	    job->operation == VOLUME_REVERT && job->result == -ENOENT
		? "QubesVolumeRevisionNotFoundError"
		: "StoragePoolException",
	    job->error);
	return false;
}

static void
on_job_for_commit(struct volume_job *job, void *data)
{
	struct request *request = data;

	if (went_well(request, job))
		request_commit(request, NULL);
}

/* The volume in a copy of all, to be changed and then given to domain_set_volumes(). */
static struct volume *
edit_volume(struct request *request, GPtrArray **ret_volumes)
{
	*ret_volumes = domain_volumes_copy(qube_of(request));
	return volume_find(*ret_volumes, admin_call_arg(request->call));
}

static void
set_size(struct request *request, uint64_t size)
{
	GPtrArray *volumes;
	struct volume *volume = edit_volume(request, &volumes);

	if (volume != NULL && volume->size != size) {
		volume->size = size;
		domain_set_volumes(qube_of(request), volumes);
	} else {
		g_ptr_array_unref(volumes);
	}
}

/* --- looks ---------------------------------------------------------------------------------- */

static void
go_list(struct request *request)
{
	const GPtrArray *volumes = domain_volumes(qube_of(request));
	g_autoptr(GString) lines = g_string_new(NULL);

	for (guint i = 0; i < volumes->len; i++) {
		const struct volume *volume = volumes->pdata[i];

		if (volume->vid != NULL)
			g_string_append_printf(lines, "%s\n", volume->name);
	}
	admin_call_reply(request->call, lines->str);
	request_free(request);
}

void
admin_volume_list(struct admin_call *call)
{
	begin(call, request_new(call, go_list));
}

static const char *
flag_text(bool flag)
{
	return flag ? "True" : "False";
}

static void
on_info(struct volume_job *job, void *data)
{
	struct request *request = data;
	const struct volume *volume;
	const struct volume *source;
	const struct volume_status *status = &job->status;
	bool is_dom0 = domain_is_dom0(admin_call_source(request->call));
	g_autoptr(GString) lines = g_string_new(NULL);

	if (!went_well(request, job))
		return;
	volume = find_volume(request);
	if (volume == NULL)
		return;
	source = domain_storage_source(qube_of(request), volume);
	g_string_append_printf(lines, "pool=%s\nvid=%s\n", volume->pool, job->image->vid);
	g_string_append_printf(lines, "size=%" G_GUINT64_FORMAT "\n",
	    source != NULL && !status->is_dirty ? source->size
	    : volume->size > 0                  ? volume->size
						: status->size);
	g_string_append_printf(lines, "usage=%" G_GUINT64_FORMAT "\n", status->usage);
	g_string_append_printf(lines, "rw=%s\nsource=%s\n", flag_text(volume->rw),
	    job->image->source != NULL ? job->image->source : "");
	g_string_append_printf(
	    lines, "path=%s\n", is_dom0 && status->path != NULL ? status->path : "");
	g_string_append_printf(lines, "save_on_stop=%s\nsnap_on_start=%s\n",
	    flag_text(volume->save_on_stop), flag_text(volume->snap_on_start));
	g_string_append_printf(lines, "revisions_to_keep=%d\nephemeral=%s\n",
	    volume->revisions_to_keep, flag_text(volume->ephemeral));
	if (status->is_outdated >= 0)
		g_string_append_printf(
		    lines, "is_outdated=%s\n", flag_text(status->is_outdated > 0));
	admin_call_reply(request->call, lines->str);
	request_free(request);
}

static void
on_snapshots(struct volume_job *job, void *data)
{
	struct request *request = data;
	g_autoptr(GString) lines = g_string_new(NULL);

	if (!went_well(request, job))
		return;
	for (guint i = 0; i < job->status.revisions->len; i++)
		g_string_append_printf(
		    lines, "%s\n", (const char *)job->status.revisions->pdata[i]);
	admin_call_reply(request->call, lines->str);
	request_free(request);
}

static void
look(struct request *request, void (*done)(struct volume_job *job, void *data))
{
	const struct volume *volume = find_volume(request);
	struct volume_job *job = volume != NULL ? new_job(request, volume, VOLUME_STATUS) : NULL;

	if (job != NULL)
		run(request, job, done);
}

static void
go_info(struct request *request)
{
	look(request, on_info);
}

static void
go_snapshots(struct request *request)
{
	look(request, on_snapshots);
}

void
admin_volume_info(struct admin_call *call)
{
	begin(call, request_new(call, go_info));
}

void
admin_volume_list_snapshots(struct admin_call *call)
{
	begin(call, request_new(call, go_snapshots));
}

/* --- revert, resize, clear ------------------------------------------------------------------ */

static void
go_revert(struct request *request)
{
	const struct volume *volume = find_kept(request);
	struct volume_job *job;

	if (volume == NULL || !is_halted(request) || !is_not_imported(request, volume))
		return;
	job = new_job(request, volume, VOLUME_REVERT);
	if (job == NULL)
		return;
	job->text = g_steal_pointer(&request->text);
	run(request, job, on_job_for_commit);
}

void
admin_volume_revert(struct admin_call *call)
{
	char *revision;
	struct request *request;

	if (!volume_decode_revision(admin_call_payload(call), &revision)) {
		admin_call_fail_with(call, PROTOCOL, "Not the name of a revision");
		return;
	}
	request = request_new(call, go_revert);
	request->text = revision;
	begin(call, request);
}

static void
on_resized(struct volume_job *job, void *data)
{
	struct request *request = data;

	if (!went_well(request, job))
		return;
	set_size(request, job->size);
	request_commit(request, NULL);
}

static void
go_resize(struct request *request)
{
	const struct volume *volume = find_volume(request);
	struct volume_job *job;

	if (volume == NULL)
		return;
	if (volume->snap_on_start) {
		request_fail(
		    request, "QubesException", "This volume has the size of its template's");
		return;
	}
	if (!is_not_imported(request, volume))
		return;
	if (request->size < volume->size && !domain_is_halted(qube_of(request))) {
		request_fail(request, NOT_HALTED, "A volume in use cannot shrink");
		return;
	}
	job = new_job(request, volume, VOLUME_RESIZE);
	if (job == NULL)
		return;
	job->size = request->size;
	run(request, job, on_resized);
}

void
admin_volume_resize(struct admin_call *call)
{
	struct request *request;
	uint64_t size;

	if (!volume_decode_size(admin_call_payload(call), true, &size)) {
		admin_call_fail_with(call, PROTOCOL, "Not the size of a volume in bytes");
		return;
	}
	request = request_new(call, go_resize);
	request->size = size;
	begin(call, request);
}

static void
on_empty_made(struct volume_job *job, void *data)
{
	struct request *request = data;
	const struct volume *volume;
	struct volume_job *end;
	uint64_t size;

	/* What others begin from here on comes after the job below. */
	(void)claims_end_import(
	    claims_of(request), job->pool, job->image->vid, g_get_monotonic_time(), &size);
	if (!went_well(request, job))
		return;
	volume = find_volume(request);
	end = volume != NULL ? new_job(request, volume, VOLUME_IMPORT_END) : NULL;
	if (end == NULL)
		return;
	end->ok = true;
	end->image->size = job->image->size;
	run(request, end, on_job_for_commit);
}

static void
go_clear(struct request *request)
{
	const struct volume *volume = find_kept(request);
	struct volume_job *job;

	if (volume == NULL || !is_halted(request) || !is_not_imported(request, volume))
		return;
	job = new_job(request, volume, VOLUME_IMPORT_BEGIN);
	if (job == NULL)
		return;
	/* An import between the two jobs would find its half-made file committed. */
	(void)claims_begin_import(claims_of(request), job->pool, job->image->vid, job->image->size,
	    NULL, g_get_monotonic_time());
	run(request, job, on_empty_made);
}

void
admin_volume_clear(struct admin_call *call)
{
	begin(call, request_new(call, go_clear));
}

/* --- settings ------------------------------------------------------------------------------- */

static void
go_set(struct request *request)
{
	int which = admin_call_method(request->call)->variant;
	const struct volume *volume = find_volume(request);
	const struct pool *pool;
	GPtrArray *volumes;
	struct volume *edited;

	if (volume == NULL)
		return;
	pool = qubes_app_pool(admin_call_app(request->call), volume->pool);
	if (strcmp(volume->name, "kernel") == 0) {
		request_fail(request, "QubesException", "This volume is only read");
		return;
	}
	if (which == ADMIN_VOLUME_SET_RW && !is_halted(request))
		return;
	if (which == ADMIN_VOLUME_SET_REVISIONS && pool != NULL && request->revisions > 1 &&
	    strcmp(pool->driver, "file") == 0) {
		request_fail(request, "QubesValueError",
		    "A pool of the driver file keeps at most one revision");
		return;
	}
	if (which == ADMIN_VOLUME_SET_EPHEMERAL && request->flag) {
		request_fail(request, "QubesValueError",
		    "No pool of this system can encrypt volumes of its own accord");
		return;
	}
	edited = edit_volume(request, &volumes);
	if (which == ADMIN_VOLUME_SET_RW)
		edited->rw = request->flag;
	else if (which == ADMIN_VOLUME_SET_REVISIONS)
		edited->revisions_to_keep = request->revisions;
	else
		edited->ephemeral = request->flag;
	domain_set_volumes(qube_of(request), volumes);
	request_commit(request, NULL);
}

static bool
decode_flag(struct untrusted_bytes untrusted_payload, bool *ret)
{
	g_autofree char *text = NULL;

	return admin_decode_feature_value(untrusted_payload, &text, NULL) &&
	       grammar_parse_bool(text, ret);
}

void
admin_volume_set(struct admin_call *call)
{
	bool is_number = admin_call_method(call)->variant == ADMIN_VOLUME_SET_REVISIONS;
	struct untrusted_bytes untrusted_payload = admin_call_payload(call);
	bool flag = false;
	int revisions = 0;
	struct request *request;

	if (is_number ? !volume_decode_revisions(untrusted_payload, &revisions)
		      : !decode_flag(untrusted_payload, &flag)) {
		admin_call_fail_with(
		    call, PROTOCOL, is_number ? "Not a number of revisions" : "Not a boolean");
		return;
	}
	request = request_new(call, go_set);
	request->flag = flag;
	request->revisions = revisions;
	begin(call, request);
}

/* --- copies from volume to volume ----------------------------------------------------------- */

static void
go_clone_from(struct request *request)
{
	const struct volume *volume = find_kept(request);
	const char *token;

	if (volume == NULL)
		return;
	token = claims_new_token(claims_of(request), domain_uuid(admin_call_source(request->call)),
	    domain_uuid(qube_of(request)), volume->name, g_get_monotonic_time());
	if (token == NULL) {
		request_fail(request, "QubesException", "There is no randomness for a token");
		return;
	}
	admin_call_reply(request->call, token);
	request_free(request);
}

void
admin_volume_clone_from(struct admin_call *call)
{
	begin(call, request_new(call, go_clone_from));
}

static void
on_copied(struct volume_job *job, void *data)
{
	struct request *request = data;

	if (!went_well(request, job))
		return;
	set_size(request, request->size);
	request_commit(request, NULL);
}

static void
on_exported(struct volume_job *job, void *data)
{
	struct request *request = data;
	const struct volume *volume;
	struct volume_job *copy;

	if (!went_well(request, job))
		return;
	request->size = job->image->size;
	volume = find_kept(request);
	if (volume == NULL || !is_halted(request) || !is_not_imported(request, volume))
		return;
	copy = new_job(request, volume, VOLUME_IMPORT_FILE);
	if (copy == NULL)
		return;
	copy->text = g_steal_pointer(&job->path);
	copy->image->size = request->size;
	run(request, copy, on_copied);
}

static void
go_clone_to(struct request *request)
{
	struct qubes_app *app = admin_call_app(request->call);
	const struct volume *target = find_kept(request);
	g_autofree char *uuid = NULL;
	g_autofree char *name = NULL;
	struct admin_error error = {0};
	struct domain *domain;
	const struct volume *source;
	struct volume_job *job;

	if (target == NULL || !is_halted(request))
		return;
	if (!claims_take_token(claims_of(request), domain_uuid(admin_call_source(request->call)),
		request->text, g_get_monotonic_time(), &uuid, &name)) {
		request_fail(request, "QubesVolumeCopyTokenNotFoundError", "No such token");
		return;
	}
	domain = qubes_app_find_uuid(app, uuid);
	source = domain != NULL ? domain_volume(domain, name) : NULL;
	if (source == NULL || source == target) {
		request_fail(request, "QubesVolumeNotFoundError",
		    "The volume to copy is not there, or is this one");
		return;
	}
	job = domain_storage_job(domain, source, VOLUME_EXPORT_PATH, &error);
	if (job != NULL)
		run(request, job, on_exported);
	else
		request_fail(request, error.name, error.message);
	admin_error_clear(&error);
}

void
admin_volume_clone_to(struct admin_call *call)
{
	struct request *request;
	char *token;

	if (!volume_decode_revision(admin_call_payload(call), &token)) {
		admin_call_fail_with(call, PROTOCOL, "Not a token");
		return;
	}
	request = request_new(call, go_clone_to);
	request->text = token;
	begin(call, request);
}

/* --- imports -------------------------------------------------------------------------------- */

static void
on_import_begun(struct volume_job *job, void *data)
{
	struct request *request = data;
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, job->image->size);
	g_autofree char *reply = NULL;
	uint64_t claimed;

	if (job->result == 0 && strpbrk(job->path, " \t\n") != NULL) {
		job->result = -EINVAL;
		job->error = g_strdup("the path of the pool holds blanks");
	}
	if (job->result < 0)
		claims_end_import(claims_of(request), job->pool, job->image->vid,
		    g_get_monotonic_time(), &claimed);
	if (!went_well(request, job))
		return;
	event_fire(admin_call_app(request->call), qube_of(request), "domain-volume-import-begin",
	    "volume", admin_call_arg(request->call), "size", size, NULL);
	reply = g_strconcat(size, " ", job->path, NULL);
	admin_call_reply(request->call, reply);
	request_free(request);
}

static void
go_import_begin(struct request *request)
{
	const struct volume *volume = find_kept(request);
	struct volume_job *job;
	int r;

	if (volume == NULL || !is_halted(request))
		return;
	job = new_job(request, volume, VOLUME_IMPORT_BEGIN);
	if (job == NULL)
		return;
	if (request->size > 0)
		job->image->size = request->size;
	r = claims_begin_import(claims_of(request), volume->pool, volume->vid, job->image->size,
	    request->text, g_get_monotonic_time());
	if (r < 0) {
		volume_job_free(job);
		request_fail(request, "QubesException",
		    r == -EBUSY   ? "An import into this volume is under way"
		    : r == -ESRCH ? "Nobody holds the lock of this import"
				  : "The import cannot be noted");
		return;
	}
	run(request, job, on_import_begun);
}

void
admin_volume_import_begin(struct admin_call *call)
{
	struct request *request;
	char *holder;
	uint64_t size;

	if (!volume_decode_import(admin_call_payload(call), &size, &holder)) {
		admin_call_fail_with(
		    call, PROTOCOL, "Not the size of a volume in bytes, and who holds the import");
		return;
	}
	request = request_new(call, go_import_begin);
	request->size = size;
	request->text = holder;
	begin(call, request);
}

static void
on_import_ended(struct volume_job *job, void *data)
{
	struct request *request = data;
	bool success = job->ok && job->result == 0;

	event_fire(admin_call_app(request->call), qube_of(request), "domain-volume-import-end",
	    "volume", admin_call_arg(request->call), "success", flag_text(success), NULL);
	if (!went_well(request, job))
		return;
	if (!job->ok) {
		request_fail(request, "QubesException", request->text);
		return;
	}
	set_size(request, job->image->size);
	request_commit(request, NULL);
}

static void
go_import_end(struct request *request)
{
	const struct volume *volume = find_kept(request);
	struct volume_job *job;
	uint64_t size;

	if (volume == NULL)
		return;
	if (!claims_end_import(
		claims_of(request), volume->pool, volume->vid, g_get_monotonic_time(), &size)) {
		request_fail(request, "QubesException", "No import into this volume is under way");
		return;
	}
	job = new_job(request, volume, VOLUME_IMPORT_END);
	if (job == NULL)
		return;
	job->ok = request->flag;
	job->image->size = size;
	run(request, job, on_import_ended);
}

void
admin_volume_import_end(struct admin_call *call)
{
	g_autofree char *text = admin_decode_notes(admin_call_payload(call));
	g_autofree char *word = g_strndup(text, strcspn(text, "\n"));
	const char *why = text + strlen(word);
	bool ok = strcmp(text, "ok") == 0;
	struct request *request;

	if (!ok && strcmp(word, "fail") != 0) {
		admin_call_fail_with(call, PROTOCOL, "An import ends with ok, or fail and why");
		return;
	}
	request = request_new(call, go_import_end);
	request->flag = ok;
	request->text = g_strdup(*why == '\n' ? why + 1 : "The import failed");
	begin(call, request);
}
