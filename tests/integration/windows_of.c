/*
 * windows_of NAME - prints the ids of the viewable windows of a qube, topmost last: those that carry
 * _QUBES_VMNAME with that name. Only the trusted side can set it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xcb.h>

static xcb_atom_t vmname;

static bool
belongs_to(xcb_connection_t *c, xcb_window_t window, const char *name)
{
	xcb_get_property_reply_t *reply = xcb_get_property_reply(
	    c, xcb_get_property(c, false, window, vmname, XCB_ATOM_STRING, 0, 64), NULL);
	bool belongs = reply != NULL && reply->format == 8 &&
		       (size_t)xcb_get_property_value_length(reply) == strlen(name) &&
		       memcmp(xcb_get_property_value(reply), name, strlen(name)) == 0;

	free(reply);
	return belongs;
}

static bool
is_viewable(xcb_connection_t *c, xcb_window_t window)
{
	xcb_get_window_attributes_reply_t *reply =
	    xcb_get_window_attributes_reply(c, xcb_get_window_attributes(c, window), NULL);
	bool viewable = reply != NULL && reply->map_state == XCB_MAP_STATE_VIEWABLE;

	free(reply);
	return viewable;
}

/* A window manager puts each window into a frame of its own: two levels below the root hold all. */
static void
print_below(xcb_connection_t *c, xcb_window_t parent, const char *name, unsigned levels)
{
	xcb_query_tree_reply_t *tree = xcb_query_tree_reply(c, xcb_query_tree(c, parent), NULL);
	const xcb_window_t *children = tree != NULL ? xcb_query_tree_children(tree) : NULL;

	for (int i = 0; tree != NULL && i < xcb_query_tree_children_length(tree); i++) {
		if (belongs_to(c, children[i], name)) {
			if (is_viewable(c, children[i]))
				printf("0x%x\n", children[i]);
		} else if (levels > 1) {
			print_below(c, children[i], name, levels - 1);
		}
	}
	free(tree);
}

int
main(int argc, char **argv)
{
	xcb_connection_t *c = xcb_connect(NULL, NULL);
	xcb_intern_atom_reply_t *atom;

	if (argc != 2 || xcb_connection_has_error(c))
		return 2;
	atom = xcb_intern_atom_reply(c, xcb_intern_atom(c, true, 13, "_QUBES_VMNAME"), NULL);
	if (atom == NULL)
		return 1;
	vmname = atom->atom;
	free(atom);
	if (vmname != XCB_ATOM_NONE)
		print_below(c, xcb_setup_roots_iterator(xcb_get_setup(c)).data->root, argv[1], 2);
	xcb_disconnect(c);
	return 0;
}
