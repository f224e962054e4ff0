#include "prompt/ask_dialog.h"

#include "prompt/arming.h"
#include "prompt/label_icon.h"
#include "prompt/stacking.h"

#include <gdk/gdkx.h>
#include <gtk/gtk.h>
#include <string.h>

#define UI_RESOURCE "/prompt/ask_dialog.ui"
#define LOOK_MS 50
#define ICON_SIZE 16
#define POINTER_MARGIN 16 /* pixels between the dialog and the pointer */
#define PLACE_JITTER 12   /* pixels */

enum column { COLUMN_ICON, COLUMN_TEXT, COLUMNS };

enum answer { ANSWER_NONE, ANSWER_ALLOW, ANSWER_DENY };

struct ask_dialog {
	const struct ask_request *request; /* borrowed */
	ask_dialog_done done;
	void *data; /* borrowed */

	GtkWidget *window; /* owned; so are the widgets in it, by the window */
	GtkWidget *ok, *cancel, *target, *entry, *waiting, *error_bar;

	struct arming arming;
	guint look_timer;
	int selected; /* number of the target whose text stands in the entry, -1: none */

	enum answer pressed; /* what the release of the key that is down will mean */
	guint16 pressed_keycode;
};

/* --- answering ------------------------------------------------------------------------------ */

static bool
can_allow(const struct ask_dialog *dialog)
{
	return dialog->arming.armed && dialog->selected >= 0;
}

/* The caller may free the dialog in here. */
static void
give_answer(struct ask_dialog *dialog, enum answer answer)
{
	if (answer == ANSWER_DENY && dialog->arming.armed)
		dialog->done(NULL, dialog->data);
	else if (answer == ANSWER_ALLOW && can_allow(dialog))
		dialog->done(
		    g_array_index(dialog->request->targets, struct request_target, dialog->selected)
			.name,
		    dialog->data);
}

/* Keys, buttons and focus that another program sent; what the server sends lacks that mark. */
static GdkFilterReturn
drop_sent_input(GdkXEvent *x_event, GdkEvent *event, gpointer data)
{
	const XEvent *sent = (const XEvent *)x_event;

	(void)event;
	(void)data;
	return sent->xany.send_event && sent->type >= KeyPress && sent->type <= FocusOut
		   ? GDK_FILTER_REMOVE
		   : GDK_FILTER_CONTINUE;
}

/* A click of a button of the pointer, and not an action of some tool. */
static bool
is_real_click(void)
{
	GdkEvent *event = gtk_get_current_event();
	bool real = event != NULL && event->type == GDK_BUTTON_RELEASE;

	if (event != NULL)
		gdk_event_free(event);
	return real;
}

static void
on_ok(GtkButton *button, gpointer data)
{
	(void)button;
	if (is_real_click())
		give_answer(data, ANSWER_ALLOW);
}

static void
on_cancel(GtkButton *button, gpointer data)
{
	(void)button;
	if (is_real_click())
		give_answer(data, ANSWER_DENY);
}

static gboolean
on_delete(GtkWidget *widget, GdkEvent *event, gpointer data)
{
	struct ask_dialog *dialog = data;

	(void)widget;
	(void)event;
	dialog->done(NULL, dialog->data);
	return GDK_EVENT_STOP;
}

/* --- looking -------------------------------------------------------------------------------- */

static void
show_state(struct ask_dialog *dialog)
{
	gtk_widget_set_sensitive(dialog->ok, can_allow(dialog));
}

