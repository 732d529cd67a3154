#include "allocator/shared.h"

#include "allocator/lock.h"

/* Reserved at a time. */
#define REGION_BYTES ((size_t)64 << 20)
/* As many bytes of shared pages as there can be, 8 GiB; objects beyond have mappings of their own.
 */
enum { REGIONS = 128, REGION_PAGES = REGION_BYTES / OS_HUGE_BYTES };

struct region {
    uintptr_t start; /* 0 for none */
    size_t taken_bytes, mapped_bytes;
    uint32_t used_bytes[REGION_PAGES]; /* of each page, by objects */
};

static struct region regions[REGIONS] COLD_DATA;
/* How many there are, and the one that pages are taken from.  Guarded by the lock, which comes
 * after all others, as are the bytes taken and mapped of each; how much of a page is used the lock
 * of the set guards whose page it is. */
static size_t region_count;
static struct region *current;
static struct lock regions_lock;

bool shared_is_used(void)
{
    return __atomic_load_n(&region_count, __ATOMIC_RELAXED) > 0;
}

/* The id tells, and the address does not: the system may reserve a region that begins in what was
 * unmapped of another one's end. */
static struct region *region_of(struct kept_range range)
{
    return &regions[range.id & ~KEPT_SHARED];
}

static struct region *new_region(void)
{
    struct region *region = regions;

    while (region < regions + REGIONS && region->start)
        region++;
    if (region == regions + REGIONS)
        return NULL;
    void *start = os_reserve_aligned(REGION_BYTES, OS_HUGE_BYTES);
    if (!start)
        return NULL;
    *region = (struct region){.start = (uintptr_t)start};
    __atomic_store_n(&region_count, region_count + 1, __ATOMIC_RELAXED);
    return region;
}

static struct kept_range take_page(void)
{
    struct kept_range none = {0};

    if ((!current || current->taken_bytes == REGION_BYTES) && !(current = new_region()))
        return none;
    uintptr_t page = current->start + current->taken_bytes;
    current->taken_bytes += OS_HUGE_BYTES;
    current->mapped_bytes += OS_HUGE_BYTES;
    return (struct kept_range){page, OS_HUGE_BYTES, KEPT_SHARED | (uint32_t)(current - regions)};
}

struct kept_range shared_new_page(void)
{
    struct kept_range page = {0};

    /* Elsewhere a huge page is of another size. */
    if (os_page_bytes() != 4096)
        return page;
    lock_take(&regions_lock);
    page = take_page();
    lock_drop(&regions_lock);
    if (page.bytes == 0)
        return page;
    /* Without the lock, for others take pages meanwhile. */
    if (!os_commit((void *)page.start, OS_HUGE_BYTES)) {
        os_unmap((void *)page.start, OS_HUGE_BYTES);
        shared_unmapped(page);
        return (struct kept_range){0};
    }
    os_allow_huge((void *)page.start, OS_HUGE_BYTES);
    return page;
}

void shared_use(struct kept_range range, bool is_used)
{
    struct region *region = region_of(range);
    uintptr_t offset = range.start - region->start;

    for (size_t left = range.bytes; left > 0;) {
        size_t in_page = OS_HUGE_BYTES - offset % OS_HUGE_BYTES;
        uint32_t bytes = (uint32_t)(left < in_page ? left : in_page);
        uint32_t *used = &region->used_bytes[offset / OS_HUGE_BYTES];
        *used = is_used ? *used + bytes : *used - bytes;
        offset += bytes;
        left -= bytes;
    }
}

struct kept_range shared_unused(struct kept_range range)
{
    const struct region *region = region_of(range);
    uintptr_t low = range.start - region->start, high = low + range.bytes;

    if (region->used_bytes[low / OS_HUGE_BYTES] > 0)
        low = (low / OS_HUGE_BYTES + 1) * OS_HUGE_BYTES;
    if (low < high && region->used_bytes[(high - 1) / OS_HUGE_BYTES] > 0)
        high = high / OS_HUGE_BYTES * OS_HUGE_BYTES;
    range.start = region->start + low;
    range.bytes = low < high ? high - low : 0;
    return range;
}

void shared_unmapped(struct kept_range range)
{
    struct region *region = region_of(range);

    lock_take(&regions_lock);
    region->mapped_bytes -= range.bytes;
    if (region->mapped_bytes == 0 && region->taken_bytes == REGION_BYTES) {
        region->start = 0;
        __atomic_store_n(&region_count, region_count - 1, __ATOMIC_RELAXED);
    }
    lock_drop(&regions_lock);
}
