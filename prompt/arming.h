/*
 * arming - when may the person answer?
 *
 * A dialog that appears under somebody's fingers must not take a key or a click that was meant for
 * another window. So nothing can be answered until, for one whole second without a break,
 *   - the dialog had the focus,
 *   - it was fully visible: on the screen, with no window above that overlaps it,
 *   - it was neither moved nor resized,
 *   - all keys and buttons were released.
 * Any change starts the second again. Once armed, keys and buttons are how it is answered; losing
 * the focus, being covered or being moved disarms at once.
 *
 * Pure: the caller looks (often, and at each event that may matter) and says what it saw and when.
 */
#ifndef PROMPT_ARMING_H
#define PROMPT_ARMING_H

#include <stdbool.h>
#include <stdint.h>

#define ARMING_US 1000000 /* the second */

/* What can be seen of the dialog at one moment. */
struct arming_view {
	bool focused;
	bool visible; /* fully */
	bool quiet;   /* all keys and buttons are released */
	int x, y, width, height;
};

struct arming {
	bool armed;
	bool counting;
	int64_t since_us; /* when the count began, while counting */
	struct arming_view last;
};

void arming_init(struct arming *arming);

/* Takes in one look. Times only go forward. Returns true when answers count. */
bool arming_look(struct arming *arming, int64_t now_us, const struct arming_view *view);

/* A key or button was used, perhaps between two looks: the second starts again, unless armed. */
void arming_touch(struct arming *arming);

/* Focus or visibility was lost, perhaps between two looks. */
void arming_disarm(struct arming *arming);

#endif
