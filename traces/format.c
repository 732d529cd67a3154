#include "traces/format.h"

#include <zstd.h>

#include "traces/bytes.h"
#include "traces/crc32c.h"

size_t format_payload_bytes_max(void)
{
    size_t total = SUMMARY_BYTES;
    for (unsigned i = 0; i < TRACE_COLUMNS; i++)
        total += ZSTD_compressBound(trace_column_bytes_max(i));
    return total;
}

void format_encode_block_header(uint8_t *to, const struct block_header *header)
{
    uint8_t *at = to;
    put_u32(at, header->type);
    put_u32(at + 4, header->event_count);
    put_u32(at + 8, header->payload_bytes);
    at += 12;
    for (unsigned i = 0; i < TRACE_COLUMNS; i++, at += 8) {
        put_u32(at, header->raw_bytes[i]);
        put_u32(at + 4, header->packed_bytes[i]);
    }
    put_u32(at, header->payload_checksum);
    put_u32(at + 4, crc32c(0, to, BLOCK_HEADER_BYTES - 4));
}

static const char *check_block_header(const struct block_header *header)
{
    if (header->type == BLOCK_SUMMARY)
        return header->payload_bytes == SUMMARY_BYTES ? NULL : "the summary has a wrong length";
    if (header->type != BLOCK_EVENTS)
        return "this kind of block is unknown";
    if (header->event_count == 0 || header->event_count > BLOCK_EVENTS_MAX)
        return "the block has an impossible number of events";
    uint64_t total = 0;
    for (unsigned i = 0; i < TRACE_COLUMNS; i++) {
        if (header->raw_bytes[i] > trace_column_bytes_max(i) ||
            header->packed_bytes[i] > ZSTD_compressBound(header->raw_bytes[i]))
            return "the block has an impossible length";
        total += header->packed_bytes[i];
    }
    return total == header->payload_bytes ? NULL : "the lengths in the block disagree";
}

const char *format_decode_block_header(const uint8_t *from, struct block_header *header)
{
    if (get_u32(from + BLOCK_HEADER_BYTES - 4) != crc32c(0, from, BLOCK_HEADER_BYTES - 4))
        return "the block's header is damaged (its checksum differs)";
    header->type = get_u32(from);
    header->event_count = get_u32(from + 4);
    header->payload_bytes = get_u32(from + 8);
    for (unsigned i = 0; i < TRACE_COLUMNS; i++) {
        header->raw_bytes[i] = get_u32(from + 12 + 8 * i);
        header->packed_bytes[i] = get_u32(from + 16 + 8 * i);
    }
    header->payload_checksum = get_u32(from + BLOCK_HEADER_BYTES - 8);
    return check_block_header(header);
}

/* Calls visit for each member, so that encoding and decoding cannot disagree on the order. */
#define EACH_SUMMARY_MEMBER(visit)                               \
    do {                                                         \
        visit(event_count);                                      \
        for (unsigned kind = 1; kind < TRACE_KIND_COUNT; kind++) \
            visit(call_count[kind]);                             \
        visit(failed_count);                                     \
        visit(null_argument_count);                              \
        visit(duration_ns);                                      \
        visit(allocated_bytes);                                  \
        visit(peak_live_bytes);                                  \
        visit(peak_live_event);                                  \
        visit(peak_live_objects);                                \
        visit(final_live_bytes);                                 \
        visit(final_live_objects);                               \
        visit(foreign_release_count);                            \
        visit(dropped_count);                                    \
        visit(object_count);                                     \
        visit(thread_count);                                     \
    } while (0)

void format_encode_summary(uint8_t *to, const struct trace_summary *summary)
{
#define ENCODE(member) (put_u64(to, summary->member), to += 8)
    EACH_SUMMARY_MEMBER(ENCODE);
}

void format_decode_summary(const uint8_t *from, struct trace_summary *summary)
{
    *summary = (struct trace_summary){0};
#define DECODE(member) (summary->member = (__typeof__(summary->member))get_u64(from), from += 8)
    EACH_SUMMARY_MEMBER(DECODE);
}

void format_encode_file_header(uint8_t *to, uint64_t time_unit_ns, const char *description,
                               uint32_t length)
{
    memcpy(to, FORMAT_MAGIC, FORMAT_MAGIC_BYTES);
    put_u32(to + 8, FORMAT_VERSION);
    put_u64(to + 12, time_unit_ns);
    put_u32(to + 20, length);
    memcpy(to + FILE_HEADER_BYTES, description, length);
    size_t covered = FILE_HEADER_BYTES + (size_t)length;
    put_u32(to + covered, crc32c(0, to, covered));
}
