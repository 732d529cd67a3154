/* Trace files as a trace_source. Nothing that a file states is believed before it was bounded and
 * its checksum held, and the summary is believed only until the last event shows whether it is
 * true. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "traces/bytes.h"
#include "traces/crc32c.h"
#include "traces/error.h"
#include "traces/format.h"
#include "traces/ledger.h"

struct trace_reader {
    struct trace_source source;
    int descriptor;
    uint64_t file_bytes;
    uint64_t first_block; /* offset */
    uint64_t block;       /* offset of the block in columns */
    uint64_t next_block;  /* offset */
    uint32_t block_events_left;
    bool salvage;
    bool at_end;
    char *name;
    char *description;
    struct trace_summary summary; /* as the file states it */
    struct trace_ledger ledger;
    struct trace_columns columns;
    ZSTD_DCtx *decompressor;
    uint8_t *payload;
};

static struct trace_reader *reader_of(struct trace_source *source)
{
    return (struct trace_reader *)source;
}

/* Reads exactly `length` bytes. Returns 0, -ENODATA where the file ends before, or -errno. */
static int read_at(const struct trace_reader *reader, uint64_t offset, void *to, size_t length,
                   struct trace_error *error)
{
    char *at = to;
    for (size_t done = 0; done < length;) {
        ssize_t got = pread(reader->descriptor, at + done, length - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return trace_fail(error, errno, offset + done, "cannot be read: %s", strerror(errno));
        if (got == 0)
            return trace_fail(error, ENODATA, offset + done, "the file ends here");
        done += (size_t)got;
    }
    return 0;
}

/* ---- opening ---- */

static int open_file(struct trace_reader *reader, const char *path, struct trace_error *error)
{
    reader->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (reader->descriptor < 0 || fstat(reader->descriptor, &status))
        return trace_fail(error, errno, TRACE_NO_OFFSET, "cannot be opened: %s%s", strerror(errno),
                          errno == ENOENT || errno == ENOTDIR ? "; check its name"
                          : errno == EACCES                   ? "; make it readable"
                                                              : "");
    if (!S_ISREG(status.st_mode))
        return trace_fail(error, EINVAL, TRACE_NO_OFFSET,
                          "not a regular file; a trace is read from a file only");
    if (status.st_size == 0)
        return trace_fail(error, ENODATA, 0,
                          "the file is empty; record or generate the trace again");
    reader->file_bytes = (uint64_t)status.st_size;
    return 0;
}

/* Without a header the rest can't be read, not even by an import. */
#define NOTHING_LEFT "; copy the file again, or record or generate the trace again"

/* What to try where the events before the damage are sound; nothing where that is under way. */
static const char *remedy(const struct trace_reader *reader)
{
    return reader->salvage ? "" : "; 'heaplab import FILE NEW' keeps everything before";
}

/* Also the answer for headers cut short. */
static int not_a_trace(struct trace_error *error)
{
    return trace_fail(error, EPROTO, 0,
                      "not a trace of heaplab; 'heaplab import' reads traces of other tools");
}

static int check_file_header(struct trace_reader *reader, const uint8_t *header,
                             struct trace_error *error)
{
    if (memcmp(header, FORMAT_MAGIC, FORMAT_MAGIC_BYTES))
        return not_a_trace(error);
    uint32_t version = get_u32(header + 8);
    if (version != FORMAT_VERSION)
        return trace_fail(error, ENOTSUP, 8,
                          "format version %" PRIu32 " is not known here, only %d; use the heaplab "
                          "that wrote it to export it as text",
                          version, FORMAT_VERSION);
    reader->source.time_unit_ns = get_u64(header + 12);
    if (reader->source.time_unit_ns == 0 || reader->source.time_unit_ns > TIME_UNIT_NS_MAX)
        return trace_fail(error, EPROTO, 12,
                          "the header is damaged (an impossible time unit)" NOTHING_LEFT);
    if (get_u32(header + 20) > DESCRIPTION_BYTES_MAX)
        return trace_fail(error, EPROTO, 20,
                          "the header is damaged (an impossible length)" NOTHING_LEFT);
    return 0;
}

static int read_file_header(struct trace_reader *reader, struct trace_error *error)
{
    uint8_t header[FILE_HEADER_BYTES];
    int status = read_at(reader, 0, header, sizeof header, error);
    if (status == -ENODATA)
        return not_a_trace(error);
    if (!status)
        status = check_file_header(reader, header, error);
    if (status)
        return status;

    uint32_t length = get_u32(header + 20);
    uint8_t *rest = malloc(length + FILE_HEADER_TAIL_BYTES);
    if (!rest)
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    reader->description = (char *)rest;
    status = read_at(reader, sizeof header, rest, length + FILE_HEADER_TAIL_BYTES, error);
    if (status == -ENODATA)
        return trace_fail(error, EPROTO, reader->file_bytes,
                          "the file ends inside its header" NOTHING_LEFT);
    if (status)
        return status;
    uint32_t checksum = crc32c(crc32c(0, header, sizeof header), rest, length);
    if (checksum != get_u32(rest + length))
        return trace_fail(error, EPROTO, 0,
                          "the header is damaged (its checksum differs)" NOTHING_LEFT);
    rest[length] = '\0';
    reader->first_block = sizeof header + length + FILE_HEADER_TAIL_BYTES;
    return 0;
}

static int read_block_header(const struct trace_reader *reader, uint64_t offset,
                             struct block_header *header, struct trace_error *error)
{
    uint8_t bytes[BLOCK_HEADER_BYTES];
    int status = read_at(reader, offset, bytes, sizeof bytes, error);
    if (status == -ENODATA)
        return trace_fail(error, EPROTO, offset,
                          "the file was cut off: the block that begins here is not complete%s",
                          remedy(reader));
    if (status)
        return status;
    const char *problem = format_decode_block_header(bytes, header);
    if (problem)
        return trace_fail(error, EPROTO, offset, "%s%s", problem, remedy(reader));
    if (header->payload_bytes > reader->file_bytes - offset - BLOCK_HEADER_BYTES)
        return trace_fail(error, EPROTO, offset,
                          "the file was cut off: the block that begins here is not complete%s",
                          remedy(reader));
    return 0;
}

static int read_payload(struct trace_reader *reader, uint64_t offset,
                        const struct block_header *header, struct trace_error *error)
{
    int status =
        read_at(reader, offset + BLOCK_HEADER_BYTES, reader->payload, header->payload_bytes, error);
    if (status)
        return status == -ENODATA ? -EPROTO : status;
    if (crc32c(0, reader->payload, header->payload_bytes) != header->payload_checksum)
        return trace_fail(error, EPROTO, offset,
                          "the block that begins here is damaged (its checksum differs)%s",
                          remedy(reader));
    return 0;
}

/* Says where a file without a summary at its end stops making sense, by walking from block to
 * block. */
static int explain_missing_summary(const struct trace_reader *reader, struct trace_error *error)
{
    uint64_t offset = reader->first_block;
    for (;;) {
        struct block_header header;
        int status = read_block_header(reader, offset, &header, error);
        if (status)
            return status;
        offset += BLOCK_HEADER_BYTES + header.payload_bytes;
        if (header.type == BLOCK_SUMMARY)
            return trace_fail(error, EPROTO, offset, "the trace ends here, but the file goes on%s",
                              remedy(reader));
    }
}

/* Readers size tables by the summary before the first event, so its numbers are held against the
 * file's length. */
static bool is_plausible(const struct trace_reader *reader)
{
    const struct trace_summary *summary = &reader->summary;
    uint64_t events_max = reader->file_bytes / BLOCK_HEADER_BYTES * BLOCK_EVENTS_MAX;
    return summary->event_count <= events_max && summary->object_count <= summary->event_count &&
           summary->thread_count <= summary->event_count + 1;
}

static int read_summary(struct trace_reader *reader, struct trace_error *error)
{
    struct block_header header;
    uint64_t offset = reader->file_bytes - SUMMARY_BLOCK_BYTES;
    if (reader->file_bytes < reader->first_block + SUMMARY_BLOCK_BYTES ||
        read_block_header(reader, offset, &header, error) || header.type != BLOCK_SUMMARY)
        return explain_missing_summary(reader, error);
    int status = read_payload(reader, offset, &header, error);
    if (status)
        return status;
    format_decode_summary(reader->payload, &reader->summary);
    if (!is_plausible(reader))
        return trace_fail(
            error, EPROTO, offset,
            "the summary cannot be true; 'heaplab import FILE NEW' writes a true one");
    reader->source.summary = &reader->summary;
    return 0;
}

/* The file's name without folders and ".trace". */
static char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot != name && !strcmp(dot, ".trace"))
        *dot = '\0';
    return name;
}

