/* Little-endian numbers and varints in memory. */
#ifndef TRACES_BYTES_H
#define TRACES_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VARINT_BYTES_MAX 10

static inline void put_u32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

static inline void put_u64(uint8_t *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

static inline uint32_t get_u32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

static inline uint64_t get_u64(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return le64toh(value);
}

/* Seven bits a byte, least significant first, the top bit says that more follow. Returns the end.
 */
static inline uint8_t *put_varint(uint8_t *to, uint64_t value)
{
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

/* Moves *from past a varint that ends before `end`. Returns false where there is none. */
static inline bool get_varint(const uint8_t **from, const uint8_t *end, uint64_t *value)
{
    const uint8_t *at = *from;
    if (at < end && *at < 0x80) { /* most are one byte */
        *value = *at;
        *from = at + 1;
        return true;
    }
    uint64_t result = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        uint8_t byte = *at++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *from = at;
            *value = result;
            return shift < 63 || byte <= 1;
        }
    }
    return false;
}

/* Small magnitudes of either sign become small numbers: 0, -1, 1, -2, ... */
static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

#endif
