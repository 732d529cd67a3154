#include "allocator/block.h"

#include <string.h>

#include "allocator/fault.h"

/* Free units inside a block go back to the zone at once from so many on, 512 KiB. Fewer stay until
 * slabs want them or block_decay finds them idle: a heap of blocks that are replaced all the time
 * keeps its memory so, and the zone stays free of small runs (EXPERIMENTS.md, "Giving units back
 * from the block heap, again"). */
enum { RELEASE_UNITS = 64 };
/* Beyond need it grows to so many at a time, 128 KiB: of single units with slabs in between each
 * would lose what no block fits in, half of it for blocks of a page (EXPERIMENTS.md, "Blocks and
 * slabs in turn"). */
enum { GROW_MOST_UNITS = 16 };
/* What block_purge_long purges. */
#define LONG_BYTES ((size_t)128 * 1024)
/* A private heap grows by 64 KiB, like the zone. */
enum { PRIVATE_LEAST_UNITS = MEM_BRK_INCREMENT >> UNIT_SHIFT };

/* A free block that fills a segment of so many units. */
#define SEGMENT_BYTES(units) ((units)*UNIT_BYTES - 2 * BLOCK_TAG_BYTES)

/* The block may be in use, and its user read the size beside the flag at this moment. */
static void set_previous_used(struct block *block, bool is_used_now)
{
    size_t tag = block->tag & ~(size_t)BLOCK_TAG_PREVIOUS_USED;

    __atomic_store_n(&block->tag, is_used_now ? tag | BLOCK_TAG_PREVIOUS_USED : tag,
                     __ATOMIC_RELAXED);
}

/* --- blocks --------------------------------------------------------------------------------- */

/* Puts a free block of which the next one knows into the index; the block before must be in use. */
static inline void put_free(struct block_heap *heap, struct block *block, size_t size)
{
    block->tag = size | BLOCK_TAG_PREVIOUS_USED;
    *block_footer_before(block_at(block, size)) = size;
    block_index_insert(&heap->free, block, size);
}

/* Makes [block, block + size) a free block in the index; the block before must be in use. */
static void become_free(struct block_heap *heap, struct block *block, size_t size)
{
    set_previous_used(block_at(block, size), false);
    put_free(heap, block, size);
}

/* Makes the first `size` bytes of a free block, which is not in the index, a used one, and what is
 * left a free one where it can be a block. */
static inline void carve(struct block_heap *heap, struct block *block, size_t size)
{
    size_t rest = block_bytes(block) - size;

    if (rest < MEM_MIN_BLOCK_SIZE) {
        set_previous_used(block_after(block), true);
        size += rest;
    } else {
        size_t purged = block->tag & BLOCK_TAG_PURGED;
        put_free(heap, block_at(block, size), rest);
        block_at(block, size)->tag |= purged;
        heap->splits++;
    }
    block->tag = size | BLOCK_TAG_USED | BLOCK_TAG_PREVIOUS_USED;
}

/* Cuts a used block down to `size` and frees the rest, if the rest can be a block. */
static void split(struct block_heap *heap, struct block *block, size_t size)
{
    size_t rest = block_bytes(block) - size;

    if (rest < MEM_MIN_BLOCK_SIZE)
        return;
    block->tag -= rest;
    struct block *tail = block_after(block);
    struct block *next = block_at(tail, rest);
    if (!block_is_used(next)) {
        block_index_remove(&heap->free, next);
        rest += block_bytes(next);
        heap->coalesces++;
    }
    become_free(heap, tail, rest);
    heap->splits++;
}

static void check_free(const struct block *block, size_t footer)
{
    if (block_is_used(block) || block_bytes(block) != footer)
        fault_die("heap corrupted: the end of a free block was overwritten", block_payload(block));
}

/* Merges a block that is no longer used with its free neighbours, all out of the index, and tells
 * the next one of it. */
