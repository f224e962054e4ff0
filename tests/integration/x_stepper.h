/*
 * x_stepper - a way to the X server for one client, on which its requests go one at a time.
 *
 * The client connects to a display number of ours; we take its stream apart into requests and hand
 * them on singly, with their descriptors. After each that can change what is on the screen a
 * callback looks; only then the next one follows. So what a fast client shows for microseconds
 * only is looked at as well.
 */
#ifndef TESTS_INTEGRATION_X_STEPPER_H
#define TESTS_INTEGRATION_X_STEPPER_H

#include <poll.h>
#include <stdbool.h>

struct x_stepper;

typedef void (*x_stepper_func)(void *data);

/* number is the display to be, server_number the real one. NULL when that does not work. */
struct x_stepper *x_stepper_new(int number, int server_number, x_stepper_func on_step, void *data);
void x_stepper_free(struct x_stepper *stepper); /* NULL is fine */

#define X_STEPPER_FDS 3
/* Fills X_STEPPER_FDS entries to poll, and works through what poll() said of them. */
void x_stepper_prepare(const struct x_stepper *stepper, struct pollfd *fds);
void x_stepper_dispatch(struct x_stepper *stepper, const struct pollfd *fds);

#endif
