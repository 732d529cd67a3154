#include <string.h>

#include "allocator/block_layout.h"
#include "allocator/zone_grow.h"

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
        block_put_end(end);
    block->tag = (size_t)(limit - (char *)block) | flags | BLOCK_TAG_USED;
    return block_coalesce(heap, block);
}

/* In the last words of fresh units: what ends a segment, and before that what repeats the size of a
 * free block. */
enum { END_BYTES = 2 * BLOCK_TAG_BYTES };

/* Notes what nobody had before of the units of a new run, which are part of the free block `block`.
 * Its own tag, and what a segment begins with, may lie there: the payload of a block that is cut
 * from it comes later. */
static void note_fresh(struct block_heap *heap, const struct block *block,
                       const struct zone_run *run)
{
    uintptr_t start = (uintptr_t)run->start, end = start + (run->units << UNIT_SHIFT);
    uintptr_t zeros = end - (run->new_units << UNIT_SHIFT), old_end = start - END_BYTES;

    /* All of it is new and follows the last one, whose end was free and is part of the block, too.
     */
    if (zeros == start && heap->fresh.end == old_end && (uintptr_t)block < old_end) {
        memset((void *)old_end, 0, END_BYTES);
        zeros = heap->fresh.start;
    }
    heap->fresh = (struct block_zeros){zeros, end - END_BYTES};
}

/* Makes fresh units of a private heap a segment of one free block, in no list. */
static struct block *grow_private(struct block_heap *heap, size_t size)
{
    size_t room = size + sizeof(struct block_segment) + 2 * BLOCK_TAG_BYTES;
    size_t units = (room + UNIT_BYTES - 1) >> UNIT_SHIFT;

    if (units < PRIVATE_LEAST_UNITS)
        units = PRIVATE_LEAST_UNITS;
    struct zone_run run = zone_take_run(units, UNIT_PRIVATE);
    struct block_segment *segment = run.start;
    if (!segment)
        return NULL;
    *segment = (struct block_segment){heap->segments, units};
    heap->segments = segment;
    char *end = (char *)segment + (units << UNIT_SHIFT);
    block_put_end(end);
    struct block *block = block_at(segment, sizeof *segment + BLOCK_TAG_BYTES);
    note_fresh(heap, block, &run);
    block->tag = (size_t)(end - BLOCK_TAG_BYTES - (char *)block) | BLOCK_TAG_PREVIOUS_USED;
    block_set_previous_used(block_after(block), false);
    return block;
}

/* Whether long blocks may get their memory at once: others might wait for the heap's lock
 * meanwhile, and where there are huge pages each shows whether they are worth it. */
static bool may_fill(void)
{
    return os_is_single_threaded() && !zone_is_huge();
}

struct block *block_grow(struct block_heap *heap, size_t size, bool zeroed)
{
    if (heap->is_private)
        return grow_private(heap, size);

    size_t needed = (size + 2 * BLOCK_TAG_BYTES + UNIT_BYTES - 1) >> UNIT_SHIFT;
    struct zone_run run = zone_take_for_arena(needed, GROW_MOST_UNITS, heap->arena, zeroed);

    if (!run.start)
        return NULL;
    char *end = (char *)run.start + (run.units << UNIT_SHIFT);
    heap->grown_end = run.units > needed ? end : NULL;
    struct block *block = adopt_units(heap, run.start, end);
    note_fresh(heap, block, &run);
    if (run.is_long)
        zone_note_long(run.start, (size_t)((char *)block + size - (char *)run.start),
                       !zeroed && may_fill() ? block_payload(block) : NULL);
    return block;
}

bool block_release_units(struct block_heap *heap, struct block *block, size_t least)
{
    char *start = (char *)block;
    char *end = (char *)block_after(block);
    char *low = zone_address(zone_unit(start - BLOCK_TAG_BYTES + UNIT_BYTES - 1));
    char *high = zone_address(zone_unit(end + BLOCK_TAG_BYTES));

    block_mark_used(heap, end);
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
        block_become_free(heap, block, (size_t)(end - start));
        return false;
    }
    if (!is_first) {
        block_put_end(low);
        if (low - BLOCK_TAG_BYTES > start)
            block_become_free(heap, block, (size_t)(low - BLOCK_TAG_BYTES - start));
    }
    if (!is_last) {
        struct block *rest = block_at(high, BLOCK_TAG_BYTES);
        if ((char *)rest < end)
            block_become_free(heap, rest, (size_t)(end - (char *)rest));
        else
            block_set_previous_used(rest, true);
    }
    give_units(low, (size_t)(high - low) >> UNIT_SHIFT);
    return true;
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
    return block_release_units(heap, block, 1);
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
    return block_release_units(heap, block, 1);
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
