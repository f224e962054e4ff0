#include "qrexec/call.h"

#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

void
call_init(struct call *call, const char *text, bool with_user)
{
	int r;

	memset(call, 0, sizeof(*call));
	r = qrexec_command_parse(text, with_user, &call->command);
	if (r < 0) {
		g_autofree char *shown = text_quote_string(text);

		log_warn("command %s: %s", shown,
		    r == -ENOENT ? "no service has so long a name" : "malformed");
		call->fail_code = r == -ENOENT ? QREXEC_EXIT_NOT_FOUND : QREXEC_EXIT_PROBLEM;
		return;
	}
	if (call->command.descriptor == NULL)
		return;
	if (service_config_load(&call->command, &call->config) < 0) {
		qrexec_command_clear(&call->command);
		call->fail_code = QREXEC_EXIT_PROBLEM;
	}
}

void
call_clear(struct call *call)
{
	qrexec_command_clear(&call->command);
	service_config_clear(&call->config);
}
