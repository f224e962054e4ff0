/*
 * gui_wire - the GUI protocol (1.0 to 1.8) as it crosses the vchan, little endian.
 *
 * Numbers, limits and layouts of docs/gui-protocol.md, nothing else. After the handshake each
 * direction is a sequence of struct gui_wire_header and a body. The fields are plain here because
 * the agent and the daemon also *write* these structs; whoever *reads* them from the other side
 * does so in gui_decode.c only, by memcpy into the struct and then field by field through the
 * functions of untrusted.h.
 */
#ifndef SHARED_GUI_WIRE_H
#define SHARED_GUI_WIRE_H

#include <assert.h>
#include <stdint.h>

#define GUI_PORT 6000
#define GUI_VERSION(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor))
#define GUI_VERSION_NEWEST GUI_VERSION(1, 8)

enum gui_message {
	GUI_KEYPRESS = 124,
	GUI_BUTTON,
	GUI_MOTION,
	GUI_CROSSING,
	GUI_FOCUS,
	GUI_RESIZE, /* obsolete, never sent */
	GUI_CREATE,
	GUI_DESTROY,
	GUI_MAP,
	GUI_UNMAP,
	GUI_CONFIGURE,
	GUI_MFNDUMP, /* deprecated; we refuse it */
	GUI_SHMIMAGE,
	GUI_CLOSE,
	GUI_EXECUTE, /* obsolete; never honoured */
	GUI_CLIPBOARD_REQ,
	GUI_CLIPBOARD_DATA,
	GUI_WMNAME,
	GUI_KEYMAP_NOTIFY,
	GUI_DOCK,
	GUI_WINDOW_HINTS,
	GUI_WINDOW_FLAGS,
	GUI_WMCLASS,
	GUI_WINDOW_DUMP,
	GUI_CURSOR,
	GUI_WINDOW_DUMP_ACK,
};
static_assert(GUI_CREATE == 130 && GUI_WINDOW_DUMP_ACK == 149, "message numbers");

#define GUI_MAX_WIDTH 16384 /* pixels */
#define GUI_MAX_HEIGHT 6144 /* pixels */
#define GUI_MAX_PAGES 98304 /* pages of 4096 bytes: the largest window */
#define GUI_MAX_CLIPBOARD_1_7 65000
#define GUI_MAX_CLIPBOARD 256000 /* one byte more is the "too big" marker */

#define GUI_DUMP_GRANT_REFS 0

#define GUI_FLAG_FULLSCREEN 1
#define GUI_FLAG_DEMANDS_ATTENTION 2
#define GUI_FLAG_MINIMIZE 4

#define GUI_HINT_USER_POSITION 0x1
#define GUI_HINT_PROGRAM_POSITION 0x4
#define GUI_HINT_MIN_SIZE 0x10
#define GUI_HINT_MAX_SIZE 0x20
#define GUI_HINT_RESIZE_INC 0x40
#define GUI_HINT_BASE_SIZE 0x100

#define GUI_CURSOR_DEFAULT 0
#define GUI_CURSOR_FONT 0x100 /* + glyph of the X cursor font */
#define GUI_CURSOR_LIMIT 0x19a

struct gui_wire_header {
	uint32_t type, window, len;
};
static_assert(sizeof(struct gui_wire_header) == 12, "wire layout");

struct gui_wire_xconf {
	uint32_t width, height, depth, mem_kib;
};
static_assert(sizeof(struct gui_wire_xconf) == 16, "wire layout");

/* daemon to agent */
struct gui_wire_keypress {
	uint32_t type; /* 2 press, 3 release */
	int32_t x, y;
	uint32_t state, keycode;
};
struct gui_wire_button {
	uint32_t type; /* 4 press, 5 release */
	int32_t x, y;
	uint32_t state, button;
};
struct gui_wire_motion {
	int32_t x, y;
	uint32_t state, is_hint;
};
struct gui_wire_crossing {
	uint32_t type; /* 7 enter, 8 leave */
	int32_t x, y;
	uint32_t state, mode, detail, focus;
};
struct gui_wire_focus {
	uint32_t type; /* 9 in, 10 out */
	uint32_t mode, detail;
};
struct gui_wire_keymap_notify {
	uint8_t keys[32]; /* bit k of byte k / 8: keycode k is down */
};
static_assert(sizeof(struct gui_wire_keypress) == 20 && sizeof(struct gui_wire_button) == 20 &&
		  sizeof(struct gui_wire_motion) == 16 && sizeof(struct gui_wire_crossing) == 28 &&
		  sizeof(struct gui_wire_focus) == 12 &&
		  sizeof(struct gui_wire_keymap_notify) == 32,
    "wire layout");

/* agent to daemon */
struct gui_wire_create {
	int32_t x, y;
	uint32_t width, height, parent, override_redirect;
};
struct gui_wire_shmimage {
	int32_t x, y;
	uint32_t width, height;
};
struct gui_wire_wmname {
	char text[128];
};
struct gui_wire_wmclass {
	char res_class[64], res_name[64];
};
struct gui_wire_window_hints {
	uint32_t flags, min_width, min_height, max_width, max_height;
	uint32_t width_inc, height_inc, base_width, base_height;
};
struct gui_wire_window_dump { /* then 4 bytes per page */
	uint32_t type, width, height, bpp;
};
struct gui_wire_cursor {
	uint32_t cursor;
};
static_assert(sizeof(struct gui_wire_create) == 24 && sizeof(struct gui_wire_shmimage) == 16 &&
		  sizeof(struct gui_wire_wmname) == 128 && sizeof(struct gui_wire_wmclass) == 128 &&
		  sizeof(struct gui_wire_window_hints) == 36 &&
		  sizeof(struct gui_wire_window_dump) == 16 && sizeof(struct gui_wire_cursor) == 4,
    "wire layout");

/* both ways */
struct gui_wire_map {
	uint32_t transient_for, override_redirect;
};
struct gui_wire_configure {
	int32_t x, y;
	uint32_t width, height, override_redirect;
};
struct gui_wire_window_flags {
	uint32_t set, unset;
};
static_assert(sizeof(struct gui_wire_map) == 8 && sizeof(struct gui_wire_configure) == 20 &&
		  sizeof(struct gui_wire_window_flags) == 8,
    "wire layout");

#endif