static int prepare(struct trace_reader *reader, const char *path, struct trace_error *error)
{
    int status = open_file(reader, path, error);
    if (status)
        return status;
    reader->source.name = reader->name = short_name(path);
    reader->decompressor = ZSTD_createDCtx();
    reader->payload = malloc(format_payload_bytes_max());
    if (!reader->name || !reader->decompressor || !reader->payload ||
        trace_ledger_init(&reader->ledger) || trace_columns_init(&reader->columns))
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    status = read_file_header(reader, error);
    if (status)
        return status;
    reader->source.description = reader->description;
    reader->next_block = reader->first_block;
    return reader->salvage ? 0 : read_summary(reader, error);
}

/* ---- reading ---- */

static int unpack_column(struct trace_reader *reader, enum trace_column column,
                         const uint8_t *packed, const struct block_header *header)
{
    size_t raw = header->raw_bytes[column];
    uint8_t *to = reader->columns.begin[column];
    size_t got = 0;
    if (raw)
        got = ZSTD_decompressDCtx(reader->decompressor, to, raw, packed,
                                  header->packed_bytes[column]);
    if (ZSTD_isError(got) || got != raw)
        return trace_fail(&reader->source.error, EPROTO, reader->block,
                          "column %u of the block that begins here cannot be unpacked%s", column,
                          remedy(reader));
    reader->columns.end[column] = to + raw;
    return 0;
}

