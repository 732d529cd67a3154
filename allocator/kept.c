#include "allocator/kept.h"

#include "allocator/kept_bounds.h"
#include "allocator/shared.h"

/* And so much more until kept_settle (EXPERIMENTS.md, "Freed mappings, for a moment"). */
#define MOMENT_BYTES ((size_t)512 * 1024)
/* The bound stays while in each interval so much of it is taken. */
enum { REUSED_SHIFT = 2 };
/* To move fewer can cost as much as their page faults (EXPERIMENTS.md, "Moving pages"). */
#define MOVED_LEAST_BYTES ((size_t)64 * 1024)
/* A system call for each fewer bytes would cost more than it gives back. */
#define MADE_WAY_STEP_BYTES ((size_t)64 * 1024)

struct mapping {
    struct kept_range range;
    uint32_t number; /* the later it came the higher */
    bool is_old;     /* was kept already at the last kept_decay, most of it */
    bool is_pinned;  /* the kernel refused to move some of it */
    bool is_guest;   /* of an object that is too large to be kept longer than until kept_settle */
};

struct places large_places;

/* Of each set the first kept->count, in the order of their addresses. */
static struct mapping all_mappings[KEPT_SETS][KEPT_MAPPINGS] COLD_DATA;

static struct mapping *mapping_of(const struct kept *kept, size_t index)
{
    return &all_mappings[kept->set][index];
}

static struct kept_range *range_of(struct kept *kept, size_t index)
{
    return &mapping_of(kept, index)->range;
}

uint32_t kept_new_id(struct kept *kept, bool is_huge)
{
    uint32_t id = ++kept->last_id & ~(KEPT_SHARED | KEPT_HUGE);

    return is_huge ? id | KEPT_HUGE : id;
}

static void forget(struct kept *kept, size_t index)
{
    kept->bytes -= range_of(kept, index)->bytes;
    kept->count--;
    for (size_t i = index; i < kept->count; i++)
        *mapping_of(kept, i) = *mapping_of(kept, i + 1);
    /* What grew before counts for what was kept meanwhile. */
    if (kept->count == 0)
        kept->grown_bytes = 0;
}

/* Takes `bytes` away from the end of a mapping. */
static void cut_end(struct kept *kept, size_t index, size_t bytes)
{
    range_of(kept, index)->bytes -= bytes;
    kept->bytes -= bytes;
    if (range_of(kept, index)->bytes == 0)
        forget(kept, index);
}

/* The same from its start. */
static void cut_start(struct kept *kept, size_t index, size_t bytes)
{
    range_of(kept, index)->start += bytes;
    cut_end(kept, index, bytes);
}

/* What may be unmapped of a range: all, but of shared huge pages those that nobody uses. */
static struct kept_range whole_of(struct kept *kept, size_t index)
{
    struct kept_range range = *range_of(kept, index);

    return kept_is_shared(range.id) ? shared_unused(range) : range;
}

/* What may be unmapped of all of them. */
static size_t whole_bytes(struct kept *kept)
{
    size_t bytes = 0;

    if (!shared_is_used())
        return kept->bytes;
    for (size_t i = 0; i < kept->count; i++)
        bytes += whole_of(kept, i).bytes;
    return bytes;
}

static void insert(struct kept *kept, struct mapping mapping);

/* Unmaps `bytes` of a range from `low` on; returns how many. */
static size_t unmap_part(struct kept *kept, size_t index, uintptr_t low, size_t bytes)
{
    struct mapping above = *mapping_of(kept, index);
    uintptr_t end = above.range.start + above.range.bytes;

    above.range.start = low + bytes;
    above.range.bytes = end - above.range.start;
    cut_end(kept, index, end - low);
    os_unmap((void *)low, bytes);
    if (kept_is_shared(above.range.id))
        shared_unmapped((struct kept_range){low, bytes, above.range.id});
    if (above.range.bytes > 0)
        insert(kept, above);
    return bytes;
}

static size_t unmap_all_of(struct kept *kept, size_t index)
{
    return unmap_part(kept, index, range_of(kept, index)->start, range_of(kept, index)->bytes);
}

