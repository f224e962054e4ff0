#include "shared/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_BYTES 1024

static const char *log_program = "bordure";
static bool log_debug_on;

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

/* One write() a line, so that lines of several processes on one stderr never mix. */
static void
log_line(int priority, const char *format, va_list args)
{
	char text[LOG_LINE_BYTES];
	char line[4 * LOG_LINE_BYTES + 64];
	size_t used;
	ssize_t written;

	vsnprintf(text, sizeof(text), format, args);
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
