/*
 * console - what process 1 of a sandbox and its children write to their standard output, or a machine
 * to its serial line: the guest's log, kept for people.
 *
 * Trust:  the bytes are the qube's. Everything outside printable ASCII and newline is written as
 *         '?', but for carriage returns, which serial lines have: they are left out; the file is cut at CONSOLE_FILE_MAX and one older one is kept; at most
 *         CONSOLE_RATE bytes a second are taken, so a qube that floods waits for itself.
 * Where:  log/guest-NAME.log in the runtime folder, mode 0600; it stays after the stop.
 */
#ifndef SANDBOX_CONSOLE_H
#define SANDBOX_CONSOLE_H

#define CONSOLE_FILE_MAX (256 * 1024)
#define CONSOLE_RATE (64 * 1024)

struct console;

/* Reads from fd (taken over) on the main loop. 0 or negative errno; fd is closed then. */
int console_new(const char *name, int fd, struct console **ret);
/* Calls func once when nothing more can come. */
void console_on_end(struct console *console, void (*func)(void *data), void *data);
/* Takes what is still there first. */
void console_free(struct console *console);

/* The last whole line that came, without its newline; "" when there was none. Borrowed. */
const char *console_last_line(struct console *console);

#endif
