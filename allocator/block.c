#include "allocator/block.h"

#include <string.h>

#include "allocator/fault.h"
#include "allocator/zone.h"

/* How many blocks of a list with several sizes are looked at before a list of larger ones is
 * taken: a bound on time that costs at most a sixteenth of the size in fit. */
enum { FIT_TRIES = 8 };
/* Free units inside a block go back to the zone once it spans this many: below that, taking and
 * giving the same units over and over costs more than it helps the slabs (EXPERIMENTS.md, "giving
 * units back"). */
enum { RELEASE_UNITS = 8 };
/* A private heap grows by 64 KiB, like the zone. */
enum { PRIVATE_LEAST_UNITS = MEM_BRK_INCREMENT >> UNIT_SHIFT };

struct block {
    size_t tag;
    struct block *next, *previous; /* in a list; for the tree see node_of */
};

static size_t size_of(const struct block *block)
{
    return block->tag & ~(size_t)BLOCK_TAG_FLAGS;
}

static bool is_used(const struct block *block)
{
    return block->tag & BLOCK_TAG_USED;
}

static struct block *at(const void *base, size_t bytes)
{
    return (struct block *)((char *)(uintptr_t)base + bytes);
}

static struct block *block_of(const void *payload)
{
    return (struct block *)((char *)(uintptr_t)payload - BLOCK_TAG_BYTES);
}

static void *payload_of(const struct block *block)
{
    return (char *)(uintptr_t)block + BLOCK_TAG_BYTES;
}

static struct block *after(const struct block *block)
{
    return at(block, size_of(block));
}

/* The block may be in use, and its user read the size beside the flag at this moment. */
static void set_previous_used(struct block *block, bool is_used_now)
{
    size_t tag = block->tag & ~(size_t)BLOCK_TAG_PREVIOUS_USED;

    __atomic_store_n(&block->tag, is_used_now ? tag | BLOCK_TAG_PREVIOUS_USED : tag,
                     __ATOMIC_RELAXED);
}

static size_t *footer_before(const struct block *block)
{
    return (size_t *)(uintptr_t)block - 1;
}

static struct tree_node *node_of(struct block *block)
{
    return (struct tree_node *)payload_of(block);
}

/* --- lists and tree -------------------------------------------------------------------------- */

static unsigned row_of(size_t size)
{
    /* One more than the position of the highest bit of size - 1 is the logarithm, rounded up. */
    unsigned log2_up = (unsigned)(64 - __builtin_clzl(size - 1));
    unsigned row = log2_up - 5;

    return row < BLOCK_ROWS ? row : BLOCK_ROWS;
}

static unsigned list_of(size_t size, unsigned row)
{
    /* Row r spans 2^(r+4) bytes: a sixteenth of it, but no less than 16 bytes. */
    unsigned width_shift = row > 4 ? row : 4;

    return (unsigned)((size - 1 - ((size_t)1 << (row + 4))) >> width_shift);
}

static void insert_free(struct block_heap *heap, struct block *block)
{
    size_t size = size_of(block);
    unsigned row = row_of(size);

    if (row == BLOCK_ROWS) {
        node_of(block)->key = size;
        tree_insert(&heap->tree, node_of(block));
        return;
    }

    unsigned list = list_of(size, row);
    struct block *head = heap->lists[row][list];
    block->next = head;
    block->previous = NULL;
    if (head)
        head->previous = block;
    heap->lists[row][list] = block;
    heap->list_bits[row] |= (uint16_t)(1u << list);
    heap->row_bits |= 1u << row;
}

static void remove_from_list(struct block_heap *heap, struct block *block, unsigned row)
{
    unsigned list = list_of(size_of(block), row);
    struct block **link = block->previous ? &block->previous->next : &heap->lists[row][list];

    if (*link != block || (block->next && block->next->previous != block))
        fault_die("heap corrupted: broken list of free blocks", payload_of(block));
    *link = block->next;
    if (block->next)
        block->next->previous = block->previous;
    if (!heap->lists[row][list]) {
        heap->list_bits[row] &= (uint16_t) ~(1u << list);
        if (!heap->list_bits[row])
            heap->row_bits &= ~(1u << row);
    }
}

