#include "qubesd/admin_decode.h"

#include "qubesd/grammar.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#define PROTOCOL "ProtocolError"
#define HEAD_PIECES 4
#define UUID_PREFIX "uuid:"

/* --- the frame ------------------------------------------------------------------------------ */

/* METHOD+ARG at the first '+'; without one the argument is empty. */
static void
split_method(const char *piece, char **ret_method, char **ret_arg)
{
	const char *plus = strchr(piece, '+');

	*ret_method = plus != NULL ? g_strndup(piece, (size_t)(plus - piece)) : g_strdup(piece);
	*ret_arg = g_strdup(plus != NULL ? plus + 1 : "");
}

/* The name of the destination, or NULL: "name X" and "keyword adminvm" are all there is. */
static const char *
destination(const char *type, const char *dest)
{
	if (strcmp(type, "name") == 0)
		return dest;
	if (strcmp(type, "keyword") == 0 && strcmp(dest, "adminvm") == 0)
		return "dom0";
	return NULL;
}

int
admin_decode_request(struct untrusted_bytes untrusted_request, struct admin_request *ret)
{
	const uint8_t *end = NULL;
	g_auto(GStrv) pieces = NULL;
	g_autofree char *head = NULL;
	const char *dest;

	if (untrusted_request.len > ADMIN_REQUEST_MAX)
		return -EPROTO;
	if (untrusted_request.len > 0)
		end = memchr(untrusted_request.raw, '\0', untrusted_request.len);
	if (end == NULL)
		return -EPROTO;
	head = g_strdup((const char *)untrusted_request.raw);
	pieces = g_strsplit(head, " ", HEAD_PIECES);
	if (g_strv_length(pieces) < HEAD_PIECES)
		return -EPROTO;
	dest = destination(pieces[2], pieces[3]);
	if (dest == NULL)
		return -EPROTO;

	split_method(pieces[0], &ret->method, &ret->arg);
	ret->source = g_strdup(pieces[1]);
	ret->dest = g_strdup(dest);
	ret->ascii = g_str_is_ascii(pieces[0]);
	ret->untrusted_payload = untrusted_bytes_of(
	    end + 1, untrusted_request.len - (size_t)(end + 1 - untrusted_request.raw));
	return 0;
}

void
admin_request_clear(struct admin_request *request)
{
	g_clear_pointer(&request->method, g_free);
	g_clear_pointer(&request->arg, g_free);
	g_clear_pointer(&request->source, g_free);
	g_clear_pointer(&request->dest, g_free);
}

enum admin_name
admin_decode_name(const char *untrusted_name, const char **ret_name)
{
	if (g_str_has_prefix(untrusted_name, UUID_PREFIX)) {
		if (!text_is_uuid(untrusted_name + strlen(UUID_PREFIX)))
			return ADMIN_NAME_BAD_UUID;
		*ret_name = untrusted_name + strlen(UUID_PREFIX);
		return ADMIN_NAME_UUID;
	}
	if (!text_is_qube_name(untrusted_name))
		return ADMIN_NAME_BAD;
	*ret_name = untrusted_name;
	return ADMIN_NAME_QUBE;
}

/* --- payloads ------------------------------------------------------------------------------- */

/* A string, or NULL when the bytes are not all 0x20..0x7e. */
static char *
printable(struct untrusted_bytes untrusted_text)
{
	for (size_t i = 0; i < untrusted_text.len; i++) {
		if (untrusted_text.raw[i] < 0x20 || untrusted_text.raw[i] > 0x7e)
			return NULL;
	}
	return g_strndup((const char *)untrusted_text.raw, untrusted_text.len);
}

bool
admin_payload_is(struct untrusted_bytes untrusted_payload, const char *word)
{
	return untrusted_payload.len == strlen(word) &&
	       memcmp(untrusted_payload.raw, word, untrusted_payload.len) == 0;
}

bool
admin_decode_feature_value(
    struct untrusted_bytes untrusted_payload, char **ret, struct admin_error *error)
{
	char *value;

	if (untrusted_payload.len > GRAMMAR_FEATURE_VALUE_MAX)
		return admin_error_set(error, PROTOCOL, "The value of a feature is too long");
	value = printable(untrusted_payload);
	if (value == NULL)
		return admin_error_set(
		    error, PROTOCOL, "The value of a feature must be printable ASCII");
	*ret = value;
	return true;
}

bool
admin_decode_colour(
    struct untrusted_bytes untrusted_payload, uint32_t *ret, struct admin_error *error)
{
	g_autofree char *text = printable(untrusted_payload);

	if (text == NULL || !grammar_parse_colour(text, ret))
		return admin_error_set(error, "QubesInvalidLabelValueError",
		    "The colour of a label is 0x and six hexadecimal digits");
	return true;
}

char *
admin_decode_notes(struct untrusted_bytes untrusted_payload)
{
	const char *p = (const char *)untrusted_payload.raw;
	const char *end = p + untrusted_payload.len;
	GString *out = g_string_new(NULL);

	/* Lines and tabs are the writer's; between them the text is made harmless. */
	while (p < end) {
		const char *stop = p;

		while (stop < end && *stop != '\n' && *stop != '\t')
			stop++;
		g_autofree char *piece = text_utf8(p, (size_t)(stop - p));

		g_string_append(out, piece);
		if (stop < end)
			g_string_append_c(out, *stop++);
		p = stop;
	}
	return g_string_free(out, FALSE);
}

