#include "allocator/kept.h"

/* Freed mappings are kept up to as many bytes as the live ones have, but to no more than
 * ALL_BYTES or a part of the live ones, whichever is more: many, for they grow old soon
 * (EXPERIMENTS.md, "Freed mappings, a third time"). */
#define LEAST_BYTES ((size_t)256 * 1024)
#define ALL_BYTES   ((size_t)8 << 20)
enum { LIVE_SHIFT = 2 };
/* However much a program regrets: what it holds at most should it never call again. */
#define REGRET_MOST_BYTES ((size_t)256 << 20)
/* To move fewer can cost as much as their page faults (EXPERIMENTS.md, "Moving pages"). */
#define MOVED_LEAST_BYTES ((size_t)128 * 1024)
/* A system call for each fewer bytes would cost more than it gives back. */
#define MADE_WAY_STEP_BYTES ((size_t)64 * 1024)

struct kept kept;

static void forget(size_t index)
{
    kept.bytes -= kept.mappings[index].bytes;
    kept.count--;
    for (size_t i = index; i < kept.count; i++)
        kept.mappings[i] = kept.mappings[i + 1];
    /* What grew before counts for what was kept meanwhile. */
    if (kept.count == 0)
        kept.grown_bytes = 0;
}

/* Takes `bytes` away from the end of a mapping. */
static void cut_end(size_t index, size_t bytes)
{
    kept.mappings[index].bytes -= bytes;
    kept.bytes -= bytes;
    if (kept.mappings[index].bytes == 0)
        forget(index);
}

/* The same from its start. */
static void cut_start(size_t index, size_t bytes)
{
    kept.mappings[index].start += bytes;
    cut_end(index, bytes);
}

/* Unmaps up to `most` bytes, a multiple of the page, from the end of a mapping; returns how many.
 */
static size_t unmap_end(size_t index, size_t most)
{
    struct kept_mapping mapping = kept.mappings[index];
    size_t bytes = mapping.bytes < most ? mapping.bytes : most;

    cut_end(index, bytes);
    os_unmap((char *)mapping.start + mapping.bytes - bytes, bytes);
    return bytes;
}

/* Unmaps the oldest mapping. */
static size_t unmap_oldest(void)
{
    return unmap_end(0, kept.mappings[0].bytes);
}

/* Unmaps `bytes`, rounded up to the page, or all that is kept, the oldest first; returns how many.
 */
static size_t unmap(size_t bytes)
{
    size_t unmapped = 0;

    bytes = os_round_to_page(bytes);
    while (unmapped < bytes && kept.count > 0)
        unmapped += unmap_end(0, bytes - unmapped);
    return unmapped;
}

static size_t most_beside(size_t live_bytes)
{
    size_t part = live_bytes >> LIVE_SHIFT;
    size_t most = live_bytes;

    if (most > ALL_BYTES)
        most = part > ALL_BYTES ? part : ALL_BYTES;
    if (most < kept.most)
        most = kept.most;
    return most < LEAST_BYTES ? LEAST_BYTES : most;
}

/* New memory is mapped right after as much was unmapped: keeping it would have been better. */
static void regret(size_t bytes, size_t live_bytes)
{
    if (bytes > kept.unmapped_bytes)
        bytes = kept.unmapped_bytes;
    if (bytes == 0)
        return;
    kept.unmapped_bytes -= bytes;
    kept.most = most_beside(live_bytes) + bytes;
    if (kept.most > REGRET_MOST_BYTES)
        kept.most = REGRET_MOST_BYTES;
}

/* Makes one of [*start, *start + *bytes) and the kept mappings right below and above. */
static void merge(uintptr_t *start, size_t *bytes, bool *is_pinned)
{
    for (size_t i = kept.count; i-- > 0;) {
        struct kept_mapping mapping = kept.mappings[i];
        bool is_below = mapping.start + mapping.bytes == *start;
        if (!is_below && *start + *bytes != mapping.start)
            continue;
        if (is_below)
            *start = mapping.start;
        *bytes += mapping.bytes;
        *is_pinned |= mapping.is_pinned;
        forget(i);
    }
}

static void append(uintptr_t start, size_t bytes, bool is_pinned)
{
    if (kept.count == KEPT_MAPPINGS)
        kept.unmapped_bytes += unmap_oldest();
    kept.mappings[kept.count++] = (struct kept_mapping){start, bytes, false, is_pinned};
    kept.bytes += bytes;
}

void kept_put(uintptr_t start, size_t bytes, size_t live_bytes)
{
    size_t most = most_beside(live_bytes);
    bool is_pinned = false;

    if (bytes > most) {
        kept.unmapped_bytes += bytes;
        os_unmap((void *)start, bytes);
        return;
    }
    if (kept.bytes + bytes > most)
        kept.unmapped_bytes += unmap(kept.bytes + bytes - most);
    merge(&start, &bytes, &is_pinned);
    append(start, bytes, is_pinned);
}

/* The smallest mapping of at least `bytes`, else the largest; of those that can be moved and are
 * worth it if it is `to_move`.  KEPT_MAPPINGS where there is none. */
static size_t choose(size_t bytes, bool to_move)
{
    size_t best = KEPT_MAPPINGS, chosen = 0;

    for (size_t i = 0; i < kept.count; i++) {
        size_t mapped = kept.mappings[i].bytes;
        if (to_move && (kept.mappings[i].is_pinned || mapped < MOVED_LEAST_BYTES))
            continue;
        if (chosen < bytes ? mapped > chosen : mapped >= bytes && mapped < chosen) {
            best = i;
            chosen = mapped;
        }
    }
    return best;
}