/* The file's end: what was read must be what the summary states. */
static int finish(struct trace_reader *reader, const struct block_header *header)
{
    struct trace_error *error = &reader->source.error;
    int status = read_payload(reader, reader->block, header, error);
    if (status)
        return status;
    struct trace_summary stated, counted = reader->ledger.summary;
    format_decode_summary(reader->payload, &stated);
    counted.dropped_count = stated.dropped_count;
    uint8_t bytes[SUMMARY_BYTES];
    format_encode_summary(bytes, &counted);
    if (memcmp(bytes, reader->payload, SUMMARY_BYTES))
        return trace_fail(error, EPROTO, reader->block,
                          "the summary is not that of the events before%s",
                          reader->salvage ? "" : "; 'heaplab import FILE NEW' writes a true one");
    if (reader->next_block != reader->file_bytes)
        return trace_fail(error, EPROTO, reader->next_block,
                          "the trace ends here, but the file goes on%s", remedy(reader));
    reader->at_end = true;
    return 0;
}

static int load_block(struct trace_reader *reader)
{
    struct block_header header;
    reader->block = reader->next_block;
    int status = read_block_header(reader, reader->block, &header, &reader->source.error);
    if (status)
        return status;
    reader->next_block = reader->block + BLOCK_HEADER_BYTES + header.payload_bytes;
    if (header.type == BLOCK_SUMMARY)
        return finish(reader, &header);
    status = read_payload(reader, reader->block, &header, &reader->source.error);
    const uint8_t *packed = reader->payload;
    for (unsigned i = 0; i < TRACE_COLUMNS && !status; i++) {
        status = unpack_column(reader, i, packed, &header);
        packed += header.packed_bytes[i];
    }
    if (status)
        return status;
    trace_columns_begin_reading(&reader->columns);
    reader->block_events_left = header.event_count;
    return 0;
}