static struct arming_view
see(struct ask_dialog *dialog)
{
	GdkWindow *gdk_window = gtk_widget_get_window(dialog->window);
	GdkDisplay *gdk_display = gdk_window_get_display(gdk_window);
	Display *display = gdk_x11_display_get_xdisplay(gdk_display);
	Window window = gdk_x11_window_get_xid(gdk_window);
	struct stacking_view place;
	struct arming_view view;

	gdk_x11_display_error_trap_push(gdk_display);
	stacking_look(display, window, &place);
	stacking_push_below(display, place.covered_by, window);
	view = (struct arming_view){
	    .focused = gtk_window_is_active(GTK_WINDOW(dialog->window)) &&
		       stacking_has_focus(display, window),
	    .visible = place.visible,
	    .quiet = stacking_input_is_quiet(display),
	    .x = place.x,
	    .y = place.y,
	    .width = place.width,
	    .height = place.height,
	};
	if (gdk_x11_display_error_trap_pop(gdk_display) != 0)
		view.visible = false;
	return view;
}

static void
look(struct ask_dialog *dialog)
{
	struct arming_view view;

	if (!gtk_widget_get_realized(dialog->window))
		return;
	view = see(dialog);
	arming_look(&dialog->arming, g_get_monotonic_time(), &view);
	show_state(dialog);
}

static gboolean
on_look(gpointer data)
{
	look(data);
	return G_SOURCE_CONTINUE;
}

static gboolean
on_focus_lost(GtkWidget *widget, GdkEvent *event, gpointer data)
{
	struct ask_dialog *dialog = data;

	(void)widget;
	(void)event;
	arming_disarm(&dialog->arming);
	dialog->pressed = ANSWER_NONE;
	show_state(dialog);
	return GDK_EVENT_PROPAGATE;
}

static gboolean
on_configured(GtkWidget *widget, GdkEvent *event, gpointer data)
{
	(void)widget;
	(void)event;
	look(data);
	return GDK_EVENT_PROPAGATE;
}

/* --- keys ----------------------------------------------------------------------------------- */

static bool
is_enter(guint keyval)
{
	return keyval == GDK_KEY_Return || keyval == GDK_KEY_KP_Enter ||
	       keyval == GDK_KEY_ISO_Enter;
}

/* What a key means where the focus is; *ret_ours: nobody else is to see it. */
static enum answer
meaning_of(struct ask_dialog *dialog, guint keyval, bool *ret_ours)
{
	GtkWidget *focus = gtk_window_get_focus(GTK_WINDOW(dialog->window));
	bool on_button = focus == dialog->ok || focus == dialog->cancel;
	bool presses_button = on_button && (is_enter(keyval) || keyval == GDK_KEY_space);

	*ret_ours = true;
	if (keyval == GDK_KEY_Escape || (presses_button && focus == dialog->cancel))
		return ANSWER_DENY;
	if (presses_button || (is_enter(keyval) && focus == dialog->entry))
		return ANSWER_ALLOW;
	*ret_ours = is_enter(keyval) && focus == NULL;
	return ANSWER_NONE;
}

static gboolean
on_key_pressed(GtkWidget *widget, GdkEventKey *event, gpointer data)
{
	struct ask_dialog *dialog = data;
	enum answer answer;
	bool ours;

	(void)widget;
	arming_touch(&dialog->arming);
	answer = meaning_of(dialog, event->keyval, &ours);
	if (!ours)
		return GDK_EVENT_PROPAGATE;
	if (answer == ANSWER_ALLOW ? can_allow(dialog) : dialog->arming.armed) {
		dialog->pressed = answer;
		dialog->pressed_keycode = event->hardware_keycode;
	}
	return GDK_EVENT_STOP;
}

static gboolean
on_key_released(GtkWidget *widget, GdkEventKey *event, gpointer data)
{
	struct ask_dialog *dialog = data;
	enum answer answer = dialog->pressed;

	(void)widget;
	arming_touch(&dialog->arming);
	if (answer == ANSWER_NONE || event->hardware_keycode != dialog->pressed_keycode)
		return GDK_EVENT_PROPAGATE;
	dialog->pressed = ANSWER_NONE;
	look(dialog);
	give_answer(dialog, answer);
	return GDK_EVENT_STOP;
}

