/*
 * What the prompt gets. Promises: an accepted question has at least one target, every text in it
 * is plain ASCII, and the preselected one is among them; a refused one leaves nothing behind.
 */
#include "prompt/request_decode.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
	assert(text != NULL && text[0] != '\0');
	for (; *text != '\0'; text++)
		assert(g_ascii_isprint(*text) && strchr("<>&\"'", *text) == NULL);
}

static void
check_ask(const struct ask_request *ask)
{
	check_text(ask->source);
	check_text(ask->service);
	check_text(ask->argument);
	assert(ask->argument[0] == '+');
	assert(ask->targets->len > 0 && ask->targets->len <= REQUEST_TARGETS_MAX);
	assert(ask->default_target >= -1 && ask->default_target < (int)ask->targets->len);
	for (guint i = 0; i < ask->targets->len; i++) {
		const struct request_target *target =
		    &g_array_index(ask->targets, struct request_target, i);

		check_text(target->name);
		check_text(target->text);
		check_text(target->look.icon);
		assert(
		    i == 0 || strcmp(g_array_index(ask->targets, struct request_target, i - 1).text,
				  target->text) < 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request;
	int r = request_decode(untrusted_bytes_of(data, size), &request);

	assert(r == 0 || r == -EPROTO);
	if (r < 0)
		return 0;
	if (request.kind == REQUEST_ASK) {
		g_autofree char *shown = request_shorten(request.ask.argument);

		check_ask(&request.ask);
		assert(g_utf8_strlen(shown, -1) <= REQUEST_ARGUMENT_SHOWN);
	} else {
		check_text(request.notify.service);
		check_text(request.notify.source);
		check_text(request.notify.target);
		assert(request.notify.count >= 1);
	}
	request_clear(&request);
	return 0;
}
