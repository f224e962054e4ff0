/*
 * xserver - the X server of the qube: Xvfb, from the template's /usr.
 *
 * It picks the first free display number, listens on no network, and ends with the agent.
 */
#ifndef GUI_AGENT_XSERVER_H
#define GUI_AGENT_XSERVER_H

struct xserver;

struct xserver_handler {
	void (*on_ready)(const char *display, void *data); /* ":N", borrowed */
	void (*on_end)(void *data);                        /* before or after on_ready */
};

/*
 * A screen of width * height pixels, depth 24. 0; -ENOENT when Xvfb is not installed, another
 * negative errno. The handler is borrowed.
 */
int xserver_start(unsigned width, unsigned height, const struct xserver_handler *handler,
    void *data, struct xserver **ret);
/* Ends the server and waits for its end. NULL is fine. */
void xserver_free(struct xserver *server);

#endif
