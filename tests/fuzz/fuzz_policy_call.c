/*
 * What comes over the policy daemon's sockets, and an agent's answer. Promises: an accepted call
 * has a service, an argument that begins with "+", a source, and only letters, digits and a few
 * harmless marks in all of them.
 */
#include "qrexec/policy/call_decode.h"

#include <assert.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
	assert(text != NULL);
	for (; *text != '\0'; text++)
		assert(g_ascii_isalnum(*text) || strchr("_-.@:+", *text) != NULL);
}

static void
check_call(struct call *call)
{
	check_text(call->service);
	check_text(call->argument);
	check_text(call->source);
	check_text(call->target);
	check_text(call->requested_source);
	assert(call->service[0] != '\0' && call->argument[0] == '+' && call->source[0] != '\0');
	call_clear(call);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct untrusted_bytes bytes = untrusted_bytes_of(data, size);
	struct call call;
	char *target = NULL;
	int r;

	r = call_decode(bytes, &call);
	assert(r == 0 || r == -EPROTO);
	if (r == 0)
		check_call(&call);
	r = call_decode_eval(bytes, "policy.EvalSimple", &call);
	assert(r == 0 || r == -EPROTO);
	if (r == 0) {
		assert(call.just_evaluate && call.assume_yes && call.eval_caller != NULL);
		check_call(&call);
	}
	r = call_decode_answer(bytes, &target);
	assert(r == 0 || (r == -EPROTO && target == NULL));
	if (target != NULL) {
		check_text(target);
		assert(target[0] != '\0');
	}
	g_free(target);
	return 0;
}