static inline struct block *coalesce(struct block_heap *heap, struct block *block)
{
    size_t size = block_bytes(block);
    struct block *next = block_after(block);

    if (!block_is_used(next)) {
        block_index_remove(&heap->free, next);
        size += block_bytes(next);
        heap->coalesces++;
    } else {
        set_previous_used(next, false);
    }
    if (!(block->tag & BLOCK_TAG_PREVIOUS_USED)) {
        size_t footer = *block_footer_before(block);
        block = block_at(block, -footer);
        check_free(block, footer);
        block_index_remove(&heap->free, block);
        size += footer;
        heap->coalesces++;
    }
    block->tag = size | BLOCK_TAG_PREVIOUS_USED;
    return block;
}

/* --- segments ------------------------------------------------------------------------------- */

static void put_end(char *end)
{
    block_at(end, -(size_t)BLOCK_TAG_BYTES)->tag = BLOCK_TAG_USED | BLOCK_TAG_PREVIOUS_USED;
}

static void give_units(void *start, size_t units)
{
    lock_take(&zone.lock);
    zone_give(start, units);
    lock_drop(&zone.lock);
}

/* Makes fresh units [start, end) one free block, merged with what is free beside them, and
 * returns it, in no list. */
static struct block *adopt_units(struct block_heap *heap, char *start, char *end)
{
    /* The end word of the segment before becomes the tag of the new block; in a segment of its
     * own the first word is padding. */
    bool follows = block_is_segment(heap, start - UNIT_BYTES);
    bool precedes = block_is_segment(heap, end);
    struct block *block = block_at(start, follows ? -(size_t)BLOCK_TAG_BYTES : BLOCK_TAG_BYTES);
    size_t flags = follows ? block->tag & BLOCK_TAG_PREVIOUS_USED : BLOCK_TAG_PREVIOUS_USED;
    char *limit = precedes ? end + BLOCK_TAG_BYTES : end - BLOCK_TAG_BYTES;

    if (!precedes)
        put_end(end);
    block->tag = (size_t)(limit - (char *)block) | flags | BLOCK_TAG_USED;
    return coalesce(heap, block);
}

/* Makes fresh units of a private heap a segment of one free block, in no list. */
static struct block *grow_private(struct block_heap *heap, size_t size)
{
    size_t room = size + sizeof(struct block_segment) + 2 * BLOCK_TAG_BYTES;
    size_t units = (room + UNIT_BYTES - 1) >> UNIT_SHIFT;

    if (units < PRIVATE_LEAST_UNITS)
        units = PRIVATE_LEAST_UNITS;
    struct block_segment *segment = zone_take_run(units, UNIT_PRIVATE);
    if (!segment)
        return NULL;
    *segment = (struct block_segment){heap->segments, units};
    heap->segments = segment;
    char *end = (char *)segment + (units << UNIT_SHIFT);
    put_end(end);
    struct block *block = block_at(segment, sizeof *segment + BLOCK_TAG_BYTES);
    block->tag = (size_t)(end - BLOCK_TAG_BYTES - (char *)block) | BLOCK_TAG_PREVIOUS_USED;
    set_previous_used(block_after(block), false);
    return block;
}

static struct block *grow(struct block_heap *heap, size_t size)
{
    if (heap->is_private)
        return grow_private(heap, size);

    size_t needed = (size + 2 * BLOCK_TAG_BYTES + UNIT_BYTES - 1) >> UNIT_SHIFT, units = needed;
    bool is_long;
    char *start = zone_take_for_arena(&units, GROW_MOST_UNITS, heap->arena, &is_long);

    if (!start)
        return NULL;
    char *end = start + (units << UNIT_SHIFT);
    heap->grown_end = units > needed ? end : NULL;
    struct block *block = adopt_units(heap, start, end);
    if (is_long)
        zone_note_long(start, (size_t)((char *)block + size - start));
    return block;
}

/* Gives the whole units inside a free block, which is in no list, back to the zone if they are at
 * least `least`; what is left of the block at either end becomes free blocks of their own.  Returns
 * false where the block becomes free as it is. */