static void remove_free(struct block_heap *heap, struct block *block)
{
    unsigned row = row_of(size_of(block));

    if (row < BLOCK_ROWS)
        remove_from_list(heap, block, row);
    else if (!tree_remove(&heap->tree, node_of(block)))
        fault_die("heap corrupted: broken tree of free blocks", payload_of(block));
}

static struct block *find_in_list(struct block *candidate, size_t size)
{
    for (int tries = 0; candidate && tries < FIT_TRIES; tries++) {
        if (size_of(candidate) >= size)
            return candidate;
        candidate = candidate->next;
    }
    return NULL;
}

/* Finds a free block of at least `size`: the right list, then any list above it, then the tree. */
static struct block *find_free(struct block_heap *heap, size_t size)
{
    unsigned row = row_of(size);

    if (row < BLOCK_ROWS) {
        unsigned list = list_of(size, row);
        struct block *found = find_in_list(heap->lists[row][list], size);
        if (found)
            return found;
        unsigned lists = heap->list_bits[row] & ~((2u << list) - 1);
        if (!lists) {
            unsigned rows = heap->row_bits & ~((2u << row) - 1);
            if (rows) {
                row = (unsigned)__builtin_ctz(rows);
                lists = heap->list_bits[row];
            }
        }
        if (lists)
            return heap->lists[row][__builtin_ctz(lists)];
    }
    struct tree_node *node = tree_at_least(heap->tree, size);
    return node ? block_of(node) : NULL;
}

/* --- blocks --------------------------------------------------------------------------------- */

/* Makes [block, block + size) a free block in a list; the block before must be in use. */
static void become_free(struct block_heap *heap, struct block *block, size_t size)
{
    block->tag = size | BLOCK_TAG_PREVIOUS_USED;
    *footer_before(after(block)) = size;
    set_previous_used(after(block), false);
    insert_free(heap, block);
}

/* Cuts a used block down to `size` and frees the rest, if the rest can be a block. */
static void split(struct block_heap *heap, struct block *block, size_t size)
{
    size_t rest = size_of(block) - size;

    if (rest < MEM_MIN_BLOCK_SIZE)
        return;
    block->tag -= rest;
    struct block *tail = after(block);
    struct block *next = at(tail, rest);
    if (!is_used(next)) {
        remove_free(heap, next);
        rest += size_of(next);
        heap->coalesces++;
    }
    become_free(heap, tail, rest);
    heap->splits++;
}

static void check_free(const struct block *block, size_t footer)
{
    if (is_used(block) || size_of(block) != footer)
        fault_die("heap corrupted: the end of a free block was overwritten", payload_of(block));
}

/* Merges a block that is no longer used with its free neighbours, all out of their lists. */
static struct block *coalesce(struct block_heap *heap, struct block *block)
{
    size_t size = size_of(block);
    struct block *next = after(block);

    if (!is_used(next)) {
        remove_free(heap, next);
        size += size_of(next);
        heap->coalesces++;
    }
    if (!(block->tag & BLOCK_TAG_PREVIOUS_USED)) {
        size_t footer = *footer_before(block);
        block = at(block, -footer);
        check_free(block, footer);
        remove_free(heap, block);
        size += footer;
        heap->coalesces++;
    }
    block->tag = size | BLOCK_TAG_PREVIOUS_USED;
    return block;
}

/* --- segments ------------------------------------------------------------------------------- */

static void put_end(char *end)
{
    at(end, -(size_t)BLOCK_TAG_BYTES)->tag = BLOCK_TAG_USED | BLOCK_TAG_PREVIOUS_USED;
}

