/*
 * log - one line a message on stderr, with the journal's priority prefix ("<4>...").
 *
 * Every byte outside 0x20..0x7e of the finished line is written as \xHH and a line ends after
 * 1024 bytes, so no text from outside can forge a line or reach a terminal raw. Text chosen by a
 * qube still goes through text_quote() where it stands in the line, to show where it begins and
 * ends. Most lines are caused by somebody outside, who may want to fill a disk: LOG_BURST lines may
 * come at once, then LOG_PER_S a second, and the others are counted instead. Never log keystrokes, clipboard contents or window titles.
 */
#ifndef SHARED_LOG_H
#define SHARED_LOG_H

#include <stdbool.h>

#define LOG_BURST 1000
#define LOG_PER_S 10

/* The program's name in front of every line; borrowed for ever. Call it once, first in main(). */
void log_init(const char *program);
void log_set_debug(bool on); /* off at the start: log_debug() is silent then; on: no limit */
/* On at the start. Off for who has limits of his own, so that one qube hides no line of another. */
void log_set_limit(bool on);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
