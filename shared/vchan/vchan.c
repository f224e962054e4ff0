#include "shared/vchan/vchan.h"

#include "shared/vchan/transport.h"
#include "shared/vchan/xen_module.h"

#include <errno.h>
#include <poll.h>

/* The calls live in a module, because the library behind them is tied to one version of Xen. */
static int
open_in_xen_module(
    const struct vchan_spec *spec, const struct vchan_endpoint *endpoint, struct vchan **ret)
{
	gpointer symbol;
	int r = xen_module_symbol(VCHAN_XEN_SYMBOL, &symbol);

	return r < 0 ? r : ((vchan_open_func)symbol)(spec, endpoint, ret);
}

static const vchan_open_func transports[] = {
    [VCHAN_KIND_SOCKET] = vchan_socket_open,
    [VCHAN_KIND_BROKER] = vchan_broker_open,
    [VCHAN_KIND_XEN] = open_in_xen_module,
};

/* The least power of two that holds the wish. */
static int
choose_ring_bytes(size_t wish, size_t *ret)
{
	size_t bytes = VCHAN_RING_BYTES;

	if (wish > VCHAN_RING_BYTES_MAX)
		return -EINVAL;
	while (bytes < wish)
		bytes *= 2;
	*ret = bytes;
	return 0;
}

static int
open_endpoint(const char *text, enum vchan_state role, uint32_t domain, uint32_t port,
    size_t ring_bytes, struct vchan **ret)
{
	struct vchan_endpoint endpoint = {.role = role, .domain = domain, .port = port};
	struct vchan_spec spec;
	int r;

	if (port > VCHAN_PORT_MAX)
		return -EINVAL;
	r = choose_ring_bytes(ring_bytes, &endpoint.ring_bytes);
	if (r < 0)
		return r;
	r = vchan_spec_parse(text, domain, &spec);
	if (r < 0)
		return r;
	r = transports[spec.kind](&spec, &endpoint, ret);
	vchan_spec_clear(&spec);
	return r;
}

int
vchan_listen(
    const char *spec, uint32_t domain, uint32_t port, size_t ring_bytes, struct vchan **ret)
{
	return open_endpoint(spec, VCHAN_LISTENING, domain, port, ring_bytes, ret);
}

int
vchan_connect(
    const char *spec, uint32_t domain, uint32_t port, size_t ring_bytes, struct vchan **ret)
{
	return open_endpoint(spec, VCHAN_CONNECTING, domain, port, ring_bytes, ret);
}

void
vchan_close(struct vchan *vchan)
{
	if (vchan != NULL)
		vchan->calls->close(vchan);
}

ssize_t
vchan_read(struct vchan *vchan, void *buffer, size_t len)
{
	if (len == 0)
		return -EINVAL; /* 0 would say that the stream is over */
	return vchan->calls->read(vchan, buffer, len);
}

ssize_t
vchan_write(struct vchan *vchan, const void *bytes, size_t len)
{
	if (vchan->state == VCHAN_CLOSED)
		return -EPIPE;
	if (len == 0)
		return 0;
	return vchan->calls->write(vchan, bytes, len);
}

enum vchan_state
vchan_state(const struct vchan *vchan)
{
	return vchan->state;
}

int
vchan_error(const struct vchan *vchan)
{
	return vchan->error;
}

size_t
vchan_room(const struct vchan *vchan)
{
	return vchan->state == VCHAN_CLOSED ? 0 : vchan->calls->room(vchan);
}

size_t
vchan_queued(const struct vchan *vchan)
{
	return vchan->calls->queued(vchan);
}

int
vchan_fd(const struct vchan *vchan)
{
	return vchan->calls->fd(vchan);
}

void
vchan_dispatch(struct vchan *vchan)
{
	vchan->calls->dispatch(vchan);
}

/* Milliseconds until deadline_us, rounded up; -1 when there is none. */
static int
milliseconds_left(gint64 deadline_us)
{
	gint64 left_us = deadline_us - g_get_monotonic_time();

	if (deadline_us < 0)
		return -1;
	return left_us <= 0 ? 0 : (int)((left_us + 999) / 1000);
}

int
vchan_drain(struct vchan *vchan, int timeout_ms)
{
	gint64 deadline_us =
	    timeout_ms < 0 ? -1 : g_get_monotonic_time() + (gint64)timeout_ms * 1000;

	while (vchan_queued(vchan) > 0) {
		struct pollfd pollfd = {.fd = vchan_fd(vchan), .events = POLLIN};
		int n;

		if (vchan->state == VCHAN_CLOSED)
			return -EPIPE;
		n = poll(&pollfd, 1, milliseconds_left(deadline_us));
		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			vchan_dispatch(vchan);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}
