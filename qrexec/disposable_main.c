/*
 * qrexec-disposable - keeps one disposable qube for whoever started this program.
 *
 * Creates it, prints its name, and waits for the end of stdin; then kills it. Signals that would
 * end it early are ignored: nobody else knows of the qube. It does nothing else and may block.
 */
#include "qrexec/signals.h"
#include "shared/admin_client.h"
#include "shared/log.h"
#include "shared/paths.h"
#include "shared/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
call(const char *method, const char *dest, const char *payload, struct admin_reply *ret)
{
	g_autofree char *qubesd = path_qubesd_socket("qubesd.sock");
	int r = admin_call(qubesd, method, NULL, dest, payload, strlen(payload), -1, ret);

	if (r < 0)
		log_error("%s: qubesd: %s", method, strerror(-r));
	else if (!ret->ok)
		log_info("%s: %s: %s", method, ret->error_class, ret->error_message);
	return r < 0 ? r : ret->ok ? 0 : -EREMOTEIO;
}

/* Killed it goes by itself; one that never ran, or that has stopped and stayed, is removed. */
static void
dispose(const char *name)
{
	struct admin_reply reply = {0};

	if (call("admin.vm.Kill", name, "", &reply) == 0) {
		admin_reply_clear(&reply);
		return;
	}
	admin_reply_clear(&reply);
	call("admin.vm.Remove", name, "", &reply);
	admin_reply_clear(&reply);
}

/* What qubesd answers becomes the name of a socket: nothing but a name or a uuid will do. */
static bool
is_expected(const struct admin_reply *reply, bool by_uuid)
{
	if (strlen(reply->content) != reply->content_len)
		return false;
	if (!by_uuid)
		return text_is_qube_name(reply->content);
	return g_str_has_prefix(reply->content, "uuid:") &&
	       text_is_uuid(reply->content + strlen("uuid:"));
}

static void
wait_for_end_of_input(void)
{
	char byte;
	ssize_t n;

	do
		n = read(STDIN_FILENO, &byte, 1);
	while (n > 0 || (n < 0 && errno == EINTR));
}

static void
ignore_signals(void)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		signal(numbers[i], SIG_IGN);
}

int
main(int argc, char **argv)
{
	struct admin_reply created = {0};
	bool by_uuid;

	signals_prepare();
	log_init("qrexec-disposable");
	if (argc != 4 || strcmp(argv[2], "--") != 0) {
		fputs("usage: qrexec-disposable --name|--uuid -- BASE\n", stderr);
		return 1;
	}
	by_uuid = strcmp(argv[1], "--uuid") == 0;
	ignore_signals();
	if (call("admin.vm.CreateDisposable", argv[3], by_uuid ? "uuid" : "", &created) < 0)
		return 1;
	if (!is_expected(&created, by_uuid)) {
		log_error("qubesd's answer is no name of a qube");
		return 1;
	}
	printf("%s\n", created.content);
	fflush(stdout);
	wait_for_end_of_input();
	dispose(created.content);
	admin_reply_clear(&created);
	return 0;
}
