/*
 * gui_access - tells the broker which domain is the GUI domain of which.
 *
 * The broker hands a qube's memory region to the trusted side and to that qube's GUI domain only,
 * and it goes by numbers of runs: so it must be told again whenever one of the two has started.
 * Blocks: nothing here. The exchanges, 5 seconds each at most, happen in one thread, in the order of
 * the calls. What the broker refuses is logged, and the GUI domain gets nothing: fail closed.
 */
#ifndef QUBESD_GUI_ACCESS_H
#define QUBESD_GUI_ACCESS_H

#include <stddef.h>
#include <stdint.h>

struct gui_access_pair {
	uint32_t domain;
	uint32_t gui_domain; /* 0: the trusted side alone */
};

typedef void (*gui_access_done)(void *data);

struct gui_access;
struct gui_access *gui_access_new(void);
/* Calls that wait are dropped: their done is not called any more. NULL is fine. */
void gui_access_free(struct gui_access *access);

/* pairs are copied. done (NULL: nobody waits) is called later, from the main loop. */
void gui_access_tell(struct gui_access *access, const struct gui_access_pair *pairs, size_t count,
    gui_access_done done, void *data);

#endif
