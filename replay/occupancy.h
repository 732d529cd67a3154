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

struct occupancy {
    struct live_range *ranges; /* room for `limit`, in shared memory: it is not the allocator's */
    uint32_t limit, count;
    uint64_t base_retained_bytes; /* of the harness itself */
};

/* Makes room for `limit` live objects and prefaults it. Returns 0 or -errno. */
int occupancy_open(struct occupancy *occupancy, uint32_t limit);

/* Takes what is resident now, with no live object, as the harness's own. Returns 0 or -errno. */
int occupancy_set_baseline(struct occupancy *occupancy);

/* Forgets all objects; adds one. At most `limit` are kept. */
void occupancy_clear(struct occupancy *occupancy);
void occupancy_add(struct occupancy *occupancy, const void *object, uint64_t bytes);

/* Reads private anonymous memory against the objects added. Allocates nothing. Returns 0 or -errno.
 */
int occupancy_read(struct occupancy *occupancy, uint64_t *retained_bytes, uint64_t *pinned_bytes);

#endif
