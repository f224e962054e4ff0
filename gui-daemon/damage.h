/*
 * damage - what is to be painted again in one window: a few rectangles, joined when they get many.
 *
 * Pure. Rectangles are in pixels of the window's content and lie within 0..GUI_MAX_WIDTH,
 * 0..GUI_MAX_HEIGHT. However much a qube reports, at most DAMAGE_RECTS are kept and everything
 * reported is covered.
 */
#ifndef GUI_DAEMON_DAMAGE_H
#define GUI_DAEMON_DAMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define DAMAGE_RECTS 8

struct rect {
	int32_t x, y;
	uint32_t width, height;
};

struct damage {
	unsigned count;
	struct rect rects[DAMAGE_RECTS];
};

bool rect_is_empty(struct rect rect);
/* Empty when they do not meet. */
struct rect rect_intersect(struct rect a, struct rect b);
struct rect rect_unite(struct rect a, struct rect b); /* the smallest around both */

void damage_add(struct damage *damage, struct rect rect);
void damage_clear(struct damage *damage);

#endif
