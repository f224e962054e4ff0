/* Methods about labels. */
#include "qubesd/admin.h"
#include "qubesd/admin_decode.h"
#include "qubesd/admin_methods.h"
#include "qubesd/grammar.h"

#define IN_USE "QubesLabelInUseError"

/* The label that the argument names; or NULL, after an answer. */
static const struct label *
find(struct admin_call *call)
{
	const char *name = admin_call_arg(call);
	const struct label *label;

	if (!grammar_is_label(name)) {
		admin_call_fail_with(call, "QubesInvalidLabelError", "Not the name of a label");
		return NULL;
	}
	label = qubes_app_label(admin_call_app(call), name);
	if (label == NULL)
		admin_call_fail_with(
		    call, "QubesLabelNotFoundError", "Label does not exist: %s", name);
	return label;
}

void
admin_label_list(struct admin_call *call)
{
	const GPtrArray *labels = qubes_app_labels(admin_call_app(call));
	g_autoptr(GString) lines = g_string_new(NULL);

	for (guint i = 0; i < labels->len; i++) {
		const struct label *label = labels->pdata[i];

		g_string_append_printf(lines, "%s\n", label->name);
	}
	admin_call_reply(call, lines->str);
}

void
admin_label_get(struct admin_call *call)
{
	const struct label *label = find(call);
	g_autofree char *colour = NULL;

	if (label == NULL)
		return;
	colour = label_colour_text(label);
	admin_call_reply(call, colour);
}

void
admin_label_index(struct admin_call *call)
{
	const struct label *label = find(call);
	g_autofree char *index = NULL;

	if (label == NULL)
		return;
	index = g_strdup_printf("%u", label->index);
	admin_call_reply(call, index);
}

void
admin_label_create(struct admin_call *call)
{
	struct qubes_app *app = admin_call_app(call);
	const GPtrArray *labels = qubes_app_labels(app);
	const char *name = admin_call_arg(call);
	const struct label *last = labels->pdata[labels->len - 1];
	struct admin_error error = {0};
	uint32_t colour;

	if (!grammar_is_new_label(name)) {
		admin_call_fail_with(call, "QubesInvalidLabelError", "Not the name of a label");
		return;
	}
	if (!admin_decode_colour(admin_call_payload(call), &colour, &error)) {
		admin_call_fail(call, &error);
		return;
	}
	if (qubes_app_label(app, name) != NULL) {
		admin_call_fail_with(call, IN_USE, "Label exists already: %s", name);
		return;
	}
	qubes_app_add_label(
	    app, label_new(MAX(LABEL_BUILTIN_COUNT, last->index) + 1, name, colour));
	admin_call_commit(call, NULL);
}

static bool
is_used(const struct qubes_app *app, const struct label *label)
{
	const GPtrArray *domains = qubes_app_domains(app);

	for (guint i = 0; i < domains->len; i++) {
		if (domain_label(domains->pdata[i]) == label)
			return true;
	}
	return false;
}

void
admin_label_remove(struct admin_call *call)
{
	const struct label *label = find(call);

	if (label == NULL)
		return;
	if (label->index <= LABEL_BUILTIN_COUNT) {
		admin_call_fail_with(
		    call, "ProtocolError", "The labels that were there first cannot be removed");
		return;
	}
	if (is_used(admin_call_app(call), label)) {
		admin_call_fail_with(call, IN_USE, "Label is still in use: %s", label->name);
		return;
	}
	qubes_app_remove_label(admin_call_app(call), label);
	admin_call_commit(call, NULL);
}
