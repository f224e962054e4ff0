/*
 * crc32 - the checksum of gzip and zip. It finds mistakes of software, not of attackers.
 */
#ifndef QREXEC_SERVICES_CRC32_H
#define QREXEC_SERVICES_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0 and add one piece after the other. */
uint32_t crc32_add(uint32_t crc, const void *bytes, size_t len);

#endif
