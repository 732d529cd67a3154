/* The summary of a stream small enough to be reckoned by hand, by all who reckon it. */
#include "traces/tests/support.h"

#include "traces/ledger.h"

/* Live bytes after each event stand on the right. */
static void add_known_events(struct event_list *list)
{
    struct trace_event events[] = {
        event_sized(TRACE_THREAD_START, 0),     /*   0 */
        event_sized(TRACE_MALLOC, 100),         /* 100: object 0 */
        event_sized(TRACE_CALLOC, 10),          /* 150: object 1, by thread 1 */
        event_on(TRACE_REALLOC, 0, 300),        /* 350: by thread 1, so foreign */
        event_on(TRACE_FREE, 0, 0),             /*  50: by thread 1, which resized it */
        event_sized(TRACE_MALLOC, UINT64_MAX),  /*  50: fails */
        event_sized(TRACE_FREE, 0),             /*  50: free(NULL) */
        event_sized(TRACE_POSIX_MEMALIGN, 300), /* 350: object 2: 0 is on thread 1's stack */
        event_on(TRACE_REALLOC, 1, 0),          /* 300: fails, so releases; foreign */
        event_on(TRACE_REALLOC, 2, 0),          /*   0: resized to nothing, but live */
        event_sized(TRACE_MALLOC, 7),           /*   7: object 1 again */
        event_sized(TRACE_THREAD_END, 0),       /*   7 */
    };
    events[2].count = 5;
    events[2].thread = events[3].thread = events[4].thread = events[11].thread = 1;
    events[5].flags = TRACE_FAILED;
    events[6].flags = TRACE_NULL_ARGUMENT;
    events[7].alignment = 32;
    events[8].flags = TRACE_FAILED;
    static const uint32_t ids[] = {
        1, 0, 1, 0, 0, TRACE_NO_OBJECT, TRACE_NO_OBJECT, 2, 1, 2, 1, TRACE_NO_OBJECT};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        events[i].time_ns = 1000 * i;
        events[i].object = ids[i];
        event_list_add(list, &events[i]);
    }
}

static const struct trace_summary known = {
    .event_count = 12,
    .call_count = {[TRACE_MALLOC] = 3,
                   [TRACE_CALLOC] = 1,
                   [TRACE_REALLOC] = 3,
                   [TRACE_FREE] = 2,
                   [TRACE_POSIX_MEMALIGN] = 1,
                   [TRACE_THREAD_START] = 1,
                   [TRACE_THREAD_END] = 1},
    .failed_count = 2,
    .null_argument_count = 1,
    .duration_ns = 11000,
    .allocated_bytes = 100 + 50 + 300 + 300 + 0 + 7,
    .peak_live_bytes = 350,
    .peak_live_event = 3,
    .peak_live_objects = 2,
    .final_live_bytes = 7,
    .final_live_objects = 2,
    .foreign_release_count = 2,
    .object_count = 3,
    .thread_count = 2,
};

static void a_source_is_summarised(void **state)
{
    (void)state;
    struct event_list list = {0};
    add_known_events(&list);
    struct trace_source *source = list_source(&list);
    if (trace_source_summarise(source))
        fail_msg("%s", source->error.message);
    assert_memory_equal(source->summary, &known, sizeof known);

    struct event_list again = {0};
    assert_int_equal(read_events(source, &again, 5), 0);
    assert_events_equal(&again, &list); /* the source was rewound */
    trace_source_close(source);
    event_list_clean_up(&list);
    event_list_clean_up(&again);
}

static void the_file_states_it(void **state)
{
    (void)state;
    folder_make();
    struct event_list list = {0};
    add_known_events(&list);
    struct trace_writer *writer;
    struct trace_error error;
    assert_int_equal(trace_writer_open(&writer, folder_path("s"), NULL, &error), 0);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(trace_writer_append(writer, &list.events[i]), 0);
    trace_writer_drop(writer, 40);
    trace_writer_drop(writer, 2);
    struct trace_summary wanted = known;
    wanted.dropped_count = 42;
    assert_memory_equal(trace_writer_summary(writer), &wanted, sizeof wanted);
    assert_int_equal(trace_writer_commit(writer, &error), 0);

    struct trace_source *source;
    assert_int_equal(trace_open(&source, folder_path("s"), &error), 0);
    assert_memory_equal(source->summary, &wanted, sizeof wanted);
    struct event_list got = {0};
    assert_int_equal(read_events(source, &got, 100), 0);
    assert_int_equal(trace_source_summarise(source), 0); /* known already */
    trace_source_close(source);
    event_list_clean_up(&list);
    event_list_clean_up(&got);
    folder_remove();
}

