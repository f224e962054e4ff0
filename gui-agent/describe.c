#include "gui-agent/describe.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"

static size_t
bounded_length(const char *text, size_t len)
{
	const char *nul = memchr(text, '\0', len);

	return nul != NULL ? (size_t)(nul - text) : len;
}

static bool
is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

void
describe_title(const char *utf8, size_t len, struct gui_wire_wmname *ret)
{
	const size_t room = sizeof(ret->text) - 1;
	size_t kept;

	memset(ret, 0, sizeof(*ret));
	len = bounded_length(utf8, len);
	if (len <= room) {
		memcpy(ret->text, utf8, len);
		return;
	}
	kept = room - strlen(ELLIPSIS);
	for (int i = 0; i < 3 && is_continuation(utf8[kept]); i++)
		kept--;
	memcpy(ret->text, utf8, kept);
	memcpy(ret->text + kept, ELLIPSIS, strlen(ELLIPSIS));
}

void
describe_class(const char *res_class, const char *res_name, struct gui_wire_wmclass *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (res_class != NULL)
		memcpy(ret->res_class, res_class, strnlen(res_class, sizeof(ret->res_class) - 1));
	if (res_name != NULL)
		memcpy(ret->res_name, res_name, strnlen(res_name, sizeof(ret->res_name) - 1));
}

static void
take_pair(struct gui_wire_window_hints *hints, uint32_t flag, int first, int second,
    uint32_t *ret_first, uint32_t *ret_second)
{
	if (first < 0 || second < 0)
		return;
	hints->flags |= flag;
	*ret_first = (uint32_t)first;
	*ret_second = (uint32_t)second;
}

static uint32_t
round_up_to_step(uint32_t minimum, uint32_t base, uint32_t step)
{
	uint32_t over;

	if (step <= 1 || minimum <= base)
		return MAX(minimum, base);
	over = (minimum - base) % step;
	return over == 0 ? minimum : minimum + (step - over);
}

void
describe_hints(const XSizeHints *hints, struct gui_wire_window_hints *ret)
{
	const uint32_t stepped = GUI_HINT_MIN_SIZE | GUI_HINT_RESIZE_INC | GUI_HINT_BASE_SIZE;

	memset(ret, 0, sizeof(*ret));
	ret->flags = (uint32_t)hints->flags & (GUI_HINT_USER_POSITION | GUI_HINT_PROGRAM_POSITION);
	if (hints->flags & PMinSize)
		take_pair(ret, GUI_HINT_MIN_SIZE, hints->min_width, hints->min_height,
		    &ret->min_width, &ret->min_height);
	if (hints->flags & PMaxSize)
		take_pair(ret, GUI_HINT_MAX_SIZE, hints->max_width, hints->max_height,
		    &ret->max_width, &ret->max_height);
	if (hints->flags & PResizeInc)
		take_pair(ret, GUI_HINT_RESIZE_INC, hints->width_inc, hints->height_inc,
		    &ret->width_inc, &ret->height_inc);
	if (hints->flags & PBaseSize)
		take_pair(ret, GUI_HINT_BASE_SIZE, hints->base_width, hints->base_height,
		    &ret->base_width, &ret->base_height);
	if ((ret->flags & stepped) == stepped) {
		ret->min_width = round_up_to_step(ret->min_width, ret->base_width, ret->width_inc);
		ret->min_height =
		    round_up_to_step(ret->min_height, ret->base_height, ret->height_inc);
	}
}
