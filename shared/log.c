#include "shared/log.h"

#include "shared/rate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static const char *log_program = "bordure";
static bool log_debug_on;
static bool log_limited = true;
static struct rate log_rate;

void
log_init(const char *program)
{
	log_program = program;
}

void
log_set_debug(bool on)
{
	log_debug_on = on;
}

void
log_set_limit(bool on)
{
	log_limited = on;
}

static bool
is_admitted(uint64_t *ret_held)
{
	static const struct rate_limit limit = {LOG_BURST, LOG_PER_S};
	struct timespec now;

	*ret_held = 0;
	if (!log_limited || log_debug_on)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return rate_admit(
	    &log_rate, &limit, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, ret_held);
}

/* One write() a line, so that lines of several processes on one stderr never mix. */
static void
write_line(int priority, const char *text)
{
	char line[4 * LOG_LINE_BYTES + 64];
	size_t used;
	ssize_t written;

	used = (size_t)snprintf(line, 64, "<%d>%.40s: ", priority, log_program);
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p >= 0x20 && *p <= 0x7e)
			line[used++] = (char)*p;
		else
			used += (size_t)snprintf(line + used, 5, "\\x%02x", *p);
	}
	line[used++] = '\n';
	written = write(STDERR_FILENO, line, used);
	(void)written; /* nowhere is left to report that to */
}

static void
log_line(int priority, const char *format, va_list args)
{
	char text[LOG_LINE_BYTES];
	uint64_t held;

	if (!is_admitted(&held))
		return;
	if (held > 0) {
		snprintf(text, sizeof(text), "%" PRIu64 " lines were left out", held);
		write_line(4, text);
	}
	vsnprintf(text, sizeof(text), format, args);
	write_line(priority, text);
}

#define LOG_FUNCTION(name, priority, condition)                                                    \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		if (!(condition))                                                                  \
			return;                                                                    \
		va_start(args, format);                                                            \
		log_line(priority, format, args);                                                  \
		va_end(args);                                                                      \
	}

LOG_FUNCTION(log_error, 3, true)
LOG_FUNCTION(log_warn, 4, true)
LOG_FUNCTION(log_info, 6, true)
LOG_FUNCTION(log_debug, 7, log_debug_on)
