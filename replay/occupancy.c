#include "replay/occupancy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES      UINT64_C(4096)
#define PRESENT_BIT     (UINT64_C(1) << 63)
#define ENTRIES_AT_ONCE 512

/* The most address space that is looked through, which takes a tenth of a second. Who reserves more
 * than that (a sanitizer's shadow memory does) can't be looked through page by page. */
#define SPAN_LIMIT (UINT64_C(64) << 30)

int occupancy_open(struct occupancy *occupancy, uint32_t limit)
{
    *occupancy = (struct occupancy){.limit = limit};
    occupancy->ranges =
        mmap(NULL, (size_t)limit * sizeof *occupancy->ranges, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return occupancy->ranges == MAP_FAILED ? -errno : 0;
}

void occupancy_clear(struct occupancy *occupancy)
{
    occupancy->count = 0;
}

void occupancy_add(struct occupancy *occupancy, const void *object, uint64_t bytes)
{
    if (occupancy->count < occupancy->limit)
        occupancy->ranges[occupancy->count++] =
            (struct live_range){.start = (uint64_t)(uintptr_t)object, .bytes = bytes};
}

/* ---- sorting by address ---- */

/* Restores the heap below `root`: every parent starts behind its children. */
static void sift_down(struct live_range *ranges, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && ranges[child + 1].start > ranges[child].start)
            child++;
        if (ranges[root].start >= ranges[child].start)
            return;
        struct live_range moved = ranges[root];
        ranges[root] = ranges[child];
        ranges[child] = moved;
    }
}

/* Heapsort, because the C library's qsort allocates, and the C library may be what is being
 * measured. */
static void sort_ranges(struct live_range *ranges, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift_down(ranges, i, count);
    for (uint32_t end = count; end-- > 1;) {
        struct live_range last = ranges[0];
        ranges[0] = ranges[end];
        ranges[end] = last;
        sift_down(ranges, 0, end);
    }
}

/* ---- pages against objects ---- */

struct walk {
    const struct occupancy *occupancy;
    uint32_t next; /* the first range that may reach into the next page */
    uint64_t retained_bytes, pinned_bytes;
};

static uint64_t live_bytes_on(struct walk *walk, uint64_t page)
{
    const struct live_range *ranges = walk->occupancy->ranges;
    uint32_t count = walk->occupancy->count;
    uint64_t live = 0, page_end = page + PAGE_BYTES;
    while (walk->next < count && ranges[walk->next].start + ranges[walk->next].bytes <= page)
        walk->next++;
    for (uint32_t i = walk->next; i < count && ranges[i].start < page_end; i++) {
        uint64_t start = ranges[i].start > page ? ranges[i].start : page;
        uint64_t end = ranges[i].start + ranges[i].bytes;
        live += (end < page_end ? end : page_end) - start;
    }
    return live < PAGE_BYTES ? live : PAGE_BYTES;
}

static int walk_mapping(struct walk *walk, int pagemap, uint64_t start, uint64_t end)
{
    uint64_t entries[ENTRIES_AT_ONCE];
    while (start < end) {
        uint64_t pages = (end - start) / PAGE_BYTES;
        pages = pages < ENTRIES_AT_ONCE ? pages : ENTRIES_AT_ONCE;
        ssize_t got = pread(pagemap, entries, pages * sizeof entries[0],
                            (off_t)(start / PAGE_BYTES * sizeof entries[0]));
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        for (uint64_t i = 0; i < (uint64_t)got / sizeof entries[0]; i++, start += PAGE_BYTES) {
            if (!(entries[i] & PRESENT_BIT))
                continue;
            uint64_t live = live_bytes_on(walk, start);
            if (live)
                walk->pinned_bytes += PAGE_BYTES - live;
            else
                walk->retained_bytes += PAGE_BYTES;
        }
    }
    return 0;
}

/* ---- the process's mappings ---- */

/* Whether a line of /proc/self/maps is private anonymous memory other than a stack: no file behind
 * it, or the heap. */
static bool is_allocators(const char *line, uint64_t *start, uint64_t *end)
{
    char permissions[5], path[64] = "";
    unsigned long inode;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %lu %63s", start, end, permissions,
               &inode, path) < 4)
        return false;
    return inode == 0 && permissions[3] == 'p' && permissions[1] == 'w' &&
           (!path[0] || !strcmp(path, "[heap]"));
}

/* Reads one line into `line` from the buffered rest of the descriptor. Returns false at the end. */
struct line_reader {
    int descriptor;
    size_t used, filled;
    char buffer[8192];
};

static bool read_line(struct line_reader *reader, char *line, size_t limit)
{
    size_t length = 0;
    for (;;) {
        if (reader->used == reader->filled) {
            ssize_t got = read(reader->descriptor, reader->buffer, sizeof reader->buffer);
            if (got <= 0)
                return false;
            reader->filled = (size_t)got;
            reader->used = 0;
        }
        char c = reader->buffer[reader->used++];
        if (c == '\n')
            break;
        if (length + 1 < limit)
            line[length++] = c;
    }
    line[length] = '\0';
    return true;
}

static int walk_process(struct walk *walk)
{
    struct line_reader reader = {.descriptor = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    int error = reader.descriptor < 0 || pagemap < 0 ? -errno : 0;
    uint64_t start, end, span = 0;
    char line[256];
    while (!error && read_line(&reader, line, sizeof line)) {
        if (!is_allocators(line, &start, &end))
            continue;
        span += end - start;
        error = span > SPAN_LIMIT ? -E2BIG : walk_mapping(walk, pagemap, start, end);
    }
    if (reader.descriptor >= 0)
        close(reader.descriptor);
    if (pagemap >= 0)
        close(pagemap);
    return error;
}

int occupancy_read(struct occupancy *occupancy, uint64_t *retained_bytes, uint64_t *pinned_bytes)
{
    struct walk walk = {.occupancy = occupancy};
    sort_ranges(occupancy->ranges, occupancy->count);
    int error = walk_process(&walk);
    *retained_bytes = walk.retained_bytes > occupancy->base_retained_bytes
                          ? walk.retained_bytes - occupancy->base_retained_bytes
                          : 0;
    *pinned_bytes = walk.pinned_bytes;
    return error;
}

int occupancy_set_baseline(struct occupancy *occupancy)
{
    uint64_t pinned;
    occupancy_clear(occupancy);
    occupancy->base_retained_bytes = 0;
    return occupancy_read(occupancy, &occupancy->base_retained_bytes, &pinned);
}
