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

/* The harness's pages are some hundreds; of more than these 256 MiB the rest passes for the
 * allocator's. */
#define BASE_PAGE_LIMIT 65536

/* Unresident stretches of up to so many pages are drawn as they are: they are holes that the
 * allocator gave back. Longer ones would be most of the picture. */
#define HOLE_PAGES_SHOWN 8

static void *new_shared(size_t bytes)
{
    void *start =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

int occupancy_open(struct occupancy *occupancy, uint32_t limit)
{
    *occupancy = (struct occupancy){.limit = limit};
    occupancy->ranges = new_shared((size_t)limit * sizeof *occupancy->ranges);
    occupancy->base_pages = new_shared(BASE_PAGE_LIMIT * sizeof *occupancy->base_pages);
    return occupancy->ranges && occupancy->base_pages ? 0 : -errno;
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
    struct occupancy *occupancy;
    uint32_t next;      /* the first range that may reach into the next page */
    uint32_t next_base; /* the first of the harness's pages that may be the next page */
    uint64_t map_end;   /* address behind the last page of the map; 0: it has none */
    struct occupancy_figures *figures; /* NULL: the pages are the harness's, to be noted */
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

/* ---- the map ---- */

/* Makes one cell of two neighbours, so that as many again have room. */
static void halve_map(struct page_map *map)
{
    for (uint32_t i = 0; i < PAGE_MAP_CELLS / 2; i++) {
        struct page_cell one = map->cells[2 * i], other = map->cells[2 * i + 1];
        map->cells[i] =
            (struct page_cell){.live_bytes = one.live_bytes + other.live_bytes,
                               .gap_pages = one.gap_pages + other.gap_pages,
                               .pages = one.pages + other.pages,
                               .resident_pages = one.resident_pages + other.resident_pages};
    }
    map->count = PAGE_MAP_CELLS / 2;
    map->pages_per_cell *= 2;
}

static void append_page(struct page_map *map, uint32_t gap_pages, bool is_resident, uint64_t live)
{
    struct page_cell *last = map->count ? &map->cells[map->count - 1] : NULL;
    if (!last || gap_pages || last->pages >= map->pages_per_cell) {
        if (map->count == PAGE_MAP_CELLS)
            halve_map(map);
        last = &map->cells[map->count++];
        *last = (struct page_cell){.gap_pages = gap_pages};
    }
    last->live_bytes += live;
    last->pages++;
    last->resident_pages += is_resident;
}

static void map_page(struct walk *walk, uint64_t page, uint64_t live)
{
    struct page_map *map = &walk->figures->map;
    uint64_t hole = walk->map_end ? (page - walk->map_end) / PAGE_BYTES : 0;
    uint32_t gap_pages = 0;
    if (hole > HOLE_PAGES_SHOWN)
        gap_pages = hole < UINT32_MAX ? (uint32_t)hole : UINT32_MAX;
    else
        while (hole--)
            append_page(map, 0, false, 0);
    append_page(map, gap_pages, true, live);
    walk->map_end = page + PAGE_BYTES;
}

static bool is_harness_page(struct walk *walk, uint64_t page)
{
    const struct occupancy *occupancy = walk->occupancy;
    while (walk->next_base < occupancy->base_count && occupancy->base_pages[walk->next_base] < page)
        walk->next_base++;
    return walk->next_base < occupancy->base_count &&
           occupancy->base_pages[walk->next_base] == page;
}

static void visit_page(struct walk *walk, uint64_t page)
{
    struct occupancy *occupancy = walk->occupancy;
    if (!walk->figures) {
        if (occupancy->base_count < BASE_PAGE_LIMIT)
            occupancy->base_pages[occupancy->base_count++] = page;
        return;
    }
    uint64_t live = live_bytes_on(walk, page);
    if (!live && is_harness_page(walk, page))
        return;
    if (live)
        walk->figures->pinned_bytes += PAGE_BYTES - live;
    else
        walk->figures->retained_bytes += PAGE_BYTES;
    map_page(walk, page, live);
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
        for (uint64_t i = 0; i < (uint64_t)got / sizeof entries[0]; i++, start += PAGE_BYTES)
            if (entries[i] & PRESENT_BIT)
                visit_page(walk, start);
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

int occupancy_read(struct occupancy *occupancy, struct occupancy_figures *figures)
{
    struct walk walk = {.occupancy = occupancy, .figures = figures};
    figures->retained_bytes = figures->pinned_bytes = 0;
    figures->map.pages_per_cell = 1;
    figures->map.count = 0;
    sort_ranges(occupancy->ranges, occupancy->count);
    return walk_process(&walk);
}

int occupancy_set_baseline(struct occupancy *occupancy)
{
    struct walk walk = {.occupancy = occupancy};
    occupancy_clear(occupancy);
    occupancy->base_count = 0;
    return walk_process(&walk);
}