/* Unmaps up to `most` bytes, a multiple of the page, from the end of what may be unmapped of a
 * range; of shared huge pages whole ones, and all where no more than one would be left.  Returns
 * how many. */
static size_t unmap_end(struct kept *kept, size_t index, size_t most)
{
    struct kept_range whole = whole_of(kept, index);
    size_t step = kept_is_shared(whole.id) ? OS_HUGE_BYTES : 0;
    uintptr_t end = whole.start + whole.bytes, low = whole.start;

    if (whole.bytes > most && whole.bytes - most > step)
        low = step ? (end - most) & ~(step - 1) : end - most;
    return unmap_part(kept, index, low, end - low);
}

/* The one that came first of those that may be unmapped; KEPT_MAPPINGS where there is none. */
static size_t oldest(struct kept *kept)
{
    size_t best = KEPT_MAPPINGS;

    for (size_t i = 0; i < kept->count; i++)
        if ((best == KEPT_MAPPINGS ||
             mapping_of(kept, i)->number < mapping_of(kept, best)->number) &&
            whole_of(kept, i).bytes > 0)
            best = i;
    return best;
}

/* The smallest, of those first that are in no shared huge page. */
static size_t smallest(struct kept *kept)
{
    size_t best = 0;

    for (size_t i = 1; i < kept->count; i++) {
        bool is_shared = kept_is_shared(range_of(kept, i)->id);
        bool is_best_shared = kept_is_shared(range_of(kept, best)->id);
        if (is_shared != is_best_shared ? is_best_shared
                                        : range_of(kept, i)->bytes < range_of(kept, best)->bytes)
            best = i;
    }
    return best;
}

/* Unmaps `bytes`, rounded up to the page, or all that is kept, what came first first; returns how
 * many. */
static size_t unmap(struct kept *kept, size_t bytes)
{
    size_t unmapped = 0, index;

    bytes = os_round_to_page(bytes);
    while (unmapped < bytes && (index = oldest(kept)) < KEPT_MAPPINGS)
        unmapped += unmap_end(kept, index, bytes - unmapped);
    return unmapped;
}

/* Whether a range and the one above it are side by side. */
static bool are_neighbours(const struct kept_range *below, const struct kept_range *above)
{
    return below->start + below->bytes == above->start;
}

/* Makes one of a range and the kept ones of the same mapping right below and above it; it is as old
 * as most of it. */
static struct mapping merge(struct kept *kept, struct kept_range freed, bool is_guest)
{
    struct mapping merged = {.range = freed, .number = ++kept->last_number, .is_guest = is_guest};
    size_t old_bytes = 0;

    for (size_t i = kept->count; i-- > 0;) {
        struct mapping mapping = *mapping_of(kept, i);
        bool is_below = are_neighbours(&mapping.range, &merged.range);
        if (mapping.range.id != freed.id ||
            !(is_below || are_neighbours(&merged.range, &mapping.range)))
            continue;
        if (is_below)
            merged.range.start = mapping.range.start;
        merged.range.bytes += mapping.range.bytes;
        old_bytes += mapping.is_old ? mapping.range.bytes : 0;
        merged.is_pinned |= mapping.is_pinned;
        merged.is_guest |= mapping.is_guest;
        forget(kept, i);
    }
    merged.is_old = old_bytes > merged.range.bytes / 2;
    return merged;
}

/* Puts a mapping at its place; the smallest goes where there are too many. */
static void insert(struct kept *kept, struct mapping mapping)
{
    if (kept->count == KEPT_MAPPINGS)
        kept->unmapped_bytes += unmap_all_of(kept, smallest(kept));
    size_t at = kept->count++;
    for (; at > 0 && range_of(kept, at - 1)->start > mapping.range.start; at--)
        *mapping_of(kept, at) = *mapping_of(kept, at - 1);
    *mapping_of(kept, at) = mapping;
    kept->bytes += mapping.range.bytes;
}

