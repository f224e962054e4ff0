#include "prompt/queue.h"

/* The waiting items of one source. */
struct line {
	char *source; /* owned */
	GQueue items; /* borrowed */
};

struct queue {
	GQueue lines; /* owned struct line, none of them empty; the first one's turn is next */
	guint length;
};

struct queue *
queue_new(void)
{
	struct queue *queue = g_new0(struct queue, 1);

	g_queue_init(&queue->lines);
	return queue;
}

static void
line_free(gpointer data)
{
	struct line *line = data;

	g_queue_clear(&line->items);
	g_free(line->source);
	g_free(line);
}

void
queue_free(struct queue *queue)
{
	if (queue == NULL)
		return;
	g_queue_clear_full(&queue->lines, line_free);
	g_free(queue);
}

static struct line *
line_of(struct queue *queue, const char *source)
{
	struct line *line;

	for (GList *link = queue->lines.head; link != NULL; link = link->next) {
		line = link->data;
		if (g_str_equal(line->source, source))
			return line;
	}
	line = g_new0(struct line, 1);
	line->source = g_strdup(source);
	g_queue_init(&line->items);
	g_queue_push_tail(&queue->lines, line);
	return line;
}

void
queue_push(struct queue *queue, const char *source, void *item)
{
	g_queue_push_tail(&line_of(queue, source)->items, item);
	queue->length++;
}

void *
queue_pop(struct queue *queue)
{
	struct line *line = g_queue_pop_head(&queue->lines);
	void *item;

	if (line == NULL)
		return NULL;
	item = g_queue_pop_head(&line->items);
	queue->length--;
	if (g_queue_is_empty(&line->items))
		line_free(line);
	else
		g_queue_push_tail(&queue->lines, line);
	return item;
}

void
queue_remove(struct queue *queue, void *item)
{
	for (GList *link = queue->lines.head; link != NULL; link = link->next) {
		struct line *line = link->data;

		if (!g_queue_remove(&line->items, item))
			continue;
		queue->length--;
		if (g_queue_is_empty(&line->items)) {
			g_queue_delete_link(&queue->lines, link);
			line_free(line);
		}
		return;
	}
}

guint
queue_length(const struct queue *queue)
{
	return queue->length;
}
