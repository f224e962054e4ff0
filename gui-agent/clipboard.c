#include "gui-agent/clipboard.h"

void
clipboard_answer(struct link *link, uint32_t window)
{
	link_send(link, GUI_CLIPBOARD_DATA, window, NULL, 0);
}

void
clipboard_offer(struct untrusted_bytes untrusted_text)
{
	(void)untrusted_text;
}
