/* Raw records of the allocation tracer on glibc's dj/malloc branches: 64 bytes each, little-endian:
 *
 *     0  i32 thread    4  u32, its low 8 bits the kind    8  u64 ptr1    16  u64 ptr2
 *    24  u64 size     32  u64 size2                      40  u64 size3   48  padding
 *
 * ptr1 is the argument, ptr2 the result, size2 the alignment. posix_memalign's ptr1 is its error
 * number, 0 for none. */
#include <errno.h>

#include "traces/bytes.h"
#include "traces/import/format.h"

#define RECORD_BYTES  64
#define PADDING_BYTES 16
#define ERRNO_MAX     4095

enum glibc_kind {
    GLIBC_UNUSED = 0,
    GLIBC_MALLOC,
    GLIBC_CALLOC,
    GLIBC_FREE,
    GLIBC_REALLOC,
    GLIBC_MEMALIGN,
    GLIBC_VALLOC,
    GLIBC_PVALLOC,
    GLIBC_POSIX_MEMALIGN,
    GLIBC_MAGIC = 255, /* the first record of some versions */
};

struct record {
    uint32_t thread, kind;
    uint64_t argument, result, size, alignment;
};

static struct record decode(const uint8_t *bytes)
{
    return (struct record){
        .thread = get_u32(bytes),
        .kind = get_u32(bytes + 4) & 0xff,
        .argument = get_u64(bytes + 8),
        .result = get_u64(bytes + 16),
        .size = get_u64(bytes + 24),
        .alignment = get_u64(bytes + 32),
    };
}

static int apply(struct importer *importer, const struct record *record)
{
    static const enum trace_kind kinds[] = {
        [GLIBC_MALLOC] = TRACE_MALLOC,   [GLIBC_CALLOC] = TRACE_CALLOC,
        [GLIBC_REALLOC] = TRACE_REALLOC, [GLIBC_MEMALIGN] = TRACE_MEMALIGN,
        [GLIBC_VALLOC] = TRACE_VALLOC,   [GLIBC_PVALLOC] = TRACE_PVALLOC,
        [GLIBC_FREE] = TRACE_FREE,       [GLIBC_POSIX_MEMALIGN] = TRACE_POSIX_MEMALIGN,
    };
    struct foreign_request request = {
        .kind = kinds[record->kind],
        .size = record->size,
        .count = 1,
        .alignment = record->alignment,
    };
    int status = importer_thread(importer, record->thread);
    if (status)
        return status;
    if (record->kind == GLIBC_FREE)
        return importer_free(importer, record->argument);
    if (record->kind == GLIBC_REALLOC)
        return importer_resize(importer, &request, record->argument, record->result);
    bool has_failed = record->kind == GLIBC_POSIX_MEMALIGN && record->argument > 0 &&
                      record->argument <= ERRNO_MAX;
    return importer_allocate(importer, &request, has_failed ? 0 : record->result);
}

static int run(struct importer *importer)
{
    for (;;) {
        const void *bytes;
        int status = import_input_bytes(&importer->input, RECORD_BYTES, &bytes, &importer->error);
        if (status || !bytes)
            return status;
        struct record record = decode(bytes);
        if (record.kind == GLIBC_UNUSED || record.kind > GLIBC_POSIX_MEMALIGN)
            importer->report->ignored += record.kind != GLIBC_MAGIC;
        else
            status = apply(importer, &record);
        if (status)
            return status;
    }
}

static bool is_record(const uint8_t *bytes)
{
    static const uint8_t zeros[PADDING_BYTES];
    struct record record = decode(bytes);
    bool is_kind = record.kind == GLIBC_MAGIC ||
                   (record.kind >= GLIBC_MALLOC && record.kind <= GLIBC_POSIX_MEMALIGN);
    return is_kind && record.thread < UINT32_C(1) << 31 &&
           !memcmp(bytes + RECORD_BYTES - PADDING_BYTES, zeros, PADDING_BYTES);
}

/* The records have no certain beginning; a few that all make sense are one. */
static bool recognises_content(const char *head, size_t length)
{
    enum { RECORDS_LOOKED_AT = 16 };
    size_t count = length / RECORD_BYTES;
    if (count == 0)
        return false;
    for (size_t i = 0; i < count && i < RECORDS_LOOKED_AT; i++)
        if (!is_record((const uint8_t *)head + i * RECORD_BYTES))
            return false;
    return true;
}

const struct import_format import_glibc = {
    .name = "glibc",
    .summary = "raw records of glibc's allocation tracer (64 bytes each)",
    .recognises_content = recognises_content,
    .run = run,
};
