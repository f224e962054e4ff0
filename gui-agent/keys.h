/*
 * keys - which keys and buttons we hold down in the qube, and what brings its modifiers in line.
 *
 * The desktop says with every key which modifiers are in effect there. What differs here is mended
 * before the key: ordinary modifiers by pressing or releasing their keys, locks (Caps Lock, Num
 * Lock) by setting the lock itself, so that no program sees a key that nobody pressed.
 * Pure.  Source: docs/gui-agent.md, "Keys".
 */
#ifndef GUI_AGENT_KEYS_H
#define GUI_AGENT_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of codes 0..255 that are down: bit k of byte k / 8, as in KEYMAP_NOTIFY. */
struct keys_down {
	uint8_t bits[32];
};

void keys_down_set(struct keys_down *down, uint8_t code, bool is_down);
bool keys_down_has(const struct keys_down *down, uint8_t code);

/* The lowest code that is in down and not in kept (NULL: empty); 0 when there is none. */
uint8_t keys_down_first_without(const struct keys_down *down, const struct keys_down *kept);

#define KEYS_MODIFIERS 8 /* Shift, Lock, Control, Mod1..Mod5: bit m of a mask is modifier m */
#define KEYS_PER_MODIFIER 8

struct keys_map {
	uint8_t codes[KEYS_MODIFIERS][KEYS_PER_MODIFIER]; /* 0: none */
	uint8_t locking; /* mask: one press locks these, the next unlocks */
};

bool keys_map_has(const struct keys_map *map, uint8_t code);

struct keys_state {
	uint8_t effective; /* mask: in effect */
	uint8_t locked;    /* mask: the part of it that no key holds */
};

/* What to do before a key: first set these locks, then press, then release. */
struct keys_mend {
	uint8_t lock_affect, lock_values; /* masks */
	uint8_t press[KEYS_MODIFIERS];
	size_t press_count;
	uint8_t release[KEYS_MODIFIERS * KEYS_PER_MODIFIER];
	size_t release_count;
};

/* considered masks the modifiers to look at: 0xff for all. */
void keys_mend(const struct keys_map *map, const struct keys_down *down, struct keys_state have,
    uint8_t wanted, uint8_t considered, struct keys_mend *ret);

#endif
