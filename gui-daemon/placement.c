#include "gui-daemon/placement.h"
#include "gui-daemon/frame.h"

#define MOST_OF_THE_AREA_PERCENT 90

bool
placement_is_too_large(struct rect content, uint64_t others, struct rect work_area)
{
	uint64_t area = (uint64_t)content.width * content.height + others;
	uint64_t limit = (uint64_t)work_area.width * work_area.height;

	return area * 100 > limit * MOST_OF_THE_AREA_PERCENT;
}

/* Moves and shrinks start..start + length into from..from + limit. */
static void
force_span(int32_t *start, uint32_t *length, int32_t from, uint32_t limit)
{
	if (*length > limit)
		*length = limit;
	if (*start < from)
		*start = from;
	if ((int64_t)*start + *length > (int64_t)from + limit)
		*start = (int32_t)((int64_t)from + limit - *length);
}

struct rect
placement_force_on_screen(
    struct rect content, unsigned border, struct rect screen, struct rect work_area)
{
	struct rect outer = frame_outer_of(border, content);

	if (rect_is_empty(rect_intersect(outer, screen)))
		return content;
	force_span(&outer.x, &outer.width, work_area.x, work_area.width);
	force_span(&outer.y, &outer.height, work_area.y, work_area.height);
	return frame_content_of(border, outer);
}