void kept_put(struct kept *kept, struct kept_range freed, size_t freed_bytes, size_t live_bytes)
{
    size_t worth = kept_most_beside(kept, live_bytes), most = worth + MOMENT_BYTES;

    if (kept_is_shared(freed.id)) {
        shared_use(freed, false);
        insert(kept, merge(kept, freed, false));
    } else if (freed_bytes > most) {
        kept->unmapped_bytes += freed.bytes;
        os_unmap((void *)freed.start, freed.bytes);
    } else {
        size_t bytes = kept->bytes + freed.bytes;
        if (bytes > most)
            kept->unmapped_bytes += unmap(kept, bytes - most);
        insert(kept, merge(kept, freed, freed_bytes > worth));
    }
    if (shared_is_used() && kept->bytes > most)
        kept->unmapped_bytes += unmap(kept, kept->bytes - most);
    kept->is_over |= kept->bytes > worth;
}

void kept_settle(struct kept *kept, size_t live_bytes)
{
    /* Nor is there a guest then. */
    if (!kept->is_over)
        return;
    kept->is_over = false;
    size_t most = kept_most_beside(kept, live_bytes);
    bool has_room = kept->bytes <= most;
    for (size_t i = kept->count; i-- > 0;) {
        if (has_room)
            mapping_of(kept, i)->is_guest = false;
        else if (mapping_of(kept, i)->is_guest)
            kept->unmapped_bytes += unmap_all_of(kept, i);
    }
    if (kept->bytes > most)
        kept->unmapped_bytes += unmap(kept, kept->bytes - most);
}

bool kept_add_shared(struct kept *kept, size_t live_bytes)
{
    struct kept_range page = shared_new_page();

    if (page.bytes == 0)
        return false;
    kept_replace(kept, OS_HUGE_BYTES, 0, live_bytes);
    insert(kept, merge(kept, page, false));
    return true;
}

/* How many ranges from `index` on, side by side and at most `most`, hold `bytes`, and *held to what
 * they hold; 0 where they do not. */
static unsigned count_run(struct kept *kept, size_t index, size_t bytes, unsigned most,
                          size_t *held)
{
    *held = 0;
    for (unsigned count = 0; count < most && index < kept->count; count++, index++) {
        if (count > 0 && !are_neighbours(range_of(kept, index - 1), range_of(kept, index)))
            return 0;
        *held += range_of(kept, index)->bytes;
        if (*held >= bytes)
            return count + 1;
    }
    return 0;
}

/* The run of the fewest ranges that hold `bytes`, and of those the smallest; *count of them, 0
 * where there is none. */
static size_t choose_run(struct kept *kept, size_t bytes, unsigned most, unsigned *count)
{
    size_t best = 0, least = SIZE_MAX, held;

    *count = 0;
    for (size_t i = 0; i < kept->count; i++) {
        unsigned ranges = count_run(kept, i, bytes, *count ? *count : most, &held);
        if (ranges == 0 || (ranges == *count && held >= least))
            continue;
        best = i;
        least = held;
        *count = ranges;
    }
    return best;
}

/* The smallest range of at least `bytes`, else the largest, of those that can be moved and are
 * worth it; KEPT_MAPPINGS where there is none. */
static size_t choose_to_move(struct kept *kept, size_t bytes)
{
    size_t best = KEPT_MAPPINGS, chosen = 0;

    for (size_t i = 0; i < kept->count; i++) {
        size_t mapped = range_of(kept, i)->bytes;
        if (mapping_of(kept, i)->is_pinned || mapped < MOVED_LEAST_BYTES ||
            kept_is_shared(range_of(kept, i)->id))
            continue;
        if (chosen < bytes ? mapped > chosen : mapped >= bytes && mapped < chosen) {
            best = i;
            chosen = mapped;
        }
    }
    return best;
}

/* A range that was kept, or part of a new mapping, is an object's now. */
static void use(struct kept_range taken)
{
    if (kept_is_shared(taken.id))
        shared_use(taken, true);
}

static void add_piece(struct kept_pieces *pieces, char *start, size_t bytes, uint32_t id)
{
    struct kept_range piece = {(uintptr_t)start, bytes, id};

    use(piece);
    pieces->ranges[pieces->count++] = piece;
}

