#include "shared/vchan/broker_control.h"

#include "shared/paths.h"
#include "shared/unix_socket.h"
#include "shared/vchan/broker_exchange.h"
#include "shared/vchan/broker_wire.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

/* One connection a call, so that nothing has to be mended when the broker was started anew. */
struct broker_control {
	char *path; /* owned */
};

struct control_message {
	struct broker_wire_control fixed;
	union {
		char path[UNIX_SOCKET_PATH_MAX]; /* ADD */
		struct {                         /* ADD_MACHINE */
			struct broker_wire_machine fixed;
			char texts[UNIX_SOCKET_PATH_MAX + BROKER_REGION_PATH_MAX + BROKER_CONF_MAX];
		} machine;
	};
};

struct control_answer {
	struct broker_wire_control_reply fixed;
	uint32_t domains[BROKER_MAX_DOMAINS];
};

int
broker_control_new(const char *control_path, struct broker_control **ret)
{
	g_autofree char *path = control_path != NULL ? g_strdup(control_path)
						     : path_in_runtime_dir("vchan-broker.sock");
	struct broker_control *control;
	int fd;

	fd = broker_exchange_connect(path); /* only to see that it is there */
	if (fd < 0)
		return fd;
	close(fd);
	control = g_new0(struct broker_control, 1);
	control->path = g_steal_pointer(&path);
	*ret = control;
	return 0;
}

void
broker_control_free(struct broker_control *control)
{
	if (control == NULL)
		return;
	g_free(control->path);
	g_free(control);
}

/* Sends len bytes of the message; the answer's form is checked, its status is the result. */
static int
call(struct broker_control *control, struct control_message *message, size_t len,
    struct control_answer *ret)
{
	int fd;
	ssize_t n;

	message->fixed.version = BROKER_VERSION;
	n = broker_exchange(
	    control->path, message, len, ret, sizeof(ret->fixed), sizeof(*ret), &fd);
	if (n < 0)
		return (int)n;
	if (fd >= 0)
		close(fd);
	if (ret->fixed.status < 0)
		return ret->fixed.status;
	if (fd >= 0 || ret->fixed.count > BROKER_MAX_DOMAINS ||
	    (size_t)n != sizeof(ret->fixed) + ret->fixed.count * sizeof(uint32_t))
		return -EPROTO;
	return 0;
}

static int
call_fixed(struct broker_control *control, struct broker_wire_control fixed)
{
	struct control_message message = {.fixed = fixed};
	struct control_answer answer;

	return call(control, &message, sizeof(message.fixed), &answer);
}

int
broker_control_add(struct broker_control *control, uint32_t domain, const char *socket_path,
    uid_t uid, gid_t gid, uint64_t region_bytes)
{
	size_t path_len = strlen(socket_path);
	struct control_answer answer;
	struct control_message message = {
	    .fixed =
		{
		    .type = BROKER_CONTROL_ADD,
		    .domain = domain,
		    .uid = uid,
		    .gid = gid,
		    .region_bytes = region_bytes,
		},
	};

	if (socket_path[0] != '/')
		return -EINVAL;
	if (path_len > sizeof(message.path))
		return -ENAMETOOLONG;
	memcpy(message.path, socket_path, path_len);
	return call(control, &message, sizeof(message.fixed) + path_len, &answer);
}

/* Puts a text of at most max bytes at *end, behind what is there. */
static int
append(char **end, const char *text, size_t max, uint32_t *ret_len)
{
	size_t len = strlen(text);

	if (len > max)
		return -ENAMETOOLONG;
	memcpy(*end, text, len);
	*end += len;
	*ret_len = (uint32_t)len;
	return 0;
}

int
broker_control_add_machine(struct broker_control *control, uint32_t domain, const char *port_path,
    const char *region_path, const char *conf)
{
	struct control_answer answer;
	struct control_message message = {
	    .fixed = {.type = BROKER_CONTROL_ADD_MACHINE, .domain = domain},
	};
	char *end = message.machine.texts;
	int r;

	if (port_path[0] != '/' || (region_path[0] != '/' && region_path[0] != '\0'))
		return -EINVAL;
	r = append(&end, port_path, UNIX_SOCKET_PATH_MAX, &message.machine.fixed.port_len);
	if (r == 0)
		r = append(
		    &end, region_path, BROKER_REGION_PATH_MAX, &message.machine.fixed.region_len);
	if (r == 0)
		r = append(&end, conf, BROKER_CONF_MAX, &message.machine.fixed.conf_len);
	if (r < 0)
		return r;
	return call(control, &message, (size_t)(end - (char *)&message), &answer);
}

int
broker_control_remove(struct broker_control *control, uint32_t domain)
{
	return call_fixed(
	    control, (struct broker_wire_control){.type = BROKER_CONTROL_REMOVE, .domain = domain});
}

int
broker_control_forget(uint32_t domain)
{
	struct broker_control *control;
	int r = broker_control_new(NULL, &control);

	if (r == 0) {
		r = broker_control_remove(control, domain);
		broker_control_free(control);
	}
	return r == -ENOENT || r == -ECONNREFUSED ? 0 : r;
}

int
broker_control_set_gui_domain(struct broker_control *control, uint32_t domain, uint32_t gui_domain)
{
	return call_fixed(control, (struct broker_wire_control){
				       .type = BROKER_CONTROL_SET_GUI_DOMAIN,
				       .domain = domain,
				       .gui_domain = gui_domain,
				   });
}

int
broker_control_list(struct broker_control *control, uint32_t **ret, size_t *ret_count)
{
	struct control_message message = {.fixed.type = BROKER_CONTROL_LIST};
	struct control_answer answer;
	int r;

	r = call(control, &message, sizeof(message.fixed), &answer);
	if (r < 0)
		return r;
	*ret = g_memdup2(answer.domains, answer.fixed.count * sizeof(uint32_t));
	*ret_count = answer.fixed.count;
	return 0;
}
