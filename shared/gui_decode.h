/*
 * gui_decode - the only reader of the GUI protocol: a stream of bytes in, checked structs out.
 *
 * Who talks to it: on the trusted side a qube's agent, which may be anything; in the qube the
 * daemon, which is trusted, but read by the same rules. The other side chooses every byte, and
 * where the stream is cut.
 * Promise: pure (no vchan, no X, no globals, no logging); what comes out lies within the ranges
 * written below, so nothing downstream checks it again. A window id is only a name: whether that
 * window exists is the caller's question.
 *
 * Results, the same for every decoder:
 *   0         *ret is filled
 *   -ENOMSG   well formed, but to be ignored by rule: *ret is untouched, go on with the next
 * message -EPROTO   the other side broke the protocol: *ret is untouched, end the connection
 *
 * Source: docs/gui-protocol.md.
 */
#ifndef SHARED_GUI_DECODE_H
#define SHARED_GUI_DECODE_H

#include "shared/gui_wire.h"
#include "shared/untrusted.h"

/* A window by the agent's name for it. Never mixed up with an X id of our own display. */
struct guest_window {
	uint32_t id;
};

/* --- the stream --------------------------------------------------------------------------- */

/* Who wrote what we read. */
enum gui_sender {
	GUI_SENDER_AGENT,  /* unknown types and wrong lengths are violations */
	GUI_SENDER_DAEMON, /* unknown types are skipped by their length */
};

/* One whole message. The body is borrowed from the reader, until gui_reader_space(). */
struct gui_packet {
	enum gui_message type; /* one that this sender may send */
	struct guest_window window;
	struct untrusted_bytes untrusted_body; /* as long as the type allows */
};

/*
 * Cuts the stream into messages; resumable at every byte. Usage, after each wake-up:
 *
 *	while ((r = gui_reader_next(reader, &packet)) > 0)
 *		handle(&packet);
 *	if (r < 0) ...the connection is over...
 *	space = gui_reader_space(reader, &len);
 *	n = vchan_read(vchan, space, len);
 *	if (n > 0)
 *		gui_reader_filled(reader, (size_t)n);
 *
 * Limits: holds at most the largest legal message and 64 KiB.
 */
struct gui_reader;

struct gui_reader *gui_reader_new(enum gui_sender sender);
void gui_reader_free(struct gui_reader *reader); /* NULL is fine */

/*
 * The negotiated version, at the end of the handshake; GUI_VERSION_NEWEST until then. It decides
 * the limit of the clipboard (1.8), whether there is one (1.2), and whether the announced length
 * of a fixed message is compared (1.6) or ignored.
 */
void gui_reader_set_version(struct gui_reader *reader, uint32_t version);

/* Where the next bytes go; *ret_len is at least 1 once gui_reader_next() has returned 0. */
void *gui_reader_space(struct gui_reader *reader, size_t *ret_len);
void gui_reader_filled(struct gui_reader *reader, size_t len);

/* Handshake: takes exactly len raw bytes (at most 64) and returns true, if they are there. */
bool gui_reader_take(struct gui_reader *reader, void *ret_bytes, size_t len);

/* Returns 1 and the next message, 0 when more bytes are needed, -EPROTO (for ever). */
int gui_reader_next(struct gui_reader *reader, struct gui_packet *ret);

/* "window dump" for GUI_WINDOW_DUMP, for logs; NULL for a number that is no message. */
const char *gui_message_name(uint32_t type);

/* --- handshake ---------------------------------------------------------------------------- */

/*
 * In the daemon: the agent's version. *ret is the one to speak: 1.0..GUI_VERSION_NEWEST. -EPROTO
 * when the major number is not 1; *ret_major is filled in any case.
 */
int gui_decode_agent_version(
    struct untrusted_u32 untrusted_version, uint32_t *ret_major, uint32_t *ret);

/* In the agent: the daemon's answer. -EPROTO when it is not 1.4..GUI_VERSION_NEWEST. */
int gui_decode_daemon_version(struct untrusted_u32 untrusted_version, uint32_t *ret);

struct gui_xconf {
	uint32_t width, height; /* pixels, clamped to 1..32767 */
};
int gui_decode_xconf(struct untrusted_bytes untrusted_body, struct gui_xconf *ret);

/* --- agent to daemon ---------------------------------------------------------------------- */

/* CREATE; CONFIGURE of either side has the same ranges. A size beyond 2^31-1 is -EPROTO. */
struct gui_geometry {
	int32_t x, y;           /* pixels, clamped to +-GUI_MAX_WIDTH, +-GUI_MAX_HEIGHT */
	uint32_t width, height; /* pixels, clamped to 1..GUI_MAX_WIDTH, 1..GUI_MAX_HEIGHT */
};
struct gui_create {
	struct gui_geometry geometry;
	bool override_redirect;
};
int gui_decode_create(struct untrusted_bytes untrusted_body, struct gui_create *ret);

