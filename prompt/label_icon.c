#include "prompt/label_icon.h"

#include <cairo.h>
#include <gdk/gdk.h>
#include <gtk/gtk.h>
#include <math.h>
#include <string.h>

#define SEARCH_ICON "edit-find"
#define COLOR_UNKNOWN 0x999999

/* The labels that every installation has; others come with their colour. */
static const struct known_label {
	const char *name;
	uint32_t color;
} known_labels[] = {
    {"red", 0xcc0000},
    {"orange", 0xf57900},
    {"yellow", 0xedd400},
    {"green", 0x73d216},
    {"gray", 0x555753},
    {"blue", 0x3465a4},
    {"purple", 0x75507b},
    {"black", 0x000000},
};

/* The label in an icon's name: "red" of "appvm-red"; NULL when there is none that we know. */
static const struct known_label *
label_in_icon(const char *icon)
{
	const char *dash = icon != NULL ? strrchr(icon, '-') : NULL;

	for (size_t i = 0; dash != NULL && i < G_N_ELEMENTS(known_labels); i++) {
		if (strcmp(dash + 1, known_labels[i].name) == 0)
			return &known_labels[i];
	}
	return NULL;
}

const char *
label_color_name(const struct request_look *look)
{
	const struct known_label *label = label_in_icon(look->icon);

	return label != NULL ? label->name : "";
}

static uint32_t
color_of(const struct request_look *look)
{
	const struct known_label *label = label_in_icon(look->icon);

	if (look->has_color)
		return look->color;
	return label != NULL ? label->color : COLOR_UNKNOWN;
}

/* A light and a dark line around it, so that every colour shows on every background. */
static void
draw_outlined(cairo_t *cr, uint32_t color)
{
	cairo_set_source_rgb(
	    cr, (color >> 16) / 255.0, (color >> 8 & 0xff) / 255.0, (color & 0xff) / 255.0);
	cairo_fill_preserve(cr);
	cairo_set_line_width(cr, 2.0);
	cairo_set_source_rgb(cr, 1.0, 1.0, 1.0);
	cairo_stroke_preserve(cr);
	cairo_set_line_width(cr, 1.0);
	cairo_set_source_rgb(cr, 0.2, 0.2, 0.2);
	cairo_stroke(cr);
}

static GdkPixbuf *
draw(const struct request_look *look, int size)
{
	bool disposable = look->icon != NULL && g_str_has_prefix(look->icon, "disp");
	cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, size, size);
	cairo_t *cr = cairo_create(surface);
	GdkPixbuf *pixbuf;

	if (disposable)
		cairo_arc(cr, size / 2.0, size / 2.0, size / 2.0 - 1.5, 0, 2 * G_PI);
	else
		cairo_rectangle(cr, 1.5, 1.5, size - 3.0, size - 3.0);
	draw_outlined(cr, color_of(look));
	cairo_destroy(cr);
	pixbuf = gdk_pixbuf_get_from_surface(surface, 0, 0, size, size);
	cairo_surface_destroy(surface);
	return pixbuf;
}

GdkPixbuf *
label_icon_new(const struct request_look *look, int size)
{
	const char *name = look->icon != NULL ? look->icon : SEARCH_ICON;
	GdkPixbuf *pixbuf = gtk_icon_theme_load_icon(
	    gtk_icon_theme_get_default(), name, size, GTK_ICON_LOOKUP_FORCE_SIZE, NULL);

	return pixbuf != NULL ? pixbuf : draw(look, size);
}
