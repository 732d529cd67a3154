/* CRC-32C (Castagnoli; RFC 3720, appendix B.4), the checksum of trace files and recordings. */
#ifndef TRACES_CRC32C_H
#define TRACES_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues the checksum `crc` (0 to begin) over `length` bytes. Thread-safe. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

#endif