/* Moves up to `bytes` from the end of a mapping to `target`, and sets *moved to how many: 0 where
 * the kernel refuses. Before Linux 6.17 it does where that is several mappings to it (mremap(2));
 * half of it is perhaps one. False where *moved bytes at `target` are not ours any more. */
static bool move_end(size_t index, size_t bytes, char *target, size_t *moved)
{
    struct kept_mapping *mapping = &kept.mappings[index];
    uintptr_t end = mapping->start + mapping->bytes;

    *moved = mapping->bytes < bytes ? mapping->bytes : bytes;
    for (; *moved >= MOVED_LEAST_BYTES; *moved = os_round_to_page(*moved / 2)) {
        enum os_move_result result = os_move((char *)end - *moved, *moved, target);
        if (result == OS_MOVED)
            cut_end(index, *moved);
        if (result != OS_REFUSED)
            return result == OS_MOVED;
    }
    mapping->is_pinned = true;
    *moved = 0;
    return true;
}

/* A new mapping of `bytes`, to which up to `pieces_most` kept ones have moved; what is left of it
 * holds no memory, and as much of what is kept goes. NULL where none can be moved. */
static void *assemble(size_t bytes, unsigned pieces_most, size_t live_bytes)
{
    char *start = NULL;
    size_t filled = 0, moved, index;

    while (pieces_most > 0 && bytes - filled >= MOVED_LEAST_BYTES &&
           (index = choose(bytes - filled, true)) < KEPT_MAPPINGS) {
        if (!start && !(start = os_map(bytes, 0)))
            return NULL;
        if (!move_end(index, bytes - filled, start + filled, &moved)) {
            os_unmap(start, filled);
            os_unmap(start + filled + moved, bytes - filled - moved);
            return NULL;
        }
        filled += moved;
        pieces_most -= moved > 0;
    }
    if (start)
        kept_replace(bytes - filled, live_bytes);
    return start;
}

void *kept_take(size_t bytes, unsigned pieces_most, size_t live_bytes)
{
    size_t index = choose(bytes, false);
    void *start;

    if (index == KEPT_MAPPINGS)
        return NULL;
    if (kept.mappings[index].bytes >= bytes) {
        start = (void *)kept.mappings[index].start;
        cut_start(index, bytes);
    } else {
        start = assemble(bytes, pieces_most, live_bytes);
    }
    kept.was_reused |= start != NULL;
    return start;
}

/* The smallest mapping that holds `bytes` at a multiple of `align`; KEPT_MAPPINGS where none does,
 * and *gap to what is below them. */
static size_t choose_aligned(size_t bytes, size_t align, size_t *gap)
{
    size_t best = KEPT_MAPPINGS, chosen = SIZE_MAX;

    for (size_t i = 0; i < kept.count; i++) {
        size_t below = (size_t)(-kept.mappings[i].start & (align - 1));
        size_t mapped = kept.mappings[i].bytes;
        if (mapped < chosen && mapped >= bytes && mapped - bytes >= below) {
            best = i;
            chosen = mapped;
            *gap = below;
        }
    }
    return best;
}

void *kept_take_aligned(size_t bytes, size_t align)
{
    size_t gap = 0, index = choose_aligned(bytes, align, &gap);

    if (index == KEPT_MAPPINGS)
        return NULL;
    struct kept_mapping mapping = kept.mappings[index];
    size_t above = mapping.bytes - gap - bytes;
    cut_end(index, mapping.bytes - gap);
    mapping.start += gap;
    if (above > 0)
        append(mapping.start + bytes, above, mapping.is_pinned);
    kept.was_reused = true;
    return (void *)mapping.start;
}

bool kept_take_at(uintptr_t start, size_t bytes)
{
    for (size_t i = 0; i < kept.count; i++) {
        if (kept.mappings[i].start != start)
            continue;
        if (kept.mappings[i].bytes < bytes)
            return false;
        cut_start(i, bytes);
        kept.was_reused = true;
        return true;
    }
    return false;
}

void kept_replace(size_t bytes, size_t live_bytes)
{
    regret(bytes, live_bytes);
    (void)unmap(bytes);
}

/* Costs at most as many page faults as the growth did, which is why wanting it back is no regret.
 */
void kept_make_way(size_t bytes)
{
    size_t most = kept.bytes > kept.most ? kept.bytes - kept.most : 0;

    kept.grown_bytes += bytes;
    size_t due = (kept.grown_bytes < most ? kept.grown_bytes : most) & ~(MADE_WAY_STEP_BYTES - 1);
    while (due > 0 && kept.count > 0 && kept.mappings[0].is_old) {
        size_t given = kept.mappings[0].bytes < due ? kept.mappings[0].bytes : due;
        due -= given;
        kept.grown_bytes -= given;
        (void)unmap_end(0, given);
    }
    if (kept.bytes <= kept.most)
        kept.grown_bytes = 0;
}

size_t kept_decay(bool all)
{
    size_t before = kept.bytes;

    while (kept.count > 0 && (all || kept.mappings[0].is_old))
        (void)unmap_oldest();
    size_t given = before - kept.bytes;
    for (size_t i = 0; i < kept.count; i++)
        kept.mappings[i].is_old = true;
    if (!kept.was_reused)
        kept.most /= 2;
    kept.was_reused = false;
    kept.unmapped_bytes = 0;
    return given;
}
