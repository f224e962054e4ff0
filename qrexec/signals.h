/*
 * signals - signals as events of the main loop, without a handler and without a thread.
 *
 * A watched signal is blocked in this process; process_start() unblocks everything in its children.
 */
#ifndef QREXEC_SIGNALS_H
#define QREXEC_SIGNALS_H

#include <glib.h>
#include <stdbool.h>

struct signals;

typedef void (*signals_func)(int number, void *data);

/*
 * First thing in main(): descriptors 0 to 2 must be open, or some socket would become stdout (exit
 * 125); and a reader that left is an error of the write, not the end of the program.
 */
void signals_prepare(void);

/* Watches up to three signals (0: none). Call before anything that could start a thread. */
struct signals *signals_new(int first, int second, int third, signals_func on_signal, void *data);
void signals_free(struct signals *signals); /* the signals stay blocked */

/* Delivers what is pending right now, from inside another callback. */
void signals_poll(struct signals *signals);

#endif