static bool
has_window_manager(GtkWidget *window)
{
	const char *name = gdk_x11_screen_get_window_manager_name(gtk_widget_get_screen(window));

	return g_strcmp0(name, "unknown") != 0;
}

static void
take_focus_without_manager(struct ask_dialog *dialog)
{
	if (!has_window_manager(dialog->window))
		gdk_window_focus(gtk_widget_get_window(dialog->window), GDK_CURRENT_TIME);
}

static gboolean
on_button(GtkWidget *widget, GdkEventButton *event, gpointer data)
{
	struct ask_dialog *dialog = data;

	(void)widget;
	arming_touch(&dialog->arming);
	if (event->type == GDK_BUTTON_PRESS)
		take_focus_without_manager(dialog);
	return GDK_EVENT_PROPAGATE;
}

static gboolean
on_mapped(GtkWidget *widget, GdkEvent *event, gpointer data)
{
	(void)widget;
	(void)event;
	take_focus_without_manager(data);
	return GDK_EVENT_PROPAGATE;
}

/* --- the target ----------------------------------------------------------------------------- */

static void
on_text_changed(GtkEditable *editable, gpointer data)
{
	struct ask_dialog *dialog = data;
	const GArray *targets = dialog->request->targets;
	const char *text = gtk_entry_get_text(GTK_ENTRY(dialog->entry));
	struct request_look none = {0};
	const struct request_look *shown = &none;
	GdkPixbuf *icon;

	(void)editable;
	dialog->selected = -1;
	for (guint i = 0; i < targets->len; i++) {
		const struct request_target *target =
		    &g_array_index(targets, struct request_target, i);

		if (strcmp(target->text, text) == 0) {
			dialog->selected = (int)i;
			shown = &target->look;
		}
	}
	icon = label_icon_new(shown, ICON_SIZE);
	gtk_entry_set_icon_from_pixbuf(GTK_ENTRY(dialog->entry), GTK_ENTRY_ICON_PRIMARY, icon);
	gtk_entry_set_icon_tooltip_text(
	    GTK_ENTRY(dialog->entry), GTK_ENTRY_ICON_PRIMARY, label_color_name(shown));
	g_object_unref(icon);
	show_state(dialog);
}

static GtkListStore *
make_model(const GArray *targets)
{
	GtkListStore *store = gtk_list_store_new(COLUMNS, GDK_TYPE_PIXBUF, G_TYPE_STRING);

	for (guint i = 0; i < targets->len; i++) {
		const struct request_target *target =
		    &g_array_index(targets, struct request_target, i);
		GdkPixbuf *icon = label_icon_new(&target->look, ICON_SIZE);

		gtk_list_store_insert_with_values(
		    store, NULL, -1, COLUMN_ICON, icon, COLUMN_TEXT, target->text, -1);
		g_object_unref(icon);
	}
	return store;
}

/* Any part of a name will do, in any case. key is folded already. */
static gboolean
matches(GtkEntryCompletion *completion, const char *key, GtkTreeIter *iter, gpointer data)
{
	g_autofree char *text = NULL;
	g_autofree char *folded = NULL;

	(void)data;
	gtk_tree_model_get(
	    gtk_entry_completion_get_model(completion), iter, COLUMN_TEXT, &text, -1);
	folded = text != NULL ? g_utf8_casefold(text, -1) : NULL;
	return folded != NULL && strstr(folded, key) != NULL;
}

static void
add_icon_column(GtkCellLayout *layout)
{
	GtkCellRenderer *renderer = gtk_cell_renderer_pixbuf_new();

	gtk_cell_layout_pack_start(layout, renderer, FALSE);
	gtk_cell_layout_reorder(layout, renderer, 0);
	gtk_cell_layout_add_attribute(layout, renderer, "pixbuf", COLUMN_ICON);
}