static int read_event(struct trace_reader *reader, struct trace_event *event)
{
    struct trace_error *error = &reader->source.error;
    const char *problem = trace_columns_read(&reader->columns, event);
    if (!problem &&
        __builtin_mul_overflow(reader->columns.time, reader->source.time_unit_ns, &event->time_ns))
        problem = "a time is too large";
    if (problem)
        return trace_fail(error, EPROTO, reader->block, "in the block that begins here, %s%s",
                          problem, remedy(reader));
    int status = trace_ledger_apply(&reader->ledger, event, LEDGER_ASSIGN_IDS, error);
    if (status) {
        error->byte_offset = reader->block;
        return status;
    }
    if (trace_event_allocates(event))
        trace_columns_note_birth(&reader->columns, event->object);
    if (--reader->block_events_left == 0 && !trace_columns_at_end(&reader->columns))
        return trace_fail(error, EPROTO, reader->block,
                          "the block that begins here holds more than its events%s",
                          remedy(reader));
    return 0;
}

static int read_events(struct trace_reader *reader, struct trace_event *events, size_t capacity,
                       size_t *count)
{
    while (*count < capacity && !reader->at_end) {
        int status = 0;
        if (reader->block_events_left == 0)
            status = load_block(reader);
        for (; !status && reader->block_events_left && *count < capacity; ++*count)
            status = read_event(reader, &events[*count]);
        if (status)
            return status;
    }
    return 0;
}

static int reader_read(struct trace_source *source, struct trace_event *events, size_t capacity,
                       size_t *count)
{
    struct trace_reader *reader = reader_of(source);
    *count = 0;
    int status = read_events(reader, events, capacity, count);
    if (status && reader->salvage && status != -ENOMEM) {
        reader->at_end = true;
        status = 0;
    }
    return status;
}

static int reader_rewind(struct trace_source *source)
{
    struct trace_reader *reader = reader_of(source);
    trace_ledger_reset(&reader->ledger);
    trace_columns_reset(&reader->columns);
    reader->next_block = reader->first_block;
    reader->block_events_left = 0;
    reader->at_end = false;
    source->error = (struct trace_error){0};
    return 0;
}

static void reader_close(struct trace_source *source)
{
    struct trace_reader *reader = reader_of(source);
    if (reader->descriptor >= 0)
        close(reader->descriptor);
    trace_ledger_clean_up(&reader->ledger);
    trace_columns_clean_up(&reader->columns);
    ZSTD_freeDCtx(reader->decompressor);
    free(reader->payload);
    free(reader->name);
    free(reader->description);
    free(reader);
}

static const struct trace_source_ops reader_ops = {
    .read = reader_read,
    .rewind = reader_rewind,
    .close = reader_close,
};

static int open_reader(struct trace_source **source, const char *path, bool salvage,
                       struct trace_error *error)
{
    struct trace_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return trace_fail(error, ENOMEM, TRACE_NO_OFFSET, "out of memory");
    reader->source.ops = &reader_ops;
    reader->descriptor = -1;
    reader->salvage = salvage;
    int status = prepare(reader, path, error);
    if (status) {
        reader_close(&reader->source);
        return status;
    }
    *source = &reader->source;
    return 0;
}

int trace_open(struct trace_source **source, const char *path, struct trace_error *error)
{
    return open_reader(source, path, false, error);
}

int trace_open_salvage(struct trace_source **source, const char *path, struct trace_error *error)
{
    return open_reader(source, path, true, error);
}
