/* Which resident pages of this process hold live objects. The harness knows every live object, so
 * this says for any allocator, without its help, where its memory beyond the live bytes is:
 *   retained: resident pages without a live byte, which could go back to the system;
 *   pinned: the dead bytes of resident pages that hold some live byte, which could not.
 *
 * Residency comes from /proc/self/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst), whose
 * "present" bit is exact and readable without privilege; mincore(2) is not meant for anonymous
 * memory.
 */
#ifndef REPLAY_OCCUPANCY_H
#define REPLAY_OCCUPANCY_H

#include <stdbool.h>
#include <stdint.h>

struct live_range {
    uint64_t start, bytes;
};

/* The pages in address order, for a picture: neighbours share a cell where they are too many. */
#define PAGE_MAP_CELLS 2048

struct page_cell {
    uint64_t live_bytes;
    uint32_t
        gap_pages; /* left out between the cell before and this one: nothing there is resident */
    uint32_t pages, resident_pages;
};

struct page_map {
    uint32_t pages_per_cell; /* at the most; a power of two */
    uint32_t count;
    struct page_cell cells[PAGE_MAP_CELLS];
};

struct occupancy {
    struct live_range *ranges; /* room for `limit`, in shared memory: it is not the allocator's */
    uint32_t limit, count;
    uint64_t *base_pages; /* of the harness itself, by address; in shared memory too */
    uint32_t base_count;
};

/* Makes room for `limit` live objects and prefaults it. Returns 0 or -errno. */
int occupancy_open(struct occupancy *occupancy, uint32_t limit);

/* Takes the pages that are resident now as the harness's own, until an object lies on them. Returns
 * 0 or -errno. */
int occupancy_set_baseline(struct occupancy *occupancy);

/* Forgets all objects; adds one. At most `limit` are kept. */
void occupancy_clear(struct occupancy *occupancy);
void occupancy_add(struct occupancy *occupancy, const void *object, uint64_t bytes);

/* What private anonymous memory holds of the objects added. */
struct occupancy_figures {
    uint64_t retained_bytes, pinned_bytes;
    struct page_map map;
};

/* Fills `figures`. Allocates nothing. Returns 0 or -errno. */
int occupancy_read(struct occupancy *occupancy, struct occupancy_figures *figures);

#endif