static void
set_up_target(struct ask_dialog *dialog)
{
	GtkListStore *store = make_model(dialog->request->targets);
	GtkEntryCompletion *completion = gtk_entry_completion_new();

	gtk_combo_box_set_model(GTK_COMBO_BOX(dialog->target), GTK_TREE_MODEL(store));
	gtk_combo_box_set_entry_text_column(GTK_COMBO_BOX(dialog->target), COLUMN_TEXT);
	add_icon_column(GTK_CELL_LAYOUT(dialog->target));

	gtk_entry_completion_set_model(completion, GTK_TREE_MODEL(store));
	gtk_entry_completion_set_text_column(completion, COLUMN_TEXT);
	gtk_entry_completion_set_match_func(completion, matches, NULL, NULL);
	gtk_entry_completion_set_inline_completion(completion, TRUE);
	gtk_entry_completion_set_inline_selection(completion, TRUE);
	gtk_entry_completion_set_popup_single_match(completion, TRUE);
	add_icon_column(GTK_CELL_LAYOUT(completion));
	gtk_entry_set_completion(GTK_ENTRY(dialog->entry), completion);
	g_object_unref(completion);
	g_object_unref(store);

	if (dialog->request->default_target >= 0)
		gtk_combo_box_set_active(
		    GTK_COMBO_BOX(dialog->target), dialog->request->default_target);
	on_text_changed(NULL, dialog);
}

/* --- the other fields ----------------------------------------------------------------------- */

static void
set_accessible(GtkWidget *widget, const char *name, const char *description)
{
	AtkObject *object = gtk_widget_get_accessible(widget);

	atk_object_set_name(object, name);
	atk_object_set_description(object, description);
}

static void
set_up_source(GtkWidget *entry, const struct ask_request *request)
{
	GdkPixbuf *icon = label_icon_new(&request->source_look, ICON_SIZE);
	g_autofree char *description =
	    g_strdup_printf("label %s", label_color_name(&request->source_look));

	gtk_entry_set_text(GTK_ENTRY(entry), request->source);
	gtk_entry_set_icon_from_pixbuf(GTK_ENTRY(entry), GTK_ENTRY_ICON_PRIMARY, icon);
	set_accessible(entry, "Source", description);
	g_object_unref(icon);
}

/* "qubes.Filecopy" with the part after the first dot in bold, then the argument. */
static char *
operation_markup(const struct ask_request *request)
{
	const char *dot = strchr(request->service, '.');
	const char *bold = dot != NULL && dot[1] != '\0' ? dot + 1 : request->service;
	g_autofree char *prefix = g_strndup(request->service, (gsize)(bold - request->service));
	g_autofree char *argument = request_shorten(request->argument);

	return g_markup_printf_escaped(
	    "%s<b>%s</b>%s", prefix, bold, strcmp(request->argument, "+") != 0 ? argument : "");
}

static void
set_up_operation(GtkBuilder *builder, const struct ask_request *request)
{
	GtkWidget *operation = GTK_WIDGET(gtk_builder_get_object(builder, "operation"));
	GtkTextView *whole = GTK_TEXT_VIEW(gtk_builder_get_object(builder, "whole_text"));
	g_autofree char *markup = operation_markup(request);

	gtk_label_set_markup(GTK_LABEL(operation), markup);
	set_accessible(operation, "Operation", gtk_label_get_text(GTK_LABEL(operation)));
	if (strlen(request->argument) <= REQUEST_ARGUMENT_SHOWN)
		return;
	gtk_text_buffer_set_text(gtk_text_view_get_buffer(whole), request->argument, -1);
	gtk_widget_show(GTK_WIDGET(gtk_builder_get_object(builder, "whole")));
}

/* A pair of labels that is there only when there is something to say. */
static void
set_up_optional(GtkBuilder *builder, const char *id, const char *text)
{
	g_autofree char *title_id = g_strconcat(id, "_title", NULL);

	if (text == NULL || text[0] == '\0')
		return;
	gtk_label_set_text(GTK_LABEL(gtk_builder_get_object(builder, id)), text);
	gtk_widget_show(GTK_WIDGET(gtk_builder_get_object(builder, id)));
	gtk_widget_show(GTK_WIDGET(gtk_builder_get_object(builder, title_id)));
}

