/* What is written is what is read: every kind, flag and thread case, and random streams. */
#include "traces/tests/support.h"

#include "traces/columns.h"

/* Writes the list, reads it back in batches of each size and compares; leaves the list as written.
 */
static void assert_round_trip(struct event_list *list, const struct trace_writer_options *options)
{
    struct trace_error error;
    const char *path = folder_path("round.trace");
    if (write_trace(path, list, options, &error))
        fail_msg("writing failed: %s", error.message);
    struct trace_source *source;
    if (trace_open(&source, path, &error))
        fail_msg("opening failed: %s", error.message);
    assert_int_equal(source->summary->event_count, list->count);
    for (size_t batch = 1; batch <= 1000; batch *= 10) {
        struct event_list got = {0};
        if (read_events(source, &got, batch))
            fail_msg("reading failed: %s", source->error.message);
        assert_events_equal(&got, list);
        assert_int_equal(trace_source_rewind(source), 0);
        event_list_clean_up(&got);
    }
    trace_source_close(source);
}

static void add_allocation(struct event_list *list, enum trace_kind kind, unsigned flags)
{
    struct trace_event event = event_sized(kind, 100);
    event.flags = (uint8_t)flags;
    if (trace_kind_has_count(kind))
        event.count = 3;
    if (trace_kind_has_alignment(kind))
        event.alignment = 64;
    event_list_add(list, &event);
}

static void every_kind_and_flag(void **state)
{
    (void)state;
    struct event_list list = {0};
    for (unsigned kind = TRACE_MALLOC; kind <= TRACE_PVALLOC; kind++) {
        if (kind == TRACE_FREE)
            continue;
        unsigned null_argument = trace_kind_resizes(kind) ? TRACE_NULL_ARGUMENT : 0;
        add_allocation(&list, kind, null_argument);
        add_allocation(&list, kind, null_argument | TRACE_FAILED);
    }
    struct trace_event events[] = {
        event_on(TRACE_REALLOC, 0, 5000),
        event_on(TRACE_REALLOCARRAY, 1, 7),
        event_on(TRACE_REALLOC, 2, UINT64_MAX),
        event_on(TRACE_REALLOC, 3, 0),
        event_on(TRACE_FREE, 4, 0),
        event_on(TRACE_FREE, TRACE_NO_OBJECT, 0),
        event_on(TRACE_REALLOC, 5, 0),
        event_sized(TRACE_MALLOC, TRACE_BYTES_MAX),
        event_sized(TRACE_MEMALIGN, UINT64_MAX),
        event_sized(TRACE_CALLOC, UINT64_MAX),
        event_sized(TRACE_POSIX_MEMALIGN, 1),
    };
    events[1].count = 1000;
    events[2].flags = TRACE_FAILED; /* leaves the object */
    events[3].flags = TRACE_FAILED; /* releases it */
    events[5].flags = TRACE_NULL_ARGUMENT;
    events[8].flags = TRACE_FAILED;
    events[8].alignment = UINT32_MAX;
    events[9].flags = TRACE_FAILED;
    events[9].count = UINT64_MAX;
    events[10].alignment = TRACE_ALIGNMENT_MAX;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        event_list_add(&list, &events[i]);
    assert_round_trip(&list, NULL);
    event_list_clean_up(&list);
}

static void threads_start_act_and_end(void **state)
{
    (void)state;
    struct event_list list = {0};
    struct trace_event events[] = {
        event_sized(TRACE_THREAD_START, 0), event_sized(TRACE_MALLOC, 10),
        event_sized(TRACE_THREAD_START, 0), event_on(TRACE_FREE, 0, 0),
        event_sized(TRACE_THREAD_END, 0),   event_sized(TRACE_THREAD_END, 0),
        event_sized(TRACE_MALLOC, 1),
    };
    events[1].thread = 1;
    events[2].thread = 1;
    events[3].thread = 2;
    events[4].thread = 1;
    events[5].thread = 0; /* the initial thread may end before others */
    events[6].thread = 2;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        event_list_add(&list, &events[i]);
    assert_round_trip(&list, NULL);
    assert_int_equal(list.events[0].object, 1);
    assert_int_equal(list.events[2].object, 2);
    event_list_clean_up(&list);
}

static void random_streams(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 10, 1000, 20000};
    struct trace_writer_options options = {.time_unit_ns = 1, .compression_level = 1};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            struct event_list list = {0};
            event_list_add_random(&list, seed, lengths[i], 1);
            assert_round_trip(&list, &options);
            event_list_clean_up(&list);
        }
    }
}

