#include "qubesd/admin_error.h"

#include <glib.h>
#include <stdarg.h>

bool
admin_error_set(struct admin_error *error, const char *name, const char *format, ...)
{
	va_list args;

	if (error == NULL)
		return false;
	admin_error_clear(error);
	error->name = name;
	va_start(args, format);
	error->message = g_strdup_vprintf(format, args);
	va_end(args);
	return false;
}

void
admin_error_clear(struct admin_error *error)
{
	error->name = NULL;
	g_clear_pointer(&error->message, g_free);
}
