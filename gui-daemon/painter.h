/*
 * painter - turns damage into puts, and acknowledges dumps when their predecessors are done with.
 *
 * At most one pass is under way: all damage that came together until now is put, then a fence is
 * sent, and only when the X server has answered it the next pass begins. So a qube that reports
 * damage faster than the server can copy gets fewer, larger copies and nobody else waits for it;
 * and an acknowledgement leaves only when the server has finished with the pages it sets free.
 */
#ifndef GUI_DAEMON_PAINTER_H
#define GUI_DAEMON_PAINTER_H

#include "gui-daemon/pixels.h"
#include "gui-daemon/window.h"

struct painter;

/* Takes over pixels. display and outbox are borrowed. */
struct painter *painter_new(struct display *display, struct outbox *outbox, struct pixels *pixels);
void painter_free(struct painter *painter); /* NULL is fine; after all windows */

struct pixels *painter_pixels(struct painter *painter);

/* rect is in content coordinates; what lies outside the window is ignored. */
void painter_damage(struct painter *painter, struct window *window, struct rect rect);

/*
 * The window whose pixels stand in for windows that have none (the guest's whole screen, window
 * 0), or NULL. Borrowed.
 */
void painter_set_screen(struct painter *painter, struct window *screen);

/* Sends a message without a body (WINDOW_DUMP_ACK, DESTROY) after what was put so far; in order. */
void painter_acknowledge(
    struct painter *painter, enum gui_message type, struct guest_window window);

/*
 * True when so many acknowledgements wait for the X server that the guest's stream should not be
 * read for a while; each that leaves goes through the outbox.
 */
bool painter_is_full(const struct painter *painter);

/* Before the window goes. */
void painter_forget(struct painter *painter, struct window *window);

#endif
