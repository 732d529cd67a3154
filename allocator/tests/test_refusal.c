/* What becomes of the zone where the system refuses it memory; this test looks inside the library.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "allocator/heaps.h"
#include "allocator/tests/test_process.h"

/* Below the size from which it grows in huge pages; two threads may grow it by a sixteenth each at
 * a time. */
enum { FIRST_UNITS = 32, UNITS = 896 };

/* Called for memory that the system refuses, without the zone's lock; NULL to get what is asked
 * for. */
static void (*on_refusal)(void);

int __real_mprotect(void *start, size_t bytes, int protection);
int __wrap_mprotect(void *start, size_t bytes, int protection);

int __wrap_mprotect(void *start, size_t bytes, int protection)
{
    if (!on_refusal)
        return __real_mprotect(start, bytes, protection);
    on_refusal();
    errno = ENOMEM;
    return -1;
}

static void *do_nothing(void *argument)
{
    return argument;
}

static void run_thread(void *(*work)(void *))
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Takes all units of a zone of several threads that has its own range, and returns a run of two. */
static void *fill_zone(void)
{
    run_thread(do_nothing);
    zone_avoid_break(0);
    void *pair = zone_take_run(2, UNIT_PRIVATE).start;
    assert_non_null(pair);
    assert_int_equal(zone.owned_units, FIRST_UNITS);
    assert_non_null(zone_take_run(UNITS - FIRST_UNITS, UNIT_PRIVATE).start);
    while (zone.free_units > 0)
        assert_non_null(zone_take_run(1, UNIT_PRIVATE).start);
    assert_int_equal(zone.owned_units, UNITS);
    return pair;
}

/* --- a run that somebody gives meanwhile ------------------------------------------------------ */

static void *given;

static void *give(void *argument)
{
    lock_take(&zone.lock);
    zone_give(given, 2);
    lock_drop(&zone.lock);
    return argument;
}

static void give_once(void)
{
    if (zone.free_units == 0)
        run_thread(give);
}

static void test_what_is_given_meanwhile_is_taken(void **state)
{
    (void)state;
    given = fill_zone();
    on_refusal = give_once;
    assert_ptr_equal(zone_take_run(2, UNIT_PRIVATE).start, given);
    assert_int_equal(zone.free_units, 0);
}

/* --- two that are refused at a time ----------------------------------------------------------- */

static sem_t second_asks, first_is_done;
static pthread_t second;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread bool is_second;

static void *be_refused(void *argument)
{
    is_second = true;
    assert_null(zone_take_run(1, UNIT_PRIVATE).start);
    return argument;
}

static void start_second(void)
{
    assert_int_equal(pthread_create(&second, NULL, be_refused, NULL), 0);
    assert_int_equal(sem_wait(&second_asks), 0);
}

static void let_first_end_first(void)
{
    static bool has_waited;

    if (!is_second) {
        assert_int_equal(pthread_once(&once, start_second), 0);
    } else if (!has_waited) {
        has_waited = true;
        assert_int_equal(sem_post(&second_asks), 0);
        assert_int_equal(sem_wait(&first_is_done), 0);
    }
}

static void test_what_several_were_refused_is_asked_for_again(void **state)
{
    (void)state;
    (void)fill_zone();
    size_t start = zone.soft_start;
    assert_int_equal(sem_init(&second_asks, 0, 0), 0);
    assert_int_equal(sem_init(&first_is_done, 0, 0), 0);
    on_refusal = let_first_end_first;
    assert_null(zone_take_run(1, UNIT_PRIVATE).start);
    assert_true(zone.soft_start > start);
    assert_int_equal(sem_post(&first_is_done), 0);
    assert_int_equal(pthread_join(second, NULL), 0);
    assert_int_equal(zone.soft_start, start);
    on_refusal = NULL;
    assert_non_null(zone_take_run(1, UNIT_PRIVATE).start);
}

/* --- what others freed in a nursery ----------------------------------------------------------- */

static void refuse(void)
{
}

static void *free_given(void *argument)
{
    mem_free_ts(given);
    return argument;
}

/* Its owner takes that for live, but not when there is nothing else. */
static void test_what_others_freed_is_found(void **state)
{
    (void)state;
    enum { LONG = 100 * 1024, GIVEN = 50000, WANTED = 48000 };

    run_thread(do_nothing);
    zone_avoid_break(0);
    mem_free_ts(mem_malloc_ts(1));
    struct block_nursery *nursery = &heaps_current->nursery;
    lock_take(&first_arena.lock);
    void *piece = block_alloc(&first_arena, LONG, ALIGNMENT, true);
    assert_non_null(piece);
    (void)block_free(&first_arena, piece);
    assert_true(block_nursery_begin(nursery, &first_arena, GIVEN / 2));
    lock_drop(&first_arena.lock);
    assert_non_null(given = block_nursery_alloc(nursery, block_size_for(GIVEN)));
    run_thread(free_given);
    assert_int_equal(nursery->live_bytes, block_size_for(GIVEN));
    while (zone.free_units > 0)
        assert_non_null(zone_take_run(1, UNIT_PRIVATE).start);
    on_refusal = refuse;
    void *ptr = mem_malloc_ts(WANTED);
    on_refusal = NULL;
    assert_int_equal(zone_kind(ptr), UNIT_BLOCK);
    assert_null(nursery->start);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_meanwhile_is_taken),
        cmocka_unit_test(test_what_several_were_refused_is_asked_for_again),
        cmocka_unit_test(test_what_others_freed_is_found),
    };
    return process_run_tests(tests, sizeof tests / sizeof *tests, argc, argv);
}
