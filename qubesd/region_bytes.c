#include "qubesd/region_bytes.h"

#include "shared/log.h"

#include <glib.h>

#define DEFAULT (UINT64_C(512) << 20)
#define LEAST (UINT64_C(1) << 20)
#define MOST (UINT64_C(4) << 30)

uint64_t
region_bytes(void)
{
	const char *text = g_getenv("QUBES_REGION_SIZE");
	guint64 bytes;

	if (text == NULL || text[0] == '\0')
		return DEFAULT;
	if (!g_ascii_string_to_unsigned(text, 10, LEAST, MOST, &bytes, NULL) ||
	    (bytes & (bytes - 1)) != 0) {
		log_warn("QUBES_REGION_SIZE is no power of two from 1 MiB to 4 GiB, in bytes");
		return DEFAULT;
	}
	return bytes;
}
