#include "shared/vchan/spec.h"

#include "shared/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_DIR_DEFAULT "/var/run/vchan"
#define BROKER_PREFIX "broker:"
#define XEN_EVENT_CHANNEL_DEVICE "/dev/xen/evtchn"

static const char *
environment(const char *variable)
{
	const char *value = g_getenv(variable);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static void
use_socket_dir(struct vchan_spec *ret)
{
	const char *dir = environment("VCHAN_SOCKET_DIR");
	const char *domain = environment("VCHAN_DOMAIN");

	ret->kind = VCHAN_KIND_SOCKET;
	ret->path = g_strdup(dir != NULL ? dir : SOCKET_DIR_DEFAULT);
	ret->own_domain = domain != NULL ? (uint32_t)atoi(domain) : 0;
}

static void
use_broker(const char *path, struct vchan_spec *ret)
{
	ret->kind = VCHAN_KIND_BROKER;
	ret->path = g_strdup(path);
	ret->own_domain = 0;
}

static void
use_xen(struct vchan_spec *ret)
{
	ret->kind = VCHAN_KIND_XEN;
	ret->path = NULL;
	ret->own_domain = 0;
}

static bool
xen_is_there(void)
{
	int fd = open(XEN_EVENT_CHANNEL_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Nobody said which: take the first that the surroundings have. */
static int
guess(struct vchan_spec *ret)
{
	g_autofree char *broker = path_in_runtime_dir("vchan.sock");

	if (environment("VCHAN_SOCKET_DIR") != NULL)
		use_socket_dir(ret);
	else if (g_file_test(broker, G_FILE_TEST_EXISTS))
		use_broker(broker, ret);
	else if (xen_is_there())
		use_xen(ret);
	else
		return -ENOTCONN;
	return 0;
}

char *
vchan_spec_file(uint32_t domain)
{
	g_autofree char *name = g_strdup_printf("vchan-%" PRIu32, domain);

	return path_in_runtime_dir(name);
}

/* What qubesd wrote down; NULL: nothing. g_free(). */
static char *
read_spec_file(uint32_t domain)
{
	g_autofree char *path = vchan_spec_file(domain);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return NULL;
	return g_strchomp(text);
}

int
vchan_spec_parse(const char *text, uint32_t peer, struct vchan_spec *ret)
{
	g_autofree char *written = NULL;

	if (text == NULL)
		text = environment("QUBES_VCHAN");
	if (text == NULL)
		text = written = read_spec_file(peer);
	if (text == NULL)
		return guess(ret);

	if (strcmp(text, "socket") == 0)
		use_socket_dir(ret);
	else if (strcmp(text, "xen") == 0)
		use_xen(ret);
	else if (g_str_has_prefix(text, BROKER_PREFIX) && text[strlen(BROKER_PREFIX)] != '\0')
		use_broker(text + strlen(BROKER_PREFIX), ret);
	else
		return -EINVAL;
	return 0;
}

void
vchan_spec_clear(struct vchan_spec *spec)
{
	g_clear_pointer(&spec->path, g_free);
}
