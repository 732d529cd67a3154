/* The fixed parts of a trace file: its header, the headers of its blocks, its summary.
 * traces/README.md draws them.
 *
 * Encoders write exactly the bytes named; decoders check everything, so what they return is within
 * bounds.
 */
#ifndef TRACES_FORMAT_H
#define TRACES_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "traces/columns.h"
#include "traces/trace.h"

#define FORMAT_VERSION 1
/* As PNG's: the first byte is no text, and the line ends show a transfer that converted them. */
#define FORMAT_MAGIC       "\x89HLT\r\n\x1a\n"
#define FORMAT_MAGIC_BYTES 8

/* magic, version, time unit, length of the description; then the description and a checksum */
#define FILE_HEADER_BYTES      (FORMAT_MAGIC_BYTES + 4 + 8 + 4)
#define FILE_HEADER_TAIL_BYTES 4
#define DESCRIPTION_BYTES_MAX  (UINT32_C(1) << 20)
#define TIME_UNIT_NS_MAX       UINT64_C(1000000000)
/* Measured on recorded traces: times take 0.3 bytes an event at 100 ns, 0.9 at 1 ns, 0.12 at 1 us.
 */
#define TIME_UNIT_NS_DEFAULT UINT64_C(100)

#define BLOCK_HEADER_BYTES (12 + 8 * TRACE_COLUMNS + 8)
#define BLOCK_EVENTS       UINT32_C(0x53545645) /* "EVTS" */
#define BLOCK_SUMMARY      UINT32_C(0x4d4d5553) /* "SUMM" */

/* Every member of struct trace_summary, in its order, 8 bytes each; call_count without its unused
 * first. */
#define SUMMARY_BYTES       (8 * (14 + TRACE_KIND_COUNT - 1))
#define SUMMARY_BLOCK_BYTES (BLOCK_HEADER_BYTES + SUMMARY_BYTES)

struct block_header {
    uint32_t type;
    uint32_t event_count;   /* 1 to BLOCK_EVENTS_MAX; 0 in the summary */
    uint32_t payload_bytes; /* the sum of packed_bytes, or SUMMARY_BYTES */
    uint32_t raw_bytes[TRACE_COLUMNS];
    uint32_t packed_bytes[TRACE_COLUMNS];
    uint32_t payload_checksum;
};

/* The largest payload that format_decode_block_header accepts. */
size_t format_payload_bytes_max(void);

void format_encode_block_header(uint8_t *to, const struct block_header *header);

/* Returns NULL, or what is wrong with the header. */
const char *format_decode_block_header(const uint8_t *from, struct block_header *header);

void format_encode_summary(uint8_t *to, const struct trace_summary *summary);
void format_decode_summary(const uint8_t *from, struct trace_summary *summary);

/* Encodes FILE_HEADER_BYTES + length + FILE_HEADER_TAIL_BYTES. */
void format_encode_file_header(uint8_t *to, uint64_t time_unit_ns, const char *description,
                               uint32_t length);

#endif