static bool is_segment(const char *unit)
{
    return zone_kind(unit) == UNIT_BLOCK;
}

/* Makes fresh units [start, end) one free block, merged with what is free beside them, and
 * returns it, in no list. */
static struct block *adopt_units(struct block_heap *heap, char *start, char *end)
{
    /* The end word of the segment before becomes the tag of the new block; in a segment of its
     * own the first word is padding. */
    bool follows = is_segment(start - UNIT_BYTES);
    bool precedes = is_segment(end);
    struct block *block = at(start, follows ? -(size_t)BLOCK_TAG_BYTES : BLOCK_TAG_BYTES);
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
    struct block_segment *segment = zone_take(units, UNIT_PRIVATE);
    if (!segment)
        return NULL;
    *segment = (struct block_segment){heap->segments, units};
    heap->segments = segment;
    char *end = (char *)segment + (units << UNIT_SHIFT);
    put_end(end);
    struct block *block = at(segment, sizeof *segment + BLOCK_TAG_BYTES);
    block->tag = (size_t)(end - BLOCK_TAG_BYTES - (char *)block) | BLOCK_TAG_PREVIOUS_USED;
    return block;
}

static struct block *grow(struct block_heap *heap, size_t size)
{
    if (heap->is_private)
        return grow_private(heap, size);

    size_t units = (size + 2 * BLOCK_TAG_BYTES + UNIT_BYTES - 1) >> UNIT_SHIFT;
    char *start = zone_take(units, UNIT_BLOCK);

    return start ? adopt_units(heap, start, start + (units << UNIT_SHIFT)) : NULL;
}

/* Gives the whole units inside a free block, which is in no list, back to the zone if they are at
 * least `least`; what is left of the block at either end becomes free blocks of their own. */
static void release_units(struct block_heap *heap, struct block *block, size_t least)
{
    char *start = (char *)block;
    char *end = (char *)after(block);
    char *low = zone_address(zone_unit(start - BLOCK_TAG_BYTES + UNIT_BYTES - 1));
    char *high = zone_address(zone_unit(end + BLOCK_TAG_BYTES));
    bool is_first = low + BLOCK_TAG_BYTES == start && !is_segment(low - UNIT_BYTES);
    bool is_last = high - BLOCK_TAG_BYTES == end && !is_segment(high);

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
        return;
    }
    if (!is_first) {
        put_end(low);
        if (low - BLOCK_TAG_BYTES > start)
            become_free(heap, block, (size_t)(low - BLOCK_TAG_BYTES - start));
    }
    if (!is_last) {
        struct block *rest = at(high, BLOCK_TAG_BYTES);
        if ((char *)rest < end)
            become_free(heap, rest, (size_t)(end - (char *)rest));
        else
            set_previous_used(rest, true);
    }
    zone_give(low, (size_t)(high - low) >> UNIT_SHIFT);
}

/* --- the layer's functions ------------------------------------------------------------------ */

/* Takes a free block of at least `size` out of its list, or from the zone where there is none. */
static struct block *obtain(struct block_heap *heap, size_t size, bool may_grow)
{
    struct block *block = find_free(heap, size);

    if (block)
        remove_free(heap, block);
    else if (!may_grow || !(block = grow(heap, size)))
        return NULL;
    block->tag = (block->tag & ~(size_t)BLOCK_TAG_PURGED) | BLOCK_TAG_USED;
    set_previous_used(after(block), true);
    return block;
}

/* Cuts a used block so that its payload starts at a multiple of `align`. */
static struct block *align_payload(struct block_heap *heap, struct block *block, size_t align)
{
    size_t gap = (size_t)(-(uintptr_t)payload_of(block) & (align - 1));

    if (gap == 0)
        return block;
    while (gap < MEM_MIN_BLOCK_SIZE)
        gap += align;
    struct block *aligned = at(block, gap);
    aligned->tag = (size_of(block) - gap) | BLOCK_TAG_USED;
    become_free(heap, block, gap);
    heap->splits++;
    return aligned;
}