static void blocks_that_are_just_full(void **state)
{
    (void)state;
    for (size_t count = 2 * BLOCK_EVENTS_MAX - 1; count <= 2 * BLOCK_EVENTS_MAX + 1; count++) {
        struct event_list list = {0};
        event_list_add_random(&list, count, count, 100);
        assert_round_trip(&list, NULL);
        event_list_clean_up(&list);
    }
}

/* Objects that outlive the memory of births are named in another way. */
static void objects_older_than_the_memory_of_births(void **state)
{
    (void)state;
    struct event_list list = {0};
    for (uint32_t i = 0; i < 300; i++)
        event_list_add(&list, &(struct trace_event){.kind = TRACE_MALLOC, .size = i, .count = 1});
    for (uint32_t i = 0; i < RECENT_BIRTHS - 150; i++) {
        struct trace_event event = event_sized(TRACE_MALLOC, 8);
        event_list_add(&list, &event);
        event = event_on(TRACE_FREE, 300, 0);
        event_list_add(&list, &event);
    }
    for (uint32_t i = 0; i < 300; i++) {
        struct trace_event event = event_on(i % 3 ? TRACE_FREE : TRACE_REALLOC, i * 7 % 300, 0);
        event_list_add(&list, &event);
    }
    assert_round_trip(&list, NULL);
    event_list_clean_up(&list);
}

static void an_empty_trace(void **state)
{
    (void)state;
    struct event_list list = {0};
    assert_round_trip(&list, NULL);
}

static void largest_columns_fit(void **state)
{
    (void)state;
    struct event_list list = {0};
    struct trace_event event = event_sized(TRACE_THREAD_START, 0);
    event_list_add(&list, &event);
    for (uint32_t i = 0; i < BLOCK_EVENTS_MAX; i++) {
        event = event_sized(TRACE_CALLOC, UINT64_MAX - i * UINT64_C(0x123456789));
        event.count = UINT64_MAX;
        event.flags = TRACE_FAILED;
        event.thread = i % 2;
        event.time_ns = UINT64_MAX / BLOCK_EVENTS_MAX * i;
        event_list_add(&list, &event);
    }
    assert_round_trip(&list, &(struct trace_writer_options){.time_unit_ns = 1});
    event_list_clean_up(&list);
}

/* Each time is rounded by itself, so the error stays below one unit however long the trace. */
static void times_do_not_drift(void **state)
{
    (void)state;
    struct event_list list = {0}, got = {0};
    for (uint32_t i = 0; i < 10000; i++) {
        struct trace_event event = event_sized(TRACE_MALLOC, 1);
        event.time_ns = i * UINT64_C(1499);
        event_list_add(&list, &event);
    }
    struct trace_error error;
    struct trace_writer_options options = {.time_unit_ns = 1000};
    assert_int_equal(write_trace(folder_path("t"), &list, &options, &error), 0);
    struct trace_source *source;
    assert_int_equal(trace_open(&source, folder_path("t"), &error), 0);
    assert_int_equal(read_events(source, &got, 64), 0);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(got.events[i].time_ns, list.events[i].time_ns / 1000 * 1000);
    trace_source_close(source);
    event_list_clean_up(&list);
    event_list_clean_up(&got);
}

static void name_and_description_are_kept(void **state)
{
    (void)state;
    struct event_list list = {0};
    struct trace_error error;
    struct trace_writer_options options = {.description = "command: a \"b\"\nversion: 1\n"};
    assert_int_equal(write_trace(folder_path("my.program.trace"), &list, &options, &error), 0);
    struct trace_source *source;
    assert_int_equal(trace_open(&source, folder_path("my.program.trace"), &error), 0);
    assert_string_equal(source->name, "my.program");
    assert_string_equal(source->description, options.description);
    trace_source_close(source);
}

static void impossible_options_are_refused(void **state)
{
    (void)state;
    struct trace_writer *writer;
    struct trace_error error;
    struct trace_writer_options level = {.compression_level = 20};
    struct trace_writer_options unit = {.time_unit_ns = UINT64_C(2000000000)};
    assert_int_equal(trace_writer_open(&writer, folder_path("x"), &level, &error), -EINVAL);
    assert_int_equal(trace_writer_open(&writer, folder_path("x"), &unit, &error), -EINVAL);
    assert_int_equal(folder_file_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(every_kind_and_flag),
        FOLDER_TEST(threads_start_act_and_end),
        FOLDER_TEST(random_streams),
        FOLDER_TEST(blocks_that_are_just_full),
        FOLDER_TEST(objects_older_than_the_memory_of_births),
        FOLDER_TEST(an_empty_trace),
        FOLDER_TEST(largest_columns_fit),
        FOLDER_TEST(times_do_not_drift),
        FOLDER_TEST(name_and_description_are_kept),
        FOLDER_TEST(impossible_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
