/* The rule of traces/object_ids.h, sentence by sentence. */
#include "traces/tests/support.h"

#include "traces/object_ids.h"

static int make_ids(void **state)
{
    *state = object_ids_new();
    return *state ? 0 : -1;
}

static int destroy_ids(void **state)
{
    object_ids_destroy(*state);
    return 0;
}

static void take_many(struct object_ids *ids, uint32_t thread, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(object_ids_take(ids, thread), first + i);
}

static void new_ids_are_dense(void **state)
{
    take_many(*state, 0, 0, 1000);
    take_many(*state, 3, 1000, 1000);
    assert_int_equal(object_ids_count(*state), 2000);
}

static void own_ids_come_back_latest_first(void **state)
{
    struct object_ids *ids = *state;
    take_many(ids, 0, 0, 10);
    object_ids_give(ids, 0, 4);
    object_ids_give(ids, 0, 7);
    object_ids_give(ids, 0, 2);
    assert_int_equal(object_ids_take(ids, 0), 2);
    assert_int_equal(object_ids_take(ids, 0), 7);
    assert_int_equal(object_ids_take(ids, 0), 4);
    assert_int_equal(object_ids_take(ids, 0), 10);
}

static void another_threads_ids_stay_its_own(void **state)
{
    struct object_ids *ids = *state;
    take_many(ids, 0, 0, 2);
    object_ids_give(ids, 1, 0);
    assert_int_equal(object_ids_take(ids, 0), 2);
    assert_int_equal(object_ids_take(ids, 1), 0);
}

static void a_full_stack_spills_to_the_queue(void **state)
{
    struct object_ids *ids = *state;
    take_many(ids, 0, 0, OBJECT_IDS_PRIVATE + 3);
    for (uint32_t id = 0; id < OBJECT_IDS_PRIVATE + 3; id++)
        object_ids_give(ids, 1, id);
    /* The last three found the stack full; the longest in the queue comes first. */
    take_many(ids, 0, OBJECT_IDS_PRIVATE, 3);
    assert_int_equal(object_ids_take(ids, 0), OBJECT_IDS_PRIVATE + 3);
    assert_int_equal(object_ids_take(ids, 1), OBJECT_IDS_PRIVATE - 1);
}

static void an_ended_thread_leaves_its_ids_to_all(void **state)
{
    struct object_ids *ids = *state;
    take_many(ids, 0, 0, 5);
    object_ids_give(ids, 2, 3);
    object_ids_give(ids, 2, 1);
    assert_int_equal(object_ids_end_thread(ids, 2), 0);
    assert_int_equal(object_ids_end_thread(ids, 99), 0);
    assert_int_equal(object_ids_take(ids, 0), 3);
    assert_int_equal(object_ids_take(ids, 0), 1);
    assert_int_equal(object_ids_take(ids, 0), 5);
}

static void the_queue_keeps_its_order_as_it_grows(void **state)
{
    struct object_ids *ids = *state;
    enum { COUNT = 5000 };
    take_many(ids, 0, 0, COUNT);
    /* Move the ring's head off its start, so that growth meets a wrapped queue. */
    for (uint32_t id = 0; id < 200; id++)
        object_ids_give(ids, 1, id);
    take_many(ids, 0, OBJECT_IDS_PRIVATE, 200 - OBJECT_IDS_PRIVATE);
    for (uint32_t id = 200; id < COUNT; id++)
        object_ids_give(ids, 1, id);
    take_many(ids, 0, 200, COUNT - 200);
}

static void reset_forgets_everything(void **state)
{
    struct object_ids *ids = *state;
    take_many(ids, 0, 0, 500);
    for (uint32_t id = 0; id < 500; id++)
        object_ids_give(ids, id % 3, id);
    object_ids_reset(ids);
    assert_int_equal(object_ids_count(ids), 0);
    take_many(ids, 1, 0, 500);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_ids, destroy_ids)
    const struct CMUnitTest tests[] = {
        TEST(new_ids_are_dense),
        TEST(own_ids_come_back_latest_first),
        TEST(another_threads_ids_stay_its_own),
        TEST(a_full_stack_spills_to_the_queue),
        TEST(an_ended_thread_leaves_its_ids_to_all),
        TEST(the_queue_keeps_its_order_as_it_grows),
        TEST(reset_forgets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