static bool release_units(struct block_heap *heap, struct block *block, size_t least)
{
    char *start = (char *)block;
    char *end = (char *)block_after(block);
    char *low = zone_address(zone_unit(start - BLOCK_TAG_BYTES + UNIT_BYTES - 1));
    char *high = zone_address(zone_unit(end + BLOCK_TAG_BYTES));
    bool is_first = low + BLOCK_TAG_BYTES == start && !block_is_segment(heap, low - UNIT_BYTES);
    bool is_last = high - BLOCK_TAG_BYTES == end && !block_is_segment(heap, high);

    /* A remainder below needs room for a block and the segment's end word, or for the end word
     * alone; one above likewise, with the padding word. */
    if (!is_first && low - BLOCK_TAG_BYTES != start &&
        low - BLOCK_TAG_BYTES - start < (ptrdiff_t)MEM_MIN_BLOCK_SIZE)
        low += UNIT_BYTES;
    if (!is_last && high + BLOCK_TAG_BYTES != end &&
        end - high - BLOCK_TAG_BYTES < (ptrdiff_t)MEM_MIN_BLOCK_SIZE)
        high -= UNIT_BYTES;
    if (low >= high || (size_t)(high - low) < least * UNIT_BYTES) {
        become_free(heap, block, (size_t)(end - start));
        return false;
    }
    if (!is_first) {
        put_end(low);
        if (low - BLOCK_TAG_BYTES > start)
            become_free(heap, block, (size_t)(low - BLOCK_TAG_BYTES - start));
    }
    if (!is_last) {
        struct block *rest = block_at(high, BLOCK_TAG_BYTES);
        if ((char *)rest < end)
            become_free(heap, rest, (size_t)(end - (char *)rest));
        else
            set_previous_used(rest, true);
    }
    give_units(low, (size_t)(high - low) >> UNIT_SHIFT);
    return true;
}

/* --- the layer's functions ------------------------------------------------------------------ */

/* Takes a free block of at least `size` out of the index, or from the zone where there is none. */
static inline struct block *obtain(struct block_heap *heap, size_t size, bool may_grow)
{
    struct block *block = block_index_find(&heap->free, size);

    if (block)
        block_index_remove(&heap->free, block);
    else if (may_grow)
        block = grow(heap, size);
    return block;
}

/* Cuts a used block so that its payload starts at a multiple of `align`. */
static struct block *align_payload(struct block_heap *heap, struct block *block, size_t align)
{
    size_t gap = (size_t)(-(uintptr_t)block_payload(block) & (align - 1));

    if (gap == 0)
        return block;
    while (gap < MEM_MIN_BLOCK_SIZE)
        gap += align;
    struct block *aligned = block_at(block, gap);
    aligned->tag = (block_bytes(block) - gap) | BLOCK_TAG_USED;
    become_free(heap, block, gap);
    heap->splits++;
    return aligned;
}

/* Larger ones are counted, too, though nobody asks for them: whether a block is one nobody can
 * predict. */
static void count_used(struct block_heap *heap, const struct block *block, int change)
{
    const size_t others = BLOCK_COUNTED_BYTES / MEM_ALIGNMENT + 1;
    size_t index = block_bytes(block) / MEM_ALIGNMENT;

    heap->used_counts[index < others ? index : others] += (unsigned)change;
}

size_t block_live_bytes(const struct block_heap *heap, size_t least, size_t most)
{
    size_t last = block_size_for(most), sum = 0;

    for (size_t size = block_size_for(least); size <= last; size += MEM_ALIGNMENT)
        sum += size * heap->used_counts[size / MEM_ALIGNMENT];
    return sum;
}

static struct block *alloc_aligned(struct block_heap *heap, size_t size, size_t align,
                                   bool may_grow)
{
    struct block *block = obtain(heap, size + align + MEM_MIN_BLOCK_SIZE, may_grow);

    if (!block)
        return NULL;
    carve(heap, block, block_bytes(block));
    block = align_payload(heap, block, align);
    split(heap, block, size);
    return block;
}

void *block_alloc(struct block_heap *heap, size_t bytes, size_t align, bool may_grow)
{
    size_t size = block_size_for(bytes);
    struct block *block;

    if (__builtin_expect(align > MEM_ALIGNMENT, 0)) {
        block = alloc_aligned(heap, size, align, may_grow);
        if (!block)
            return NULL;
    } else {
        block = obtain(heap, size, may_grow);
        if (!block)
            return NULL;
        carve(heap, block, size);
    }
    count_used(heap, block, 1);
    return block_payload(block);
}

/* Returns the live block of `payload`, or aborts: a wrong pointer or a tag that somebody wrote
 * over must not be followed any further. */
