/*
 * The GLib source of a vchan. The transport's descriptor tells of news only once; what is still to
 * be done stands in vchan->events, and prepare looks there before the loop goes to sleep.
 */
#include "shared/vchan/transport.h"

struct vchan_source {
	GSource source;      /* first: GLib allocates it */
	struct vchan *vchan; /* borrowed from whoever made the source */
	gpointer fd_tag;
	unsigned wanted; /* the events to report */
};

static gboolean
source_prepare(GSource *source, gint *timeout_ms)
{
	struct vchan_source *self = (struct vchan_source *)source;

	*timeout_ms = -1;
	return (self->vchan->events & self->wanted) != 0;
}

static gboolean
fd_has_news(struct vchan_source *self)
{
	return g_source_query_unix_fd(&self->source, self->fd_tag) != 0;
}

static gboolean
source_check(GSource *source)
{
	struct vchan_source *self = (struct vchan_source *)source;

	return fd_has_news(self) || (self->vchan->events & self->wanted) != 0;
}

static gboolean
source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct vchan_source *self = (struct vchan_source *)source;

	if (fd_has_news(self))
		vchan_dispatch(self->vchan);
	if (callback == NULL || (self->vchan->events & self->wanted) == 0)
		return G_SOURCE_CONTINUE;
	self->vchan->events &= ~(VCHAN_EVENT_ROOM | VCHAN_EVENT_STATE);
	return callback(data); /* may have closed the vchan */
}

static GSourceFuncs source_funcs = {
    .prepare = source_prepare,
    .check = source_check,
    .dispatch = source_dispatch,
};

GSource *
vchan_source_new(struct vchan *vchan)
{
	GSource *source = g_source_new(&source_funcs, sizeof(struct vchan_source));
	struct vchan_source *self = (struct vchan_source *)source;

	self->vchan = vchan;
	self->wanted = VCHAN_EVENT_INPUT | VCHAN_EVENT_ROOM | VCHAN_EVENT_STATE;
	self->fd_tag = g_source_add_unix_fd(source, vchan_fd(vchan), G_IO_IN);
	g_source_set_name(source, "vchan");
	return source;
}

void
vchan_source_set_reading(GSource *source, gboolean on)
{
	struct vchan_source *self = (struct vchan_source *)source;

	if (on)
		self->wanted |= VCHAN_EVENT_INPUT;
	else
		self->wanted &= ~VCHAN_EVENT_INPUT;
}
