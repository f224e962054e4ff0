#include "prompt/arming.h"

void
arming_init(struct arming *arming)
{
	*arming = (struct arming){0};
}

static bool
same_place(const struct arming_view *a, const struct arming_view *b)
{
	return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

bool
arming_look(struct arming *arming, int64_t now_us, const struct arming_view *view)
{
	bool steady = view->focused && view->visible && same_place(view, &arming->last);

	arming->last = *view;
	if (!steady) {
		arming_disarm(arming);
	} else if (!arming->armed && !view->quiet) {
		arming->counting = false;
	} else if (!arming->armed && !arming->counting) {
		arming->counting = true;
		arming->since_us = now_us;
	} else if (!arming->armed) {
		arming->armed = now_us - arming->since_us >= ARMING_US;
	}
	return arming->armed;
}

void
arming_touch(struct arming *arming)
{
	arming->counting = false;
}

void
arming_disarm(struct arming *arming)
{
	arming->armed = false;
	arming->counting = false;
}