/* CONFIGURE, both ways. Its override_redirect is ignored always. */
int gui_decode_configure(struct untrusted_bytes untrusted_body, struct gui_geometry *ret);

/* MAP, both ways. */
struct gui_map {
	struct guest_window transient_for; /* 0: none */
	bool override_redirect;
};
int gui_decode_map(struct untrusted_bytes untrusted_body, struct gui_map *ret);

/* SHMIMAGE: damage, clipped to 0..GUI_MAX_WIDTH, 0..GUI_MAX_HEIGHT; -ENOMSG when nothing is left.
 */
struct gui_shmimage {
	uint32_t x, y;
	uint32_t width, height; /* at least 1 */
};
int gui_decode_shmimage(struct untrusted_bytes untrusted_body, struct gui_shmimage *ret);

/* WMNAME: any bytes but NUL, cut after 127. To be shown only as text.h makes it. */
struct gui_title {
	char untrusted_text[128]; /* terminated */
};
int gui_decode_wmname(struct untrusted_bytes untrusted_body, struct gui_title *ret);

/* WMCLASS: as above, cut after 63. */
struct gui_wmclass {
	char untrusted_class[64], untrusted_name[64]; /* terminated */
};
int gui_decode_wmclass(struct untrusted_bytes untrusted_body, struct gui_wmclass *ret);

/*
 * WINDOW_HINTS. A pair counts only when its bit is in flags, and a pair out of range lost its bit:
 * sizes 0..GUI_MAX_WIDTH/HEIGHT, maximum at least 1 and at least the minimum, increments 1 to one
 * below the limit, base not above the maximum.
 */
struct gui_window_hints {
	uint32_t flags; /* GUI_HINT_* */
	uint32_t min_width, min_height, max_width, max_height;
	uint32_t width_inc, height_inc, base_width, base_height;
};
int gui_decode_window_hints(struct untrusted_bytes untrusted_body, struct gui_window_hints *ret);

/* WINDOW_FLAGS, both ways; unknown bits masked. -ENOMSG when a bit is both set and unset. */
struct gui_window_flags {
	uint32_t set, unset; /* GUI_FLAG_* */
};
int gui_decode_window_flags(struct untrusted_bytes untrusted_body, struct gui_window_flags *ret);

/* CURSOR; -ENOMSG when it is neither the default nor a shape of the X cursor font. */
struct gui_cursor {
	bool is_default;
	uint32_t glyph; /* even, below 0x9a; 0 for the default */
};
int gui_decode_cursor(struct untrusted_bytes untrusted_body, struct gui_cursor *ret);

/* WINDOW_DUMP: where the pixels lie. Every fault is -EPROTO, an empty window included. */
struct gui_window_dump {
	uint32_t width, height; /* pixels, 1..GUI_MAX_WIDTH, 1..GUI_MAX_HEIGHT */
	size_t page_count;      /* 1..GUI_MAX_PAGES, enough for width * height * 4 bytes */
	struct untrusted_bytes untrusted_refs; /* borrowed from the body; the region checks them */
};
int gui_decode_window_dump(struct untrusted_bytes untrusted_body, struct gui_window_dump *ret);

/* --- daemon to agent ---------------------------------------------------------------------- */

/* Positions are relative to the window, in pixels, clamped to +-32768. state: X modifiers, 16 bits.
 */
struct gui_keypress {
	bool pressed;
	int32_t x, y;
	uint32_t state;
	uint32_t keycode; /* X keycode, 8..255; others are -ENOMSG */
};
int gui_decode_keypress(struct untrusted_bytes untrusted_body, struct gui_keypress *ret);

struct gui_button {
	bool pressed;
	int32_t x, y;
	uint32_t state;
	uint32_t button; /* 1..255; others are -ENOMSG */
};
int gui_decode_button(struct untrusted_bytes untrusted_body, struct gui_button *ret);

struct gui_motion {
	int32_t x, y;
	uint32_t state;
	bool is_hint;
};
int gui_decode_motion(struct untrusted_bytes untrusted_body, struct gui_motion *ret);

/* mode 0..3 and detail 0..7 as in X; others are -ENOMSG. */
struct gui_crossing {
	bool entered;
	int32_t x, y;
	uint32_t state, mode, detail;
	bool focus;
};
int gui_decode_crossing(struct untrusted_bytes untrusted_body, struct gui_crossing *ret);

struct gui_focus {
	bool focused;
	uint32_t mode, detail;
};
int gui_decode_focus(struct untrusted_bytes untrusted_body, struct gui_focus *ret);

/* KEYMAP_NOTIFY has the shape of struct gui_wire_keymap_notify itself: every value is legal. */
int gui_decode_keymap_notify(
    struct untrusted_bytes untrusted_body, struct gui_wire_keymap_notify *ret);

#endif
