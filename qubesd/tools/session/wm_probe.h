/*
 * wm_probe - tells when a window manager that was just started manages windows.
 *
 * That it has announced itself is not enough: what is mapped between then and the end of its start
 * may be lost, and stay unmapped for ever. So a window of one pixel is mapped, again and again, until
 * the window manager has given it a state.
 */
#ifndef QUBESD_TOOLS_SESSION_WM_PROBE_H
#define QUBESD_TOOLS_SESSION_WM_PROBE_H

#include <stdbool.h>

#define WM_PROBE_LIMIT_MS 10000

struct wm_probe;

/* managed: false when WM_PROBE_LIMIT_MS passed without. The probe is gone when this returns. */
typedef void (*wm_probe_done)(bool managed, void *data);

/* On $DISPLAY. done comes later, from the main loop, and once. */
struct wm_probe *wm_probe_new(wm_probe_done done, void *data);
void wm_probe_free(struct wm_probe *probe); /* before done; NULL is fine */

#endif