static void
on_error_closed(GtkInfoBar *bar, gint response, gpointer data)
{
	(void)response;
	(void)data;
	gtk_widget_hide(GTK_WIDGET(bar));
}

static void
set_up_error(struct ask_dialog *dialog, GtkBuilder *builder)
{
	GtkLabel *text = GTK_LABEL(gtk_builder_get_object(builder, "error_text"));

	g_signal_connect(dialog->error_bar, "response", G_CALLBACK(on_error_closed), dialog);
	if (dialog->request->problem == NULL)
		return;
	gtk_label_set_text(text, dialog->request->problem);
	gtk_widget_show(dialog->error_bar);
}

/* --- the window ----------------------------------------------------------------------------- */

/*
 * In the middle of the screen where the pointer is, a little to one side each time, and never
 * under the pointer if there is room elsewhere.
 */
static void
place(GtkWidget *window)
{
	GdkDisplay *display = gtk_widget_get_display(window);
	GdkDevice *pointer = gdk_seat_get_pointer(gdk_display_get_default_seat(display));
	GdkRectangle area, at;
	GtkRequisition size;
	int x, y;

	gdk_device_get_position(pointer, NULL, &x, &y);
	gdk_monitor_get_workarea(gdk_display_get_monitor_at_point(display, x, y), &area);
	gtk_widget_get_preferred_size(window, NULL, &size);
	at = (GdkRectangle){
	    .x = area.x + (area.width - size.width) / 2 +
		 g_random_int_range(-PLACE_JITTER, PLACE_JITTER + 1),
	    .y = area.y + (area.height - size.height) / 2 +
		 g_random_int_range(-PLACE_JITTER, PLACE_JITTER + 1),
	};
	if (x > at.x - POINTER_MARGIN && x < at.x + size.width + POINTER_MARGIN &&
	    y > at.y - POINTER_MARGIN && y < at.y + size.height + POINTER_MARGIN) {
		if (x + POINTER_MARGIN + size.width <= area.x + area.width)
			at.x = x + POINTER_MARGIN;
		else if (x - POINTER_MARGIN - size.width >= area.x)
			at.x = x - POINTER_MARGIN - size.width;
		else if (y + POINTER_MARGIN + size.height <= area.y + area.height)
			at.y = y + POINTER_MARGIN;
		else if (y - POINTER_MARGIN - size.height >= area.y)
			at.y = y - POINTER_MARGIN - size.height;
	}
	gtk_window_move(GTK_WINDOW(window), MAX(at.x, area.x), MAX(at.y, area.y));
}

static void
show(GtkWidget *window)
{
	GdkWindow *gdk_window;
	guint32 now;

	gtk_window_set_keep_above(GTK_WINDOW(window), TRUE);
	gtk_window_stick(GTK_WINDOW(window));
	gtk_widget_realize(window);
	gdk_window = gtk_widget_get_window(window);
	gdk_window_set_events(
	    gdk_window, gdk_window_get_events(gdk_window) | GDK_PROPERTY_CHANGE_MASK);
	now = gdk_x11_get_server_time(gdk_window);
	gdk_x11_window_set_user_time(gdk_window, now);
	place(window);
	gtk_window_present_with_time(GTK_WINDOW(window), now);
}