/* Moves up to `bytes` from the end of a kept range to `target`, and adds them to the pieces if the
 * kernel does not refuse; false where the bytes at `target`, *moved of them, are not ours any more.
 */
static bool move_end(struct kept *kept, size_t index, size_t bytes, char *target,
                     struct kept_pieces *pieces, size_t *moved)
{
    struct kept_range range = *range_of(kept, index);

    *moved = range.bytes < bytes ? range.bytes : bytes;
    enum os_move_result result =
        os_move((char *)range.start + range.bytes - *moved, *moved, target);
    if (result == OS_MOVED) {
        cut_end(kept, index, *moved);
        add_piece(pieces, target, *moved, kept_new_id(kept, kept_is_huge(range.id)));
        return true;
    }
    mapping_of(kept, index)->is_pinned = true;
    if (result == OS_TORN)
        return false;
    *moved = 0;
    return true;
}

/* A new mapping of `bytes`, to which kept pages move; what is left of it holds no memory, and as
 * much of what is kept goes. NULL where none can be moved. */
static void *assemble(struct kept *kept, size_t bytes, unsigned pieces_most, size_t live_bytes,
                      struct kept_pieces *pieces)
{
    char *start = NULL;
    size_t filled = 0, moved, index;

    /* One is for what is left. */
    while (pieces->count + 1 < pieces_most && bytes - filled >= MOVED_LEAST_BYTES &&
           (index = choose_to_move(kept, bytes - filled)) < KEPT_MAPPINGS) {
        if (!start && !(start = os_map(bytes, 0)))
            return NULL;
        if (!move_end(kept, index, bytes - filled, start + filled, pieces, &moved)) {
            os_unmap(start, filled);
            os_unmap(start + filled + moved, bytes - filled - moved);
            return NULL;
        }
        filled += moved;
    }
    kept->moved_bytes += filled;
    if (!start)
        return NULL;
    if (filled < bytes)
        add_piece(pieces, start + filled, bytes - filled, kept_new_id(kept, false));
    kept_replace(kept, bytes - filled, 0, live_bytes);
    return start;
}

/* Takes `bytes` from the start of the `count` ranges from `index` on. */
static void *cut_run(struct kept *kept, size_t index, unsigned count, size_t bytes,
                     struct kept_pieces *pieces)
{
    char *start = (char *)range_of(kept, index)->start;

    while (count-- > 0) {
        struct kept_range range = *range_of(kept, index);
        size_t taken = range.bytes < bytes ? range.bytes : bytes;
        /* Where all of it is taken the next one moves here. */
        cut_start(kept, index, taken);
        add_piece(pieces, (char *)range.start, taken, range.id);
        bytes -= taken;
    }
    return start;
}

void *kept_take(struct kept *kept, size_t bytes, unsigned pieces_most, size_t live_bytes,
                struct kept_pieces *pieces)
{
    unsigned count;
    size_t index = choose_run(kept, bytes, pieces_most, &count);
    void *start;
    size_t missed = kept_missed_bytes(kept, bytes, live_bytes);

    pieces->count = 0;
    if (count > 0)
        start = cut_run(kept, index, count, bytes, pieces);
    else if (kept_is_slack(kept, kept->bytes + bytes, live_bytes))
        start = NULL;
    else
        start = assemble(kept, bytes, pieces_most, live_bytes, pieces);
    if (start) {
        kept->reused_bytes += bytes;
        kept_raise_most(kept, missed, live_bytes);
    }
    return start;
}

/* The smallest mapping, or of those in small pages, that holds `bytes` at a multiple of `align`;
 * KEPT_MAPPINGS where none does, and *gap to what is below them. */
static size_t choose_aligned(struct kept *kept, size_t bytes, size_t align, bool may_be_huge,
                             size_t *gap)
{
    size_t best = KEPT_MAPPINGS, chosen = SIZE_MAX;

    for (size_t i = 0; i < kept->count; i++) {
        size_t below = (size_t)(-range_of(kept, i)->start & (align - 1));
        size_t mapped = range_of(kept, i)->bytes;
        if (mapped < chosen && mapped >= bytes && mapped - bytes >= below &&
            (may_be_huge || !kept_is_huge(range_of(kept, i)->id))) {
            best = i;
            chosen = mapped;
            *gap = below;
        }
    }
    return best;
}