static inline struct block *live_block(const void *payload)
{
    struct block *block = block_of(payload);

    if ((uintptr_t)payload & (MEM_ALIGNMENT - 1))
        fault_die("invalid pointer", payload);
    if (!block_is_used(block))
        fault_die("double free or invalid pointer", payload);
    if (block_bytes(block) < MEM_MIN_BLOCK_SIZE || !zone_is_block(zone_kind(block_after(block))))
        fault_die("heap corrupted or invalid pointer: impossible block size", payload);
    if (!(block_after(block)->tag & BLOCK_TAG_PREVIOUS_USED))
        fault_die("heap corrupted or invalid pointer: the end of a block was overwritten", payload);
    return block;
}

size_t block_free(struct block_heap *heap, void *payload)
{
    struct block *block = live_block(payload);
    size_t usable = block_bytes(block) - BLOCK_TAG_BYTES;

    count_used(heap, block, -1);
    /* Cleared also where the tag ends up inside a larger free block: a second free of the same
     * address finds it. */
    block->tag &= ~(size_t)BLOCK_TAG_USED;
    block = coalesce(heap, block);
    if (block_bytes(block) >= RELEASE_UNITS * UNIT_BYTES && !heap->is_private)
        (void)release_units(heap, block, RELEASE_UNITS);
    else
        put_free(heap, block, block_bytes(block));
    return usable;
}

bool block_resize(struct block_heap *heap, void *payload, size_t bytes)
{
    struct block *block = live_block(payload);
    size_t size = block_size_for(bytes);
    struct block *next = block_after(block);

    if (size > block_bytes(block) &&
        (block_is_used(next) || block_bytes(block) + block_bytes(next) < size))
        return false;
    count_used(heap, block, -1);
    if (size > block_bytes(block)) {
        block_index_remove(&heap->free, next);
        block->tag += block_bytes(next);
        set_previous_used(block_after(block), true);
        heap->coalesces++;
    }
    split(heap, block, size);
    count_used(heap, block, 1);
    return true;
}

size_t block_usable(const void *payload)
{
    size_t size = block_size_if_used(payload);

    if (size < MEM_MIN_BLOCK_SIZE)
        fault_die("invalid pointer", payload);
    return size - BLOCK_TAG_BYTES;
}

