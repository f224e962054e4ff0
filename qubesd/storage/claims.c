#include "qubesd/storage/claims.h"

#include "qubesd/storage/import_lock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

struct import {
	uint64_t size;
	char *holder;    /* owned; NULL: it goes by the time */
	gint64 begun_us; /* without a holder */
};

struct token {
	char *text, *caller, *qube, *volume; /* owned */
	gint64 made_us;
};

struct claims {
	GHashTable *imports; /* owned: "POOL:VID" -> struct import */
	GPtrArray *tokens;   /* owned: struct token, oldest first */
};

static void
import_free(void *data)
{
	struct import *import = data;

	g_free(import->holder);
	g_free(import);
}

static void
token_free(void *data)
{
	struct token *token = data;

	g_free(token->text);
	g_free(token->caller);
	g_free(token->qube);
	g_free(token->volume);
	g_free(token);
}

static void adopt_imports(struct claims *claims);

struct claims *
claims_new(void)
{
	struct claims *claims = g_new0(struct claims, 1);

	claims->imports = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, import_free);
	claims->tokens = g_ptr_array_new_with_free_func(token_free);
	adopt_imports(claims);
	return claims;
}

void
claims_free(struct claims *claims)
{
	if (claims == NULL)
		return;
	g_hash_table_unref(claims->imports);
	g_ptr_array_unref(claims->tokens);
	g_free(claims);
}

/* --- imports -------------------------------------------------------------------------------- */

static void
forget_import(struct claims *claims, const char *key)
{
	const struct import *import = g_hash_table_lookup(claims->imports, key);

	if (import->holder != NULL)
		import_lock_remove(import->holder);
	g_hash_table_remove(claims->imports, key);
}

/* NULL: there is none, or whoever began it has gone. */
static const struct import *
find_import(struct claims *claims, const char *key, gint64 now_us)
{
	const struct import *import = g_hash_table_lookup(claims->imports, key);

	if (import == NULL)
		return NULL;
	if (import->holder != NULL ? import_lock_is_held(import->holder)
				   : now_us - import->begun_us < CLAIMS_IMPORT_S * G_USEC_PER_SEC)
		return import;
	forget_import(claims, key);
	return NULL;
}

/* What the holder's file says of it: the size, and the key on the next line. */
static int
note_import(const char *holder, const char *key, uint64_t size)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n%s\n", size, key);

	return import_lock_is_held(holder) ? import_lock_write(holder, text) : -ESRCH;
}

static void
add_import(struct claims *claims, const char *key, uint64_t size, const char *holder, gint64 now_us)
{
	struct import *import = g_new0(struct import, 1);

	import->size = size;
	import->holder = g_strdup(holder);
	import->begun_us = now_us;
	g_hash_table_insert(claims->imports, g_strdup(key), import);
}

/* Those that began under an earlier daemon; what one that has gone left is removed. */
static void
adopt_imports(struct claims *claims)
{
	g_autoptr(GPtrArray) holders = import_lock_list();

	for (guint i = 0; i < holders->len; i++) {
		const char *holder = holders->pdata[i];
		g_autofree char *text = import_lock_read(holder);
		g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", 3);
		guint64 size;

		if (!import_lock_is_held(holder))
			import_lock_remove(holder);
		else if (g_strv_length(lines) == 3 &&
			 g_ascii_string_to_unsigned(lines[0], 10, 1, G_MAXUINT64, &size, NULL))
			add_import(claims, lines[1], size, holder, 0);
	}
}

int
claims_begin_import(struct claims *claims, const char *pool, const char *vid, uint64_t size,
    const char *holder, gint64 now_us)
{
	g_autofree char *key = g_strconcat(pool, ":", vid, NULL);
	int r;

	if (find_import(claims, key, now_us) != NULL)
		return -EBUSY;
	r = holder != NULL ? note_import(holder, key, size) : 0;
	if (r == 0)
		add_import(claims, key, size, holder, now_us);
	return r;
}

bool
claims_importing(struct claims *claims, const char *pool, const char *vid, gint64 now_us)
{
	g_autofree char *key = g_strconcat(pool, ":", vid, NULL);

	return find_import(claims, key, now_us) != NULL;
}

bool
claims_end_import(
    struct claims *claims, const char *pool, const char *vid, gint64 now_us, uint64_t *ret_size)
{
	g_autofree char *key = g_strconcat(pool, ":", vid, NULL);
	const struct import *import = find_import(claims, key, now_us);

	if (import == NULL)
		return false;
	*ret_size = import->size;
	forget_import(claims, key);
	return true;
}

/* --- tokens --------------------------------------------------------------------------------- */

/* Letters and digits that nobody can guess; NULL when there is no randomness. */
static char *
random_text(void)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t count = sizeof(letters) - 1, len = 0;
	char *text = g_malloc0(CLAIMS_TOKEN_LEN + 1);

	while (len < CLAIMS_TOKEN_LEN) {
		uint8_t byte;

		if (getrandom(&byte, 1, 0) != 1) {
			if (errno == EINTR)
				continue;
			g_free(text);
			return NULL;
		}
		if (byte < 256 / count * count) /* each letter is as likely */
			text[len++] = letters[byte % count];
	}
	return text;
}

/* Those that are too old, and beyond the limit the caller's oldest. */
static void
forget_old(struct claims *claims, const char *caller, gint64 now_us)
{
	unsigned own = 0;

	for (guint i = claims->tokens->len; i > 0; i--) {
		const struct token *token = claims->tokens->pdata[i - 1];
		bool is_own = strcmp(token->caller, caller) == 0;

		if (now_us - token->made_us >= CLAIMS_TOKEN_S * G_USEC_PER_SEC ||
		    (is_own && ++own >= CLAIMS_TOKENS_EACH))
			g_ptr_array_remove_index(claims->tokens, i - 1);
	}
}

const char *
claims_new_token(
    struct claims *claims, const char *caller, const char *qube, const char *volume, gint64 now_us)
{
	char *text = random_text();
	struct token *token;

	if (text == NULL)
		return NULL;
	forget_old(claims, caller, now_us);
	token = g_new0(struct token, 1);
	token->text = text;
	token->caller = g_strdup(caller);
	token->qube = g_strdup(qube);
	token->volume = g_strdup(volume);
	token->made_us = now_us;
	g_ptr_array_add(claims->tokens, token);
	return text;
}

bool
claims_take_token(struct claims *claims, const char *caller, const char *text, gint64 now_us,
    char **ret_qube, char **ret_volume)
{
	for (guint i = 0; i < claims->tokens->len; i++) {
		struct token *token = claims->tokens->pdata[i];

		if (strcmp(token->text, text) != 0 || strcmp(token->caller, caller) != 0 ||
		    now_us - token->made_us >= CLAIMS_TOKEN_S * G_USEC_PER_SEC)
			continue;
		*ret_qube = g_steal_pointer(&token->qube);
		*ret_volume = g_steal_pointer(&token->volume);
		g_ptr_array_remove_index(claims->tokens, i);
		return true;
	}
	return false;
}