void *kept_take_aligned(struct kept *kept, size_t bytes, size_t align, struct kept_pieces *pieces)
{
    size_t gap = 0, index = choose_aligned(kept, bytes, align, true, &gap);

    pieces->count = 0;
    if (index == KEPT_MAPPINGS)
        return NULL;
    struct mapping mapping = *mapping_of(kept, index);
    char *start = (char *)mapping.range.start + gap;
    size_t above = mapping.range.bytes - gap - bytes;
    cut_end(kept, index, mapping.range.bytes - gap);
    if (above > 0) {
        mapping.range.start = (uintptr_t)start + bytes;
        mapping.range.bytes = above;
        insert(kept, mapping);
    }
    add_piece(pieces, start, bytes, mapping.range.id);
    kept->reused_bytes += bytes;
    return start;
}

void *kept_take_empty(struct kept *kept, size_t bytes, struct kept_pieces *pieces, bool *is_fresh)
{
    size_t gap, index = choose_aligned(kept, bytes, os_page_bytes(), false, &gap);

    pieces->count = 0;
    if (index == KEPT_MAPPINGS)
        return NULL;
    void *start = cut_run(kept, index, 1, bytes, pieces);
    kept->reused_bytes += bytes;
    *is_fresh = os_purge(start, bytes);
    return start;
}

bool kept_take_at(struct kept *kept, uintptr_t start, size_t bytes, uint32_t id)
{
    for (size_t i = 0; i < kept->count; i++) {
        struct kept_range range = *range_of(kept, i);
        if (range.start != start || range.id != id || range.bytes < bytes)
            continue;
        cut_start(kept, i, bytes);
        use((struct kept_range){start, bytes, id});
        kept->reused_bytes += bytes;
        return true;
    }
    return false;
}

void kept_replace(struct kept *kept, size_t bytes, size_t room, size_t live_bytes)
{
    kept_regret(kept, bytes + room, live_bytes);
    if (!kept_is_slack(kept, kept->bytes + bytes, live_bytes))
        (void)unmap(kept, bytes);
}

/* Costs at most as many page faults as the growth did, which is why wanting it back is no regret.
 */
void kept_make_way(struct kept *kept, size_t bytes)
{
    size_t whole = whole_bytes(kept), most = whole > kept->most ? whole - kept->most : 0;

    kept->grown_bytes += bytes;
    size_t due = (kept->grown_bytes < most ? kept->grown_bytes : most) & ~(MADE_WAY_STEP_BYTES - 1);
    for (size_t i = 0; i < kept->count && due > 0;) {
        if (!mapping_of(kept, i)->is_old || whole_of(kept, i).bytes == 0) {
            i++;
            continue;
        }
        size_t given = unmap_end(kept, i, due);
        due -= given < due ? given : due;
        kept->grown_bytes -= given < kept->grown_bytes ? given : kept->grown_bytes;
    }
    if (whole_bytes(kept) <= kept->most)
        kept->grown_bytes = 0;
}

/* Unmaps up to `most` bytes of the old mappings, or of all; the others get old. */
static void age(struct kept *kept, size_t most, bool all)
{
    for (size_t i = 0; i < kept->count;) {
        if ((all || mapping_of(kept, i)->is_old) && most > 0 && whole_of(kept, i).bytes > 0) {
            size_t given = unmap_end(kept, i, most);
            most -= given < most ? given : most;
        } else {
            mapping_of(kept, i++)->is_old = true;
        }
    }
}

void kept_give_some(struct kept *kept, size_t most)
{
    age(kept, os_round_to_page(most), false);
}

size_t kept_decay(struct kept *kept, bool all)
{
    size_t before = kept->bytes;

    age(kept, SIZE_MAX, all);
    if (kept->reused_bytes <= kept->most >> REUSED_SHIFT)
        kept->most /= 2;
    kept->reused_bytes = 0;
    kept->moved_bytes /= 2;
    kept->unmapped_bytes = 0;
    return before - kept->bytes;
}
