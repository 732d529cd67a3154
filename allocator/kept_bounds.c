#include "allocator/kept_bounds.h"

/* Freed mappings are kept up to as many bytes as the live ones have, but to no more than
 * ALL_BYTES or a part of the live ones of the set, whichever is more: many, for they grow old soon
 * (EXPERIMENTS.md, "Freed mappings, a third time"). */
#define LEAST_BYTES ((size_t)256 * 1024)
#define ALL_BYTES   ((size_t)8 << 20)
enum { LIVE_SHIFT = 2 };
/* However much a program regrets: what it holds at most, in all sets, should it never call again.
 */
#define REGRET_MOST_BYTES ((size_t)256 << 20)

size_t kept_most_beside(const struct kept *kept, size_t live_bytes)
{
    size_t part = live_bytes >> LIVE_SHIFT;
    size_t most = live_bytes;

    if (most > ALL_BYTES)
        most = part > ALL_BYTES ? part : ALL_BYTES;
    if (most < kept->most)
        most = kept->most;
    return most < LEAST_BYTES ? LEAST_BYTES : most;
}

bool kept_is_slack(const struct kept *kept, size_t bytes, size_t live_bytes)
{
    size_t part = live_bytes >> LIVE_SHIFT;
    size_t ramp = 2 * part > ALL_BYTES ? 2 * part - ALL_BYTES : 0;
    unsigned sets = places_used(&large_places);
    size_t moved = sets * kept->moved_bytes, most = sets > 1 ? 2 * part : part;

    return bytes <= (ramp < part ? ramp : part) || bytes <= (moved < most ? moved : most);
}

void kept_raise_most(struct kept *kept, size_t bytes, size_t live_bytes)
{
    size_t wanted = kept_most_beside(kept, live_bytes) + bytes;
    size_t most = REGRET_MOST_BYTES / places_used(&large_places);

    if (bytes > 0)
        kept->most = wanted < most ? wanted : most;
}

void kept_regret(struct kept *kept, size_t bytes, size_t live_bytes)
{
    if (bytes > kept->unmapped_bytes)
        bytes = kept->unmapped_bytes;
    kept->unmapped_bytes -= bytes;
    kept_raise_most(kept, bytes, live_bytes);
}

size_t kept_missed_bytes(const struct kept *kept, size_t bytes, size_t live_bytes)
{
    size_t worth = kept_most_beside(kept, live_bytes);

    if (bytes <= worth || kept->bytes <= worth)
        return 0;
    return bytes < kept->bytes - worth ? bytes : kept->bytes - worth;
}