static void count_used(struct block_heap *heap, const struct block *block, int change)
{
    size_t index = size_of(block) / MEM_ALIGNMENT;

    if (index <= BLOCK_COUNTED_BYTES / MEM_ALIGNMENT)
        heap->used_counts[index] += (unsigned)change;
}

size_t block_live_bytes(const struct block_heap *heap, size_t bytes)
{
    size_t size = block_size_for(bytes);

    return size <= BLOCK_COUNTED_BYTES ? size * heap->used_counts[size / MEM_ALIGNMENT] : 0;
}

void *block_alloc(struct block_heap *heap, size_t bytes, size_t align, bool may_grow)
{
    size_t size = block_size_for(bytes);
    size_t room = align > MEM_ALIGNMENT ? size + align + MEM_MIN_BLOCK_SIZE : size;
    struct block *block = obtain(heap, room, may_grow);

    if (!block)
        return NULL;
    if (align > MEM_ALIGNMENT)
        block = align_payload(heap, block, align);
    split(heap, block, size);
    count_used(heap, block, 1);
    return payload_of(block);
}

/* Returns the live block of `payload`, or aborts: a wrong pointer or a tag that somebody wrote
 * over must not be followed any further. */
static struct block *live_block(const void *payload)
{
    struct block *block = block_of(payload);

    if ((uintptr_t)payload & (MEM_ALIGNMENT - 1))
        fault_die("invalid pointer", payload);
    if (!is_used(block))
        fault_die("double free or invalid pointer", payload);
    if (size_of(block) < MEM_MIN_BLOCK_SIZE || !zone_is_block(zone_kind(after(block))))
        fault_die("heap corrupted or invalid pointer: impossible block size", payload);
    if (!(after(block)->tag & BLOCK_TAG_PREVIOUS_USED))
        fault_die("heap corrupted or invalid pointer: the end of a block was overwritten", payload);
    return block;
}

size_t block_free(struct block_heap *heap, void *payload)
{
    struct block *block = live_block(payload);
    size_t usable = size_of(block) - BLOCK_TAG_BYTES;

    count_used(heap, block, -1);
    /* Cleared also where the tag ends up inside a larger free block: a second free of the same
     * address finds it. */
    block->tag &= ~(size_t)BLOCK_TAG_USED;
    block = coalesce(heap, block);
    if (size_of(block) >= RELEASE_UNITS * UNIT_BYTES && !heap->is_private)
        release_units(heap, block, RELEASE_UNITS);
    else
        become_free(heap, block, size_of(block));
    return usable;
}

