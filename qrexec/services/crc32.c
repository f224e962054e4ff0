#include "qrexec/services/crc32.h"

#include <string.h>

#define POLYNOMIAL 0xedb88320u /* reflected */
#define SLICES 8

/* Eight bytes a step: table[k][b] is what byte b does to the sum from k places further on. */
static uint32_t table[SLICES][256];

static void
fill_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][byte] = crc;
	}
	for (int slice = 1; slice < SLICES; slice++) {
		for (uint32_t byte = 0; byte < 256; byte++) {
			uint32_t crc = table[slice - 1][byte];

			table[slice][byte] = crc >> 8 ^ table[0][crc & 0xff];
		}
	}
}

uint32_t
crc32_add(uint32_t crc, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	if (table[0][1] == 0)
		fill_table();
	crc = ~crc;
	for (; len >= SLICES; len -= SLICES, p += SLICES) {
		uint32_t words[2];

		memcpy(words, p, sizeof(words)); /* little endian, as everywhere here */
		words[0] ^= crc;
		crc = table[7][words[0] & 0xff] ^ table[6][words[0] >> 8 & 0xff] ^
		      table[5][words[0] >> 16 & 0xff] ^ table[4][words[0] >> 24] ^
		      table[3][words[1] & 0xff] ^ table[2][words[1] >> 8 & 0xff] ^
		      table[1][words[1] >> 16 & 0xff] ^ table[0][words[1] >> 24];
	}
	for (; len > 0; len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}