/* Has the whole pages of a free block purged that hold neither its links nor its footer. */
static size_t purge_inside(struct block *block, struct os_purge *purge)
{
    size_t page = os_page_bytes();
    uintptr_t start = (uintptr_t)(block_node(block) + 1);
    uintptr_t end = (uintptr_t)block_footer_before(block_after(block));

    start = (start + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (start >= end || (block->tag & BLOCK_TAG_PURGED))
        return 0;
    block->tag |= BLOCK_TAG_PURGED;
    zone_look_at_long((void *)start, end - start);
    os_purge_add(purge, (void *)start, end - start);
    return end - start;
}

/* Gives the units of a free block in the index to the zone where that frees more pages than purging
 * the block's inside would: the words that end and start segments occupy a page each.  Returns
 * false where the block is still in the index. */
static bool give_idle_units(struct block_heap *heap, struct block *block)
{
    uintptr_t start = (uintptr_t)block - BLOCK_TAG_BYTES;
    uintptr_t end = (uintptr_t)block_after(block) + BLOCK_TAG_BYTES;
    bool fills_units = ((start | end) & (UNIT_BYTES - 1)) == 0;

    if (!fills_units && end - start < 4 * UNIT_BYTES)
        return false;
    block_index_remove(&heap->free, block);
    return release_units(heap, block, 1);
}

static size_t return_memory(struct block_heap *heap, struct block *block, struct os_purge *purge)
{
    return give_idle_units(heap, block) ? 0 : purge_inside(block, purge);
}

static size_t return_idle(struct block_heap *heap, struct block *block, struct os_purge *purge)
{
    if (block->tag & BLOCK_TAG_IDLE)
        return return_memory(heap, block, purge);
    block->tag |= BLOCK_TAG_IDLE;
    return 0;
}

/* The tree, where lists are counted. */
enum { BLOCK_TREE = BLOCK_LISTS };

static struct block *first_free(const struct block_heap *heap, unsigned list)
{
    return list < BLOCK_TREE ? heap->free.lists[list] : block_of_node(tree_first(heap->free.tree));
}

static struct block *next_free(const struct block_heap *heap, unsigned list, struct block *block)
{
    return list < BLOCK_TREE ? block->next
                             : block_of_node(tree_after(heap->free.tree, block_node(block)));
}

/* Calls `visit`, which may take a block out of the index, for up to `most` free blocks that may
 * hold a whole page, and adds up what it returns; begins with the list after the one with which the
 * last call ended. */
static size_t visit_free(struct block_heap *heap, size_t most,
                         size_t (*visit)(struct block_heap *heap, struct block *block,
                                         struct os_purge *purge))
{
    const unsigned first = block_list(os_page_bytes()), count = BLOCK_TREE + 1 - first;
    struct os_purge purge;
    struct block *next;
    size_t sum = 0;

    purge.count = 0;
    for (unsigned i = 0; i < count && most > 0; i++, heap->lists_visited++) {
        unsigned list = first + heap->lists_visited % count;
        for (struct block *block = first_free(heap, list); block && most > 0; block = next) {
            next = next_free(heap, list, block);
            sum += visit(heap, block, &purge);
            most--;
        }
    }
    os_purge_finish(&purge);
    return sum;
}

size_t block_trim(struct block_heap *heap)
{
    size_t bytes = visit_free(heap, SIZE_MAX, return_memory);

    /* And what is left beside the units that went. */
    return bytes + visit_free(heap, SIZE_MAX, return_memory);
}

void block_decay(struct block_heap *heap, size_t most)
{
    (void)visit_free(heap, most, return_idle);
}

size_t block_purge_long(struct block_heap *heap, size_t bytes)
{
    struct block *block = block_of_node(tree_at_least(heap->free.tree, LONG_BYTES));
    struct os_purge purge = {.count = 0};
    size_t purged = 0;

    for (; block && purged < bytes; block = next_free(heap, BLOCK_TREE, block))
        purged += purge_inside(block, &purge);
    os_purge_finish(&purge);
    return purged;
}

/* Whether a free block is a whole segment of one unit. */
static bool is_lone_unit(const struct block_heap *heap, const struct block *block)
{
    const char *unit = (const char *)block - BLOCK_TAG_BYTES;

    return block_bytes(block) == SEGMENT_BYTES(1) && ((uintptr_t)unit & (UNIT_BYTES - 1)) == 0 &&
           !block_is_segment(heap, unit - UNIT_BYTES) && !block_is_segment(heap, unit + UNIT_BYTES);
}

/* One of the first few free blocks of the list that they are in; NULL where none is. */
static struct block *lone_unit(const struct block_heap *heap)
{
    enum { TRIES = 8 };
    struct block *block = heap->free.lists[block_list(SEGMENT_BYTES(1))];

    for (int tries = 0; block && tries < TRIES; tries++, block = block->next)
        if (is_lone_unit(heap, block))
            return block;
    return NULL;
}

/* Whether a free block is what is left of the units that were taken last: more blocks will come. */
static bool is_rest_of_growth(const struct block_heap *heap, const struct block *block)
{
    const char *end = (const char *)block_after(block);

    /* Before a segment that was there already it ends a little behind. */
    return (const char *)block < heap->grown_end && end + BLOCK_TAG_BYTES >= heap->grown_end &&
           end <= heap->grown_end + BLOCK_TAG_BYTES;
}

bool block_give_some(struct block_heap *heap)
{
    struct block *block = lone_unit(heap);

    /* One of two units holds a whole one nearly wherever it begins. */
    if (!block)
        block = block_index_find(&heap->free, SEGMENT_BYTES(2));
    if (!block || (block->tag & BLOCK_TAG_PURGED) || is_rest_of_growth(heap, block))
        return false;
    block_index_remove(&heap->free, block);
    return release_units(heap, block, 1);
}

void block_give_all(struct block_heap *heap)
{
    struct block_segment *next;

    for (struct block_segment *segment = heap->segments; segment; segment = next) {
        next = segment->next;
        give_units(segment, segment->units);
    }
    *heap = (struct block_heap){.is_private = true};
}