bool block_resize(struct block_heap *heap, void *payload, size_t bytes)
{
    struct block *block = live_block(payload);
    size_t size = block_size_for(bytes);
    struct block *next = after(block);

    if (size > size_of(block) && (is_used(next) || size_of(block) + size_of(next) < size))
        return false;
    count_used(heap, block, -1);
    if (size > size_of(block)) {
        remove_free(heap, next);
        block->tag += size_of(next);
        set_previous_used(after(block), true);
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

/* Purges the whole pages of a free block that hold neither its links nor its footer. */
static size_t purge_inside(struct block_heap *heap, struct block *block)
{
    (void)heap;
    size_t page = os_page_bytes();
    uintptr_t start = (uintptr_t)(node_of(block) + 1);
    uintptr_t end = (uintptr_t)footer_before(after(block));

    start = (start + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (start >= end || (block->tag & BLOCK_TAG_PURGED))
        return 0;
    block->tag |= BLOCK_TAG_PURGED;
    os_purge((void *)start, end - start);
    return end - start;
}

/* Gives the units of a listed free block to the zone where that frees more pages than purging the
 * block's inside would: the words that end and start segments occupy a page each. */
static size_t give_units(struct block_heap *heap, struct block *block)
{
    uintptr_t start = (uintptr_t)block - BLOCK_TAG_BYTES;
    uintptr_t end = (uintptr_t)after(block) + BLOCK_TAG_BYTES;
    bool fills_units = ((start | end) & (UNIT_BYTES - 1)) == 0;

    if (!fills_units && end - start < 4 * UNIT_BYTES)
        return 0;
    remove_free(heap, block);
    release_units(heap, block, 1);
    return 0;
}

/* Calls `visit` for every free block that may hold a whole page, and adds up what it returns. */
static size_t visit_free(struct block_heap *heap,
                         size_t (*visit)(struct block_heap *heap, struct block *block))
{
    struct tree_node *next_node;
    struct block *next;
    size_t sum = 0;

    for (struct tree_node *node = tree_first(heap->tree); node; node = next_node) {
        next_node = tree_after(heap->tree, node);
        sum += visit(heap, block_of(node));
    }
    for (unsigned row = row_of(os_page_bytes()); row < BLOCK_ROWS; row++)
        for (unsigned list = 0; list < BLOCK_LISTS; list++)
            for (struct block *block = heap->lists[row][list]; block; block = next) {
                next = block->next;
                sum += visit(heap, block);
            }
    return sum;
}

size_t block_trim(struct block_heap *heap)
{
    (void)visit_free(heap, give_units);
    return visit_free(heap, purge_inside);
}

void block_give_all(struct block_heap *heap)
{
    struct block_segment *next;

    for (struct block_segment *segment = heap->segments; segment; segment = next) {
        next = segment->next;
        zone_give(segment, segment->units);
    }
    *heap = (struct block_heap){.is_private = true};
}

/* --- verification --------------------------------------------------------------------------- */

static bool is_listed(const struct block_heap *heap, struct block *block)
{
    size_t size = size_of(block);
    unsigned row = row_of(size);

    if (row == BLOCK_ROWS) {
        struct tree_node *node = tree_at_least(heap->tree, size);
        while (node && node->key == size && node != node_of(block))
            node = tree_after(heap->tree, node);
        return node == node_of(block);
    }
    struct block *listed = heap->lists[row][list_of(size, row)];
    while (listed && listed != block)
        listed = listed->next;
    return listed == block;
}

static const char *verify_block(const struct block_heap *heap, struct block *block)
{
    struct block *next = after(block);

    if (size_of(block) < MEM_MIN_BLOCK_SIZE || zone_kind(next) != UNIT_BLOCK)
        return "impossible block size";
    if (is_used(block) != !!(next->tag & BLOCK_TAG_PREVIOUS_USED))
        return "the next block is wrong about this one";
    if (is_used(block))
        return NULL;
    if (!is_used(next) || !(block->tag & BLOCK_TAG_PREVIOUS_USED))
        return "two free blocks side by side";
    if (*footer_before(next) != size_of(block))
        return "footer and tag differ";
    return is_listed(heap, block) ? NULL : "free block in no list";
}

const char *block_verify(const struct block_heap *heap, const void *payload)
{
    char *start = zone_address(zone_unit(payload));

    while (is_segment(start - UNIT_BYTES))
        start -= UNIT_BYTES;
    for (struct block *block = at(start, BLOCK_TAG_BYTES); size_of(block) > 0;
         block = after(block)) {
        const char *broken = verify_block(heap, block);
        if (broken)
            return broken;
    }
    for (unsigned c = 0; c < BLOCK_ROWS; c++) {
        if (!heap->list_bits[c] != !(heap->row_bits & (1u << c)))
            return "row_bits differs from list_bits";
        for (unsigned list = 0; list < BLOCK_LISTS; list++)
            if (!heap->lists[c][list] != !(heap->list_bits[c] & (1u << list)))
                return "list_bits differs from the lists";
    }
    return NULL;
}