/* Window and entry: while the list of completions is open, keys come to the entry alone. */
static void
connect_signals(struct ask_dialog *dialog)
{
	GtkWidget *both[] = {dialog->window, dialog->entry};

	for (size_t i = 0; i < G_N_ELEMENTS(both); i++) {
		g_signal_connect(both[i], "key-press-event", G_CALLBACK(on_key_pressed), dialog);
		g_signal_connect(both[i], "key-release-event", G_CALLBACK(on_key_released), dialog);
	}
	g_signal_connect(dialog->window, "button-press-event", G_CALLBACK(on_button), dialog);
	g_signal_connect(dialog->window, "button-release-event", G_CALLBACK(on_button), dialog);
	g_signal_connect(dialog->window, "delete-event", G_CALLBACK(on_delete), dialog);
	g_signal_connect(dialog->window, "map-event", G_CALLBACK(on_mapped), dialog);
	g_signal_connect(dialog->window, "focus-out-event", G_CALLBACK(on_focus_lost), dialog);
	g_signal_connect(dialog->window, "configure-event", G_CALLBACK(on_configured), dialog);
	g_signal_connect(dialog->entry, "changed", G_CALLBACK(on_text_changed), dialog);
	g_signal_connect(dialog->ok, "clicked", G_CALLBACK(on_ok), dialog);
	g_signal_connect(dialog->cancel, "clicked", G_CALLBACK(on_cancel), dialog);
}

struct ask_dialog *
ask_dialog_new(const struct ask_request *request, ask_dialog_done done, void *data)
{
	struct ask_dialog *dialog = g_new0(struct ask_dialog, 1);
	GtkBuilder *builder = gtk_builder_new_from_resource(UI_RESOURCE);

	dialog->request = request;
	dialog->done = done;
	dialog->data = data;
	dialog->selected = -1;
	arming_init(&dialog->arming);
	dialog->window = GTK_WIDGET(gtk_builder_get_object(builder, "window"));
	dialog->ok = GTK_WIDGET(gtk_builder_get_object(builder, "ok"));
	dialog->cancel = GTK_WIDGET(gtk_builder_get_object(builder, "cancel"));
	dialog->target = GTK_WIDGET(gtk_builder_get_object(builder, "target"));
	dialog->entry = GTK_WIDGET(gtk_builder_get_object(builder, "target_entry"));
	dialog->waiting = GTK_WIDGET(gtk_builder_get_object(builder, "waiting"));
	dialog->error_bar = GTK_WIDGET(gtk_builder_get_object(builder, "error_bar"));
	connect_signals(dialog);

	set_up_source(GTK_WIDGET(gtk_builder_get_object(builder, "source")), request);
	set_up_operation(builder, request);
	set_up_optional(builder, "relay", request->relay);
	if (strcmp(request->requested_target, "@default") != 0)
		set_up_optional(builder, "asked_for", request->requested_target);
	set_up_error(dialog, builder);
	set_up_target(dialog);
	set_accessible(dialog->entry, "Target", "Where the operation goes");
	g_object_unref(builder);

	gtk_window_set_default(GTK_WINDOW(dialog->window), dialog->cancel);
	gtk_widget_grab_focus(dialog->entry);
	gdk_window_add_filter(NULL, drop_sent_input, NULL);
	show(dialog->window);
	dialog->look_timer = g_timeout_add(LOOK_MS, on_look, dialog);
	return dialog;
}

void
ask_dialog_free(struct ask_dialog *dialog)
{
	if (dialog == NULL)
		return;
	g_source_remove(dialog->look_timer);
	gdk_window_remove_filter(NULL, drop_sent_input, NULL);
	g_signal_handlers_disconnect_by_data(dialog->window, dialog);
	g_signal_handlers_disconnect_by_data(dialog->entry, dialog);
	gtk_widget_destroy(dialog->window);
	g_free(dialog);
}

void
ask_dialog_set_waiting(struct ask_dialog *dialog, unsigned count)
{
	g_autofree char *text = g_strdup_printf(
	    count == 1 ? "%u more question is waiting." : "%u more questions are waiting.", count);

	gtk_label_set_text(GTK_LABEL(dialog->waiting), text);
	gtk_widget_set_visible(dialog->waiting, count > 0);
}
