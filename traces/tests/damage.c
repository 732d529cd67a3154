#include "traces/tests/damage.h"

#include <sys/mman.h>
#include <unistd.h>

#include "traces/bytes.h"
#include "traces/crc32c.h"
#include "traces/format.h"
#include "traces/tests/support.h"

static size_t reseal_file_header(uint8_t *bytes, size_t length)
{
    if (length < FILE_HEADER_BYTES + FILE_HEADER_TAIL_BYTES)
        return length;
    size_t covered = FILE_HEADER_BYTES + (size_t)get_u32(bytes + 20);
    if (covered > length - FILE_HEADER_TAIL_BYTES)
        return length;
    put_u32(bytes + covered, crc32c(0, bytes, covered));
    return covered + FILE_HEADER_TAIL_BYTES;
}

void reseal(uint8_t *bytes, size_t length)
{
    size_t at = reseal_file_header(bytes, length);
    while (length - at >= BLOCK_HEADER_BYTES) {
        uint8_t *block = bytes + at;
        size_t payload = get_u32(block + 8);
        if (payload > length - at - BLOCK_HEADER_BYTES)
            payload = length - at - BLOCK_HEADER_BYTES;
        put_u32(block + BLOCK_HEADER_BYTES - 8, crc32c(0, block + BLOCK_HEADER_BYTES, payload));
        put_u32(block + BLOCK_HEADER_BYTES - 4, crc32c(0, block, BLOCK_HEADER_BYTES - 4));
        at += BLOCK_HEADER_BYTES + payload;
    }
}

/* The reader takes paths, so the bytes are given one, without a trip to a disk. */
int read_bytes(const uint8_t *bytes, size_t length, int salvage, struct event_list *events)
{
    int descriptor = memfd_create("damaged", MFD_CLOEXEC);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, bytes, length), length);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    struct trace_source *source;
    struct trace_error error = {0};
    int status = (salvage ? trace_open_salvage : trace_open)(&source, path, &error);
    if (!status) {
        status = read_events(source, events, 256);
        error = source->error;
        trace_source_close(source);
    }
    if (status && strlen(error.message) < 12)
        fail_msg("error %d explains nothing: '%s'", -status, error.message);
    close(descriptor);
    return status;
}
