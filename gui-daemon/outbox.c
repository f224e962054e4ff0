#include "gui-daemon/outbox.h"

#include <errno.h>
#include <string.h>

struct message {
	struct gui_wire_header header;
	bool raw;    /* only the body is sent */
	size_t len;  /* of bytes */
	size_t sent; /* of bytes */
	uint8_t bytes[];
};

struct outbox {
	GQueue messages; /* struct message, owned */
	size_t bytes;    /* of all messages, sent or not */
	outbox_wake_func on_wake;
	void *data; /* borrowed from the caller */
};

struct outbox *
outbox_new(outbox_wake_func on_wake, void *data)
{
	struct outbox *outbox = g_new0(struct outbox, 1);

	g_queue_init(&outbox->messages);
	outbox->on_wake = on_wake;
	outbox->data = data;
	return outbox;
}

void
outbox_free(struct outbox *outbox)
{
	if (outbox == NULL)
		return;
	g_queue_clear_full(&outbox->messages, g_free);
	g_free(outbox);
}

static struct message *
outbox_append(struct outbox *outbox, size_t len)
{
	struct message *message = g_malloc0(sizeof(*message) + len);

	message->len = len;
	outbox->bytes += len;
	g_queue_push_tail(&outbox->messages, message);
	if (outbox->messages.length == 1 && outbox->on_wake != NULL)
		outbox->on_wake(outbox->data);
	return message;
}

/* The newest message, if it is motion of this window of which nothing has been sent. */
static struct message *
last_motion(struct outbox *outbox, struct guest_window window)
{
	struct message *last = g_queue_peek_tail(&outbox->messages);

	if (last == NULL || last->raw || last->sent > 0 || last->header.type != GUI_MOTION ||
	    last->header.window != window.id)
		return NULL;
	return last;
}

bool
outbox_send(struct outbox *outbox, enum outbox_class class, enum gui_message type,
    struct guest_window window, const void *body, size_t len)
{
	struct gui_wire_header header = {type, window.id, (uint32_t)len};
	struct message *message = NULL;

	if (type == GUI_MOTION)
		message = last_motion(outbox, window);
	if (message == NULL) {
		if (class == OUTBOX_MAY && outbox_is_full(outbox))
			return false;
		message = outbox_append(outbox, sizeof(header) + len);
	}
	message->header = header;
	memcpy(message->bytes, &header, sizeof(header));
	if (len > 0)
		memcpy(message->bytes + sizeof(header), body, len);
	return true;
}

void
outbox_send_raw(struct outbox *outbox, const void *bytes, size_t len)
{
	struct message *message = outbox_append(outbox, len);

	message->raw = true;
	memcpy(message->bytes, bytes, len);
}

int
outbox_flush(struct outbox *outbox, struct vchan *vchan)
{
	struct message *message;

	while ((message = g_queue_peek_head(&outbox->messages)) != NULL) {
		ssize_t n = vchan_write(
		    vchan, message->bytes + message->sent, message->len - message->sent);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		message->sent += (size_t)n;
		if (message->sent < message->len)
			continue;
		outbox->bytes -= message->len;
		g_free(g_queue_pop_head(&outbox->messages));
	}
	return outbox->bytes > OUTBOX_HARD_BYTES ? -ENOBUFS : 0;
}

bool
outbox_is_empty(const struct outbox *outbox)
{
	return outbox->messages.length == 0;
}

bool
outbox_is_full(const struct outbox *outbox)
{
	return outbox->bytes > OUTBOX_SOFT_BYTES;
}

size_t
outbox_bytes(const struct outbox *outbox)
{
	return outbox->bytes;
}
