#include "gui-agent/keys.h"

#include <string.h>

void
keys_down_set(struct keys_down *down, uint8_t code, bool is_down)
{
	uint8_t bit = (uint8_t)(1u << (code % 8));

	if (is_down)
		down->bits[code / 8] |= bit;
	else
		down->bits[code / 8] &= (uint8_t)~bit;
}

bool
keys_down_has(const struct keys_down *down, uint8_t code)
{
	return (down->bits[code / 8] >> (code % 8)) & 1;
}

uint8_t
keys_down_first_without(const struct keys_down *down, const struct keys_down *kept)
{
	for (unsigned code = 1; code < 256; code++) {
		if (keys_down_has(down, (uint8_t)code) &&
		    (kept == NULL || !keys_down_has(kept, (uint8_t)code)))
			return (uint8_t)code;
	}
	return 0;
}

bool
keys_map_has(const struct keys_map *map, uint8_t code)
{
	return code != 0 && memchr(map->codes, code, sizeof(map->codes)) != NULL;
}

static void
mend_lock(struct keys_mend *mend, uint8_t bit, bool on)
{
	mend->lock_affect |= bit;
	if (on)
		mend->lock_values |= bit;
}

static void
mend_by_press(struct keys_mend *mend, const uint8_t codes[KEYS_PER_MODIFIER])
{
	for (size_t i = 0; i < KEYS_PER_MODIFIER; i++) {
		if (codes[i] != 0) {
			mend->press[mend->press_count++] = codes[i];
			return;
		}
	}
}

static void
mend_by_release(
    struct keys_mend *mend, const uint8_t codes[KEYS_PER_MODIFIER], const struct keys_down *down)
{
	for (size_t i = 0; i < KEYS_PER_MODIFIER; i++) {
		if (codes[i] != 0 && keys_down_has(down, codes[i]))
			mend->release[mend->release_count++] = codes[i];
	}
}

void
keys_mend(const struct keys_map *map, const struct keys_down *down, struct keys_state have,
    uint8_t wanted, uint8_t considered, struct keys_mend *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t m = 0; m < KEYS_MODIFIERS; m++) {
		uint8_t bit = (uint8_t)(1u << m);
		bool on = wanted & bit;

		if (!(considered & bit) || !((have.effective ^ wanted) & bit))
			continue;
		if (map->locking & bit) {
			mend_lock(ret, bit, on);
		} else if (on) {
			mend_by_press(ret, map->codes[m]);
		} else {
			mend_by_release(ret, map->codes[m], down);
			if (have.locked & bit)
				mend_lock(ret, bit, false);
		}
	}
}
