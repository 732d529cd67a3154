/* Pages whose residency and live bytes are known, read back from the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "replay/occupancy.h"

#define PAGE_BYTES 4096
#define MANY_PAGES 5000

/* A sanitizer reserves more address space than is looked through, and has pages of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_UNDER_SANITIZER() skip()
#else
#define SKIP_UNDER_SANITIZER() (void)0
#endif

static struct occupancy occupancy;
static struct occupancy_figures figures;

/* Address space of which nothing is resident yet, and nothing comes in by the way. */
static char *reserve(size_t pages)
{
    char *start =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(start, MAP_FAILED);
    madvise(start, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
    return start;
}

static int open_occupancy(void **state)
{
    (void)state;
    return occupancy_open(&occupancy, MANY_PAGES);
}

static void test_pages_of_all_kinds(void **state)
{
    char *pages = reserve(200);
    (void)state;
    SKIP_UNDER_SANITIZER();
    assert_int_equal(occupancy_set_baseline(&occupancy), 0);
    for (size_t i = 0; i < 5; i++)
        if (i != 3)
            pages[i * PAGE_BYTES] = 1;
    pages[100 * PAGE_BYTES] = 1;
    occupancy_add(&occupancy, pages + 100 * PAGE_BYTES, 7);
    occupancy_add(&occupancy, pages, PAGE_BYTES + 1000);
    occupancy_add(&occupancy, pages + 4 * PAGE_BYTES + 96, 4000);
    assert_int_equal(occupancy_read(&occupancy, &figures), 0);

    const struct page_cell expected[] = {
        {.pages = 1, .resident_pages = 1, .live_bytes = PAGE_BYTES},
        {.pages = 1, .resident_pages = 1, .live_bytes = 1000},
        {.pages = 1, .resident_pages = 1, .live_bytes = 0},
        {.pages = 1, .resident_pages = 0, .live_bytes = 0},
        {.pages = 1, .resident_pages = 1, .live_bytes = 4000},
        {.pages = 1, .resident_pages = 1, .live_bytes = 7, .gap_pages = 95},
    };
    const size_t count = sizeof expected / sizeof expected[0];
    uint32_t first = 0;
    while (figures.map.cells[first].live_bytes != PAGE_BYTES)
        assert_in_range(++first, 1, figures.map.count - count);
    for (size_t i = 0; i < count; i++) {
        const struct page_cell *cell = &figures.map.cells[first + i];
        assert_int_equal(cell->pages, expected[i].pages);
        assert_int_equal(cell->resident_pages, expected[i].resident_pages);
        assert_int_equal(cell->live_bytes, expected[i].live_bytes);
        if (i)
            assert_int_equal(cell->gap_pages, expected[i].gap_pages);
    }
    assert_int_equal(figures.map.pages_per_cell, 1);
    assert_int_equal(figures.pinned_bytes, (4096 - 1000) + (4096 - 4000) + (4096 - 7));
    assert_true(figures.retained_bytes >= PAGE_BYTES);
    munmap(pages, 200 * PAGE_BYTES);
}

/* Every page counts once, however many share a cell. */
static void test_many_pages(void **state)
{
    char *pages = reserve(MANY_PAGES);
    uint64_t live = 0, resident = 0;
    (void)state;
    SKIP_UNDER_SANITIZER();
    assert_int_equal(occupancy_set_baseline(&occupancy), 0);
    for (size_t i = 0; i < MANY_PAGES; i++) {
        pages[i * PAGE_BYTES] = 1;
        occupancy_add(&occupancy, pages + i * PAGE_BYTES, 1 + i % 100);
    }
    assert_int_equal(occupancy_read(&occupancy, &figures), 0);
    assert_int_equal(figures.map.pages_per_cell, 4);
    for (uint32_t i = 0; i < figures.map.count; i++) {
        live += figures.map.cells[i].live_bytes;
        resident += figures.map.cells[i].resident_pages;
    }
    assert_int_equal(live, MANY_PAGES / 100 * 5050);
    assert_int_equal(resident * PAGE_BYTES - live, figures.pinned_bytes + figures.retained_bytes);
    munmap(pages, MANY_PAGES * PAGE_BYTES);
}

/* What was resident before is nobody's, until an object lies on it. */
static void test_pages_of_the_harness(void **state)
{
    char *pages = reserve(3);
    (void)state;
    SKIP_UNDER_SANITIZER();
    pages[0] = pages[PAGE_BYTES] = pages[2 * PAGE_BYTES] = 1;
    assert_int_equal(occupancy_set_baseline(&occupancy), 0);
    assert_int_equal(occupancy_read(&occupancy, &figures), 0);
    uint64_t retained = figures.retained_bytes;
    occupancy_add(&occupancy, pages + PAGE_BYTES, PAGE_BYTES);
    assert_int_equal(occupancy_read(&occupancy, &figures), 0);
    assert_true(figures.retained_bytes <= retained + PAGE_BYTES);
    assert_int_equal(figures.pinned_bytes, 0);
    uint64_t live = 0;
    for (uint32_t i = 0; i < figures.map.count; i++)
        live += figures.map.cells[i].live_bytes;
    assert_int_equal(live, PAGE_BYTES);
    munmap(pages, 3 * PAGE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_of_all_kinds),
        cmocka_unit_test(test_many_pages),
        cmocka_unit_test(test_pages_of_the_harness),
    };
    return cmocka_run_group_tests(tests, open_occupancy, NULL);
}
