/* The part of volume.h about payloads that a caller of the Admin API chose. */
#include "qubesd/storage/import_lock.h"
#include "qubesd/storage/volume.h"

#include <string.h>

#define PAYLOAD_MAX 64 /* bytes, blanks around it included */

/* The payload as a string (g_free()); NULL: it is too long or holds more than printable ASCII. */
static char *
take_word(struct untrusted_bytes untrusted_payload, bool trim)
{
	char *word;

	if (untrusted_payload.len == 0 || untrusted_payload.len > PAYLOAD_MAX)
		return NULL;
	for (size_t i = 0; i < untrusted_payload.len; i++) {
		uint8_t byte = untrusted_payload.raw[i];

		if ((byte < 0x20 || byte > 0x7e) && !(trim && g_ascii_isspace(byte)))
			return NULL;
	}
	word = g_strndup((const char *)untrusted_payload.raw, untrusted_payload.len);
	return trim ? g_strstrip(word) : word;
}

static bool
is_number(const char *word)
{
	size_t len = strlen(word);

	return len > 0 && len <= 19 && strspn(word, "0123456789") == len &&
	       (len == 1 || word[0] != '0');
}

bool
volume_decode_size(struct untrusted_bytes untrusted_payload, bool trim, uint64_t *ret)
{
	g_autofree char *word = take_word(untrusted_payload, trim);
	uint64_t size;

	if (word == NULL || !is_number(word))
		return false;
	size = g_ascii_strtoull(word, NULL, 10);
	if (size < 1 || size > VOLUME_SIZE_MAX)
		return false;
	*ret = size;
	return true;
}

bool
volume_decode_revisions(struct untrusted_bytes untrusted_payload, int *ret)
{
	g_autofree char *word = take_word(untrusted_payload, false);
	uint64_t number;

	if (word != NULL && strcmp(word, "-1") == 0) {
		*ret = -1;
		return true;
	}
	if (word == NULL || !is_number(word))
		return false;
	number = g_ascii_strtoull(word, NULL, 10);
	if (number > VOLUME_REVISIONS_MAX)
		return false;
	*ret = (int)number;
	return true;
}

bool
volume_decode_revision(struct untrusted_bytes untrusted_payload, char **ret)
{
	g_autofree char *word = take_word(untrusted_payload, true);

	if (word == NULL || word[0] == '\0')
		return false;
	for (const char *p = word; *p != '\0'; p++) {
		if (!g_ascii_isalnum(*p) && strchr(":._-", *p) == NULL)
			return false;
	}
	*ret = g_steal_pointer(&word);
	return true;
}

bool
volume_decode_import(
    struct untrusted_bytes untrusted_payload, uint64_t *ret_size, char **ret_holder)
{
	const uint8_t *end = untrusted_payload.len > 0
				 ? memchr(untrusted_payload.raw, '\n', untrusted_payload.len)
				 : NULL;
	size_t len = end != NULL ? (size_t)(end - untrusted_payload.raw) : untrusted_payload.len;
	struct untrusted_bytes untrusted_size = {untrusted_payload.raw, len};
	g_autofree char *holder = NULL;
	uint64_t size = 0;

	if (len > 0 && !volume_decode_size(untrusted_size, true, &size))
		return false;
	if (len + 1 < untrusted_payload.len) {
		holder =
		    take_word(untrusted_bytes_of(end + 1, untrusted_payload.len - len - 1), false);
		if (holder == NULL || !import_lock_is_name(holder))
			return false;
	}
	*ret_size = size;
	*ret_holder = g_steal_pointer(&holder);
	return true;
}