bool
admin_decode_shutdown(
    const char *untrusted_arg, bool *ret_force, bool *ret_wait, struct admin_error *error)
{
	bool force = false, wait = false;
	g_auto(GStrv) words = g_strsplit(untrusted_arg, "+", -1);

	for (char **word = words; *word != NULL; word++) {
		bool *flag = strcmp(*word, "force") == 0  ? &force
			     : strcmp(*word, "wait") == 0 ? &wait
							  : NULL;

		if (flag == NULL || *flag)
			return admin_error_set(
			    error, PROTOCOL, "The argument is made of: force, wait");
		*flag = true;
	}
	*ret_force = force;
	*ret_wait = wait;
	return true;
}

/* --- the payload of Create ------------------------------------------------------------------ */

const char *const admin_volume_names[ADMIN_VOLUME_COUNT] = {
    "root", "private", "volatile", "kernel"};

void
admin_create_clear(struct admin_create *create)
{
	g_free(create->name);
	g_free(create->label);
	g_free(create->pool);
	for (size_t i = 0; i < ADMIN_VOLUME_COUNT; i++)
		g_free(create->volume_pools[i]);
	*create = (struct admin_create){0};
}

/* Cuts every token at its '='. False: one has none, or a key stands twice. */
static bool
split_tokens(char **tokens, GPtrArray *ret_values, struct admin_error *error)
{
	for (char **token = tokens; *token != NULL; token++) {
		char *equals = strchr(*token, '=');

		if (equals == NULL)
			return admin_error_set(
			    error, PROTOCOL, "Options are key=value, separated by one space");
		*equals = '\0';
		g_ptr_array_add(ret_values, equals + 1);
		for (char **earlier = tokens; earlier < token; earlier++) {
			if (strcmp(*earlier, *token) == 0)
				return admin_error_set(
				    error, PROTOCOL, "Every option may be given once");
		}
	}
	return true;
}

static bool
take_volume_pool(
    struct admin_create *create, const char *volume, const char *pool, struct admin_error *error)
{
	for (size_t i = 0; i < ADMIN_VOLUME_COUNT; i++) {
		if (strcmp(admin_volume_names[i], volume) == 0) {
			create->volume_pools[i] = g_strdup(pool);
			return true;
		}
	}
	return admin_error_set(
	    error, PROTOCOL, "Volume must be one of: root, private, volatile, kernel");
}

static bool
take_option(struct admin_create *create, const char *key, const char *value, bool in_pool,
    struct admin_error *error)
{
	bool pool_key = strcmp(key, "pool") == 0 || g_str_has_prefix(key, "pool:");

	if (strcmp(key, "name") == 0) {
		if (!text_is_qube_name(value))
			return admin_error_set(error, "QubesValueError",
			    "Not the name of a qube: letters, digits, '_', '.', '-', beginning "
			    "with a letter, at most %d",
			    TEXT_QUBE_NAME_MAX);
		create->name = g_strdup(value);
		return true;
	}
	if (strcmp(key, "label") == 0) {
		if (!grammar_is_new_label(value))
			return admin_error_set(
			    error, "QubesInvalidLabelError", "Not the name of a label");
		create->label = g_strdup(value);
		return true;
	}
	if (!pool_key)
		return admin_error_set(error, PROTOCOL, "Unknown option");
	if (!in_pool)
		return admin_error_set(error, PROTOCOL, "A pool may not be given here");
	if (strcmp(key, "pool") == 0) {
		create->pool = g_strdup(value);
		return true;
	}
	return take_volume_pool(create, key + strlen("pool:"), value, error);
}

static bool
check_complete(const struct admin_create *create, struct admin_error *error)
{
	if (create->name == NULL)
		return admin_error_set(error, PROTOCOL, "Option missing: name");
	if (create->label == NULL)
		return admin_error_set(error, PROTOCOL, "Option missing: label");
	for (size_t i = 0; create->pool != NULL && i < ADMIN_VOLUME_COUNT; i++) {
		if (create->volume_pools[i] != NULL)
			return admin_error_set(
			    error, PROTOCOL, "Either pool= or pool:VOLUME= may be given");
	}
	return true;
}

bool
admin_decode_create(struct untrusted_bytes untrusted_payload, bool in_pool,
    struct admin_create *ret, struct admin_error *error)
{
	struct admin_create create = {0};
	g_autofree char *text = printable(untrusted_payload);
	g_autoptr(GPtrArray) values = g_ptr_array_new();
	g_auto(GStrv) tokens = NULL;
	bool ok;

	if (text == NULL)
		return admin_error_set(error, PROTOCOL, "Options must be printable ASCII");
	tokens = g_strsplit(text, " ", -1);
	ok = split_tokens(tokens, values, error);
	for (guint i = 0; ok && i < values->len; i++)
		ok = take_option(&create, tokens[i], values->pdata[i], in_pool, error);
	if (!ok || !check_complete(&create, error)) {
		admin_create_clear(&create);
		return false;
	}
	*ret = create;
	return true;
}
