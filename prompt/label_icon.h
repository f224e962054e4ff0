/*
 * label_icon - the small picture that shows a qube's label: the theme's own ("appvm-red") where
 * there is one, else a square in the label's colour (a disc for a disposable).
 */
#ifndef PROMPT_LABEL_ICON_H
#define PROMPT_LABEL_ICON_H

#include "prompt/request_decode.h"

#include <gdk-pixbuf/gdk-pixbuf.h>

/* size in pixels. A new reference; never NULL. look->icon may be NULL: then a search symbol. */
GdkPixbuf *label_icon_new(const struct request_look *look, int size);

/* The label's colour in words, for those who do not see it; "" when it is not known. */
const char *label_color_name(const struct request_look *look);

#endif
