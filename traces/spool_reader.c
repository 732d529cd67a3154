#include "traces/spool_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* 8 KiB: a read costs under a microsecond, and ten thousand threads at once need 80 MiB. */
#define BUFFER_SLOTS 512u

struct chunk {
    uint64_t first_ticks;
    uint64_t unit;
    uint32_t thread;
    uint32_t sequence;
    uint32_t units;
};

struct spool_reader {
    int descriptor;
    struct spool_header header;
    struct chunk *chunks; /* by thread, then sequence */
    uint32_t chunk_count;
    uint32_t chunk_capacity;
    struct spool_thread *threads;
    uint32_t thread_count;
    uint64_t pair_ticks;
    uint64_t pair_ns;
};

struct spool_stream {
    struct spool_reader *reader;
    const struct chunk *chunk; /* being read */
    const struct chunk *end;
    uint64_t offset;     /* in the file, of the next slot to buffer */
    uint64_t chunk_left; /* slots of the chunk not yet buffered */
    uint64_t ticks;
    unsigned position;
    unsigned filled;
    struct spool_slot slots[BUFFER_SLOTS];
};

/* Returns the bytes read, fewer than asked only at the end of the file, or -errno. */
static ssize_t read_at(int descriptor, void *buffer, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got =
            pread(descriptor, (char *)buffer + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static int add_chunk(struct spool_reader *reader, uint64_t unit, const struct spool_chunk *found)
{
    if (reader->chunk_count == reader->chunk_capacity) {
        uint32_t capacity = reader->chunk_capacity ? reader->chunk_capacity * 2 : 64;
        struct chunk *chunks = reallocarray(reader->chunks, capacity, sizeof *chunks);
        if (!chunks)
            return -ENOMEM;
        reader->chunks = chunks;
        reader->chunk_capacity = capacity;
    }
    reader->chunks[reader->chunk_count++] = (struct chunk){
        .first_ticks = found->first_ticks,
        .unit = unit,
        .thread = found->thread,
        .sequence = found->sequence,
        .units = found->units,
    };
    if (found->pair_ns > reader->pair_ns) {
        reader->pair_ns = found->pair_ns;
        reader->pair_ticks = found->pair_ticks;
    }
    return 0;
}

/* A unit without a chunk's head was taken by a thread that came no further. */
static int index_chunks(struct spool_reader *reader)
{
    struct stat status;
    if (fstat(reader->descriptor, &status))
        return -errno;
    uint64_t unit_count = (uint64_t)status.st_size / SPOOL_UNIT_BYTES;
    for (uint64_t unit = 1; unit < unit_count;) {
        struct spool_chunk head;
        ssize_t got = read_at(reader->descriptor, &head, sizeof head, unit * SPOOL_UNIT_BYTES);
        if (got < 0)
            return (int)got;
        if (got < (ssize_t)sizeof head)
            break;
        if (head.magic != SPOOL_CHUNK_MAGIC || head.units == 0 || head.units > unit_count - unit) {
            unit++;
            continue;
        }
        int status_of_add = add_chunk(reader, unit, &head);
        if (status_of_add)
            return status_of_add;
        unit += head.units;
    }
    return reader->chunk_count ? 0 : -ENODATA;
}

static int compare_chunks(const void *left, const void *right)
{
    const struct chunk *a = left, *b = right;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    return a->unit < b->unit ? -1 : a->unit > b->unit;
}

static int compare_threads(const void *left, const void *right)
{
    const struct spool_thread *a = left, *b = right;
    if (a->first_ticks != b->first_ticks)
        return a->first_ticks < b->first_ticks ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int is_empty(const struct spool_reader *reader, const struct chunk *chunk)
{
    struct spool_slot slot;
    uint64_t offset = chunk->unit * SPOOL_UNIT_BYTES + sizeof(struct spool_chunk);
    return read_at(reader->descriptor, &slot, sizeof slot, offset) < (ssize_t)sizeof slot ||
           !slot.first;
}

/* A chunk that was being copied when its process was killed is there twice, the original first. The
 * copy counts once the original is being emptied; until then it may be incomplete. */
static void drop_copies(struct spool_reader *reader)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < reader->chunk_count; i++) {
        struct chunk *chunk = &reader->chunks[i], *before = kept ? &reader->chunks[kept - 1] : NULL;
        if (!before || before->thread != chunk->thread || before->sequence != chunk->sequence)
            reader->chunks[kept++] = *chunk;
        else if (is_empty(reader, before))
            *before = *chunk;
    }
    reader->chunk_count = kept;
}

static int group_by_thread(struct spool_reader *reader)
{
    qsort(reader->chunks, reader->chunk_count, sizeof *reader->chunks, compare_chunks);
    drop_copies(reader);
    uint32_t count = 1;
    for (uint32_t i = 1; i < reader->chunk_count; i++)
        count += reader->chunks[i].thread != reader->chunks[i - 1].thread;
    reader->threads = calloc(count, sizeof *reader->threads);
    if (!reader->threads)
        return -ENOMEM;
    for (uint32_t i = 0; i < reader->chunk_count; i++) {
        const struct chunk *chunk = &reader->chunks[i];
        if (i == 0 || chunk->thread != chunk[-1].thread)
            reader->threads[reader->thread_count++] = (struct spool_thread){
                .first_ticks = chunk->first_ticks, .number = chunk->thread, .first_chunk = i};
        reader->threads[reader->thread_count - 1].chunk_count++;
    }
    qsort(reader->threads, reader->thread_count, sizeof *reader->threads, compare_threads);
    return 0;
}

int spool_reader_open(struct spool_reader **result, const char *path)
{
    struct spool_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return -ENOMEM;
    int status;
    reader->descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (reader->descriptor < 0) {
        status = -errno;
        goto fail;
    }
    ssize_t got = read_at(reader->descriptor, &reader->header, sizeof reader->header, 0);
    status = got < 0 ? (int)got : 0;
    if (!status && (got < (ssize_t)sizeof reader->header || reader->header.magic == 0))
        status = -ENODATA; /* killed while it opened its spool */
    else if (!status && reader->header.magic != SPOOL_MAGIC)
        status = -EPROTO;
    if (status)
        goto fail;
    reader->header.allocator[sizeof reader->header.allocator - 1] = '\0';
    reader->header.program[sizeof reader->header.program - 1] = '\0';
    reader->pair_ticks = reader->header.start_ticks;
    reader->pair_ns = reader->header.start_ns;
    status = index_chunks(reader);
    if (!status)
        status = group_by_thread(reader);
    if (status)
        goto fail;
    *result = reader;
    return 0;
fail:
    spool_reader_close(reader);
    return status;
}

void spool_reader_close(struct spool_reader *reader)
{
    if (!reader)
        return;
    if (reader->descriptor >= 0)
        close(reader->descriptor);
    free(reader->chunks);
    free(reader->threads);
    free(reader);
}

void spool_reader_stop_recorder(const struct spool_reader *reader)
{
    uint32_t closed = 1;
    if (pwrite(reader->descriptor, &closed, sizeof closed, offsetof(struct spool_header, closed)) <
        0)
        return; /* it then records into a file that is about to vanish */
}

const struct spool_header *spool_reader_header(const struct spool_reader *reader)
{
    return &reader->header;
}

const struct spool_thread *spool_reader_threads(const struct spool_reader *reader, uint32_t *count)
{
    *count = reader->thread_count;
    return reader->threads;
}

void spool_reader_last_pair(const struct spool_reader *reader, uint64_t *ticks, uint64_t *ns)
{
    *ticks = reader->pair_ticks;
    *ns = reader->pair_ns;
}

static void begin_chunk(struct spool_stream *stream)
{
    const struct chunk *chunk = stream->chunk;
    uint64_t bytes = (uint64_t)chunk->units * SPOOL_UNIT_BYTES - sizeof(struct spool_chunk);
    stream->offset = chunk->unit * SPOOL_UNIT_BYTES + sizeof(struct spool_chunk);
    stream->chunk_left = bytes / sizeof(struct spool_slot);
    stream->position = 0;
    stream->filled = 0;
    stream->ticks = chunk->first_ticks;
}

struct spool_stream *spool_stream_open(struct spool_reader *reader,
                                       const struct spool_thread *thread)
{
    struct spool_stream *stream = malloc(sizeof *stream);
    if (!stream)
        return NULL;
    stream->reader = reader;
    stream->chunk = &reader->chunks[thread->first_chunk];
    stream->end = stream->chunk + thread->chunk_count;
    begin_chunk(stream);
    return stream;
}

void spool_stream_close(struct spool_stream *stream)
{
    free(stream);
}

/* Returns 1 with *slot set, 0 at the end of the thread's last chunk, or -errno. */
static int next_slot(struct spool_stream *stream, struct spool_slot *slot)
{
    while (stream->chunk < stream->end) {
        if (stream->position == stream->filled && stream->chunk_left) {
            size_t want =
                stream->chunk_left < BUFFER_SLOTS ? (size_t)stream->chunk_left : BUFFER_SLOTS;
            ssize_t got = read_at(stream->reader->descriptor, stream->slots, want * sizeof *slot,
                                  stream->offset);
            if (got < 0)
                return (int)got;
            stream->filled = (unsigned)((size_t)got / sizeof *slot);
            stream->position = 0;
            stream->offset += (uint64_t)got;
            stream->chunk_left = stream->filled < want ? 0 : stream->chunk_left - want;
        }
        if (stream->position < stream->filled && stream->slots[stream->position].first) {
            *slot = stream->slots[stream->position++];
            return 1;
        }
        if (++stream->chunk < stream->end)
            begin_chunk(stream);
    }
    return 0;
}

/* Takes up a prefix. Returns whether the slot was one. */
static int read_prefix(struct spool_stream *stream, const struct spool_slot *slot,
                       struct spool_call *call, int *has_old)
{
    switch ((slot->first >> 32) & 0xff) {
    case SPOOL_TICKS:
        stream->ticks = slot->second;
        return 1;
    case SPOOL_SIZE:
        call->size = slot->second;
        return 1;
    case SPOOL_EXTRA:
        call->extra = slot->second;
        return 1;
    case SPOOL_OLD:
        stream->ticks += slot->first & UINT32_MAX;
        call->before_ticks = stream->ticks;
        call->old = slot->second;
        *has_old = 1;
        return 1;
    default:
        return 0;
    }
}

int spool_stream_next(struct spool_stream *stream, struct spool_call *call)
{
    *call = (struct spool_call){0};
    int has_old = 0;
    struct spool_slot slot = {0};
    int status;
    while ((status = next_slot(stream, &slot)) > 0 && read_prefix(stream, &slot, call, &has_old))
        continue;
    if (status <= 0)
        return status;
    stream->ticks += slot.first & UINT32_MAX;
    call->ticks = stream->ticks;
    if (!has_old)
        call->before_ticks = call->ticks;
    call->kind = (slot.first >> 32) & 0xff;
    call->address = slot.second & SPOOL_ADDRESS_MAX;
    uint64_t size = slot.first >> 40;
    if (size < SPOOL_SIZE_FIELD)
        call->size = size;
    uint64_t extra = slot.second >> 48;
    if (extra < SPOOL_EXTRA_FIELD)
        call->extra = extra;
    return 1;
}