/* Each is illegal after the known events; the ledger must say so whoever assigns the ids. */
static void illegal_events_are_refused(void **state)
{
    (void)state;
    struct trace_event event = event_sized(TRACE_MALLOC, 1);
    event.time_ns = 20000;
    struct trace_event cases[32];
    unsigned count = 0;
#define ILLEGAL(...) \
    (cases[count] = event, cases[count] = (__VA_ARGS__), cases[count].time_ns = 20000, count++)
    ILLEGAL(event_on(TRACE_FREE, 0, 0));               /* released before */
    ILLEGAL(event_on(TRACE_FREE, 3, 0));               /* never existed */
    ILLEGAL(event_on(TRACE_FREE, TRACE_NO_OBJECT, 0)); /* NULL without the flag */
    ILLEGAL(event_on(TRACE_REALLOC, 0, 10));
    ILLEGAL(event_sized(TRACE_MALLOC, TRACE_SIZE_MAX + 1));
    ILLEGAL(event_sized(TRACE_MALLOC, TRACE_BYTES_MAX + 1));
    ILLEGAL(event_on(TRACE_REALLOC, 2, TRACE_BYTES_MAX + 1));
    ILLEGAL(event_sized(TRACE_MEMALIGN, 8)); /* alignment 0 */
    ILLEGAL(event_sized(0, 8));
    ILLEGAL(event_sized(TRACE_KIND_COUNT, 8));
    ILLEGAL(event_on(TRACE_MALLOC, TRACE_NO_OBJECT, 1));
    cases[count - 1].thread = 1; /* has ended */
    ILLEGAL(event_on(TRACE_MALLOC, TRACE_NO_OBJECT, 1));
    cases[count - 1].thread = 2; /* has not started */
    ILLEGAL(event_sized(TRACE_MALLOC, 1));
    cases[count - 1].flags = TRACE_NULL_ARGUMENT;
    ILLEGAL(event_on(TRACE_FREE, 1, 0));
    cases[count - 1].flags = TRACE_FAILED;
    ILLEGAL(event_on(TRACE_FREE, 1, 0));
    cases[count - 1].flags = 4;
    ILLEGAL(event_sized(TRACE_CALLOC, UINT64_C(1) << 40));
    cases[count - 1].count = UINT64_C(1) << 40;
    ILLEGAL(event_sized(TRACE_ALIGNED_ALLOC, 1));
    cases[count - 1].alignment = 48;
    ILLEGAL(event_sized(TRACE_MEMALIGN, 1));
    cases[count - 1].alignment = 2 * TRACE_ALIGNMENT_MAX;
    ILLEGAL(event_sized(TRACE_THREAD_START, 0));
    cases[count - 1].flags = TRACE_FAILED;
    ILLEGAL(event_on(TRACE_FREE, 1, 0));
    cases[count - 1].time_ns = 10999;

    struct event_list list = {0};
    add_known_events(&list);
    for (unsigned i = 0; i < count; i++) {
        struct trace_ledger ledger;
        struct trace_error error = {0};
        assert_int_equal(trace_ledger_init(&ledger), 0);
        for (size_t j = 0; j < list.count; j++)
            assert_int_equal(trace_ledger_apply(&ledger, &list.events[j], LEDGER_CHECK_IDS, &error),
                             0);
        int status = trace_ledger_apply(&ledger, &cases[i], LEDGER_ASSIGN_IDS, &error);
        if (status != -EPROTO)
            fail_msg("case %u was not refused", i);
        assert_true(strlen(error.message) > 20);
        trace_ledger_clean_up(&ledger);
    }
    event_list_clean_up(&list);
}

static void wrong_ids_are_refused(void **state)
{
    (void)state;
    struct trace_event wrong[] = {event_on(TRACE_MALLOC, 3, 1), event_on(TRACE_THREAD_START, 1, 0)};
    for (unsigned i = 0; i < 2; i++) {
        struct event_list list = {0};
        add_known_events(&list);
        wrong[i].time_ns = 20000;
        event_list_add(&list, &wrong[i]);
        struct trace_source *source = list_source(&list);
        assert_int_equal(trace_source_summarise(source), -EPROTO);
        assert_null(source->summary);
        trace_source_close(source);
        event_list_clean_up(&list);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_summarised),
        cmocka_unit_test(the_file_states_it),
        cmocka_unit_test(illegal_events_are_refused),
        cmocka_unit_test(wrong_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
