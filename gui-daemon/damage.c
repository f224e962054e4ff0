#include "gui-daemon/damage.h"

#include <glib.h>

bool
rect_is_empty(struct rect rect)
{
	return rect.width == 0 || rect.height == 0;
}

struct rect
rect_intersect(struct rect a, struct rect b)
{
	int64_t left = MAX(a.x, b.x), top = MAX(a.y, b.y);
	int64_t right = MIN((int64_t)a.x + a.width, (int64_t)b.x + b.width);
	int64_t bottom = MIN((int64_t)a.y + a.height, (int64_t)b.y + b.height);
	struct rect none = {0};

	if (left >= right || top >= bottom)
		return none;
	return (struct rect){
	    (int32_t)left, (int32_t)top, (uint32_t)(right - left), (uint32_t)(bottom - top)};
}

struct rect
rect_unite(struct rect a, struct rect b)
{
	int64_t left = MIN(a.x, b.x), top = MIN(a.y, b.y);
	int64_t right = MAX((int64_t)a.x + a.width, (int64_t)b.x + b.width);
	int64_t bottom = MAX((int64_t)a.y + a.height, (int64_t)b.y + b.height);

	return (struct rect){
	    (int32_t)left, (int32_t)top, (uint32_t)(right - left), (uint32_t)(bottom - top)};
}

static uint64_t
rect_area(struct rect rect)
{
	return (uint64_t)rect.width * rect.height;
}

/* Two rectangles that fill their common frame well are one put instead of two. */
static bool
worth_joining(struct rect a, struct rect b)
{
	return rect_area(rect_unite(a, b)) <= rect_area(a) + rect_area(b);
}

static void
damage_remove(struct damage *damage, unsigned i)
{
	damage->rects[i] = damage->rects[--damage->count];
}

void
damage_add(struct damage *damage, struct rect rect)
{
	if (rect_is_empty(rect))
		return;
	for (unsigned i = 0; i < damage->count;) {
		if (worth_joining(damage->rects[i], rect)) {
			rect = rect_unite(damage->rects[i], rect);
			damage_remove(damage, i);
			i = 0; /* the grown one may now join an earlier one */
		} else {
			i++;
		}
	}
	if (damage->count == DAMAGE_RECTS) {
		while (damage->count > 0) {
			rect = rect_unite(damage->rects[0], rect);
			damage_remove(damage, 0);
		}
	}
	damage->rects[damage->count++] = rect;
}

void
damage_clear(struct damage *damage)
{
	damage->count = 0;
}
