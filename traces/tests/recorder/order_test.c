/* The order of calls: spools written by hand, with stamps as threads could have got them, and the
 * events they must become. */
#include "traces/tests/support.h"

#include <fcntl.h>
#include <unistd.h>

#include "traces/spool_format.h"
#include "traces/spool_trace.h"

#define ADDRESS_A 0x10000u
#define ADDRESS_B 0x20000u

/* One tick is one nanosecond. */
static const struct spool_clock_rate rate = {UINT64_C(1) << 32};

/* A call as its thread wrote it. */
struct written {
    uint32_t thread;
    unsigned kind;
    uint64_t ticks;
    uint64_t address;
    uint64_t size;
    uint64_t old; /* with `before`: a realloc */
    uint64_t before;
};

#define CALL(thread, kind, ticks, address, size) \
    {                                            \
        thread, kind, ticks, address, size, 0, 0 \
    }
#define RESIZE(thread, kind, ticks, address, size, old, before) \
    {                                                           \
        thread, kind, ticks, address, size, old, before         \
    }

struct expected {
    uint32_t thread;
    unsigned kind;
    uint32_t object;
    uint64_t size;
};

static char spool_path[] = "/tmp/heaplab-order-XXXXXX";
static char trace_path[64];

static int set_up(void **state)
{
    (void)state;
    int file = mkstemp(spool_path);
    snprintf(trace_path, sizeof trace_path, "%s.trace", spool_path);
    return file < 0 || close(file);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(spool_path);
    unlink(trace_path);
    return 0;
}

static void put(FILE *file, uint64_t first, uint64_t second)
{
    struct spool_slot slot = {first, second};
    assert_int_equal(fwrite(&slot, sizeof slot, 1, file), 1);
}

static void put_call(FILE *file, const struct written *call)
{
    if (call->old) {
        put(file, (uint64_t)SPOOL_TICKS << 32, call->before);
        put(file, (uint64_t)SPOOL_OLD << 32, call->old);
    }
    put(file, (uint64_t)SPOOL_TICKS << 32, call->ticks);
    put(file, (uint64_t)call->kind << 32 | call->size << 40, call->address);
}

/* Writes the calls of `thread` as a chunk of one unit. */
static void put_chunk(FILE *file, long unit, uint32_t thread, uint32_t sequence,
                      const struct written *calls, size_t count)
{
    struct spool_chunk chunk = {
        .magic = SPOOL_CHUNK_MAGIC, .thread = thread, .sequence = sequence, .units = 1};
    assert_int_equal(fseek(file, unit * (long)SPOOL_UNIT_BYTES, SEEK_SET), 0);
    for (size_t i = count; i-- > 0;)
        if (calls[i].thread == thread)
            chunk.first_ticks = calls[i].ticks;
    assert_int_equal(fwrite(&chunk, sizeof chunk, 1, file), 1);
    for (size_t i = 0; i < count; i++)
        if (calls[i].thread == thread)
            put_call(file, &calls[i]);
}

static FILE *begin_spool(long units, uint64_t stop_ticks)
{
    struct spool_header header = {
        .magic = SPOOL_MAGIC, .clock = SPOOL_CLOCK_MONOTONIC, .stop_ticks = stop_ticks};
    FILE *file = fopen(spool_path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(&header, sizeof header, 1, file), 1);
    assert_int_equal(ftruncate(fileno(file), units * (long)SPOOL_UNIT_BYTES), 0);
    return file;
}

/* Merges the spool and compares: the events and how many calls were dropped. */
static void expect(const struct expected *events, size_t count, uint64_t dropped_count)
{
    struct spool_reader *reader;
    struct trace_summary summary;
    struct trace_error error = {0};
    const struct trace_writer_options options = {.description = ""};
    assert_int_equal(spool_reader_open(&reader, spool_path), 0);
    int status = spool_write_trace(reader, rate, trace_path, &options, &summary, &error);
    spool_reader_close(reader);
    if (status)
        fail_msg("%s", error.message);
    assert_int_equal(summary.dropped_count, dropped_count);
    assert_int_equal(summary.event_count, count);

    struct trace_source *source;
    assert_int_equal(trace_open(&source, trace_path, &error), 0);
    for (size_t i = 0; i < count; i++) {
        struct trace_event event;
        size_t got;
        assert_int_equal(trace_source_read(source, &event, 1, &got), 0);
        assert_int_equal(got, 1);
        assert_int_equal(event.kind, events[i].kind);
        assert_int_equal(event.thread, events[i].thread);
        assert_int_equal(event.object, events[i].object);
        assert_int_equal(event.size, events[i].size);
    }
    trace_source_close(source);
}

/* Each thread's calls in one chunk. */
static void write_spool(const struct written *calls, size_t count, uint32_t threads)
{
    FILE *file = begin_spool((long)threads + 1, 0);
    for (uint32_t thread = 0; thread < threads; thread++)
        put_chunk(file, (long)thread + 1, thread, 0, calls, count);
    assert_int_equal(fclose(file), 0);
}

#define COUNT(array)          (sizeof(array) / sizeof(array)[0])
#define WRITE_SPOOL(calls, n) write_spool(calls, COUNT(calls), n)
#define EXPECT(events, n)     expect(events, COUNT(events), n)

static void test_address_passes_between_threads(void **state)
{
    (void)state;
    static const struct written calls[] = {
        CALL(0, TRACE_THREAD_START, 1, 1, 0),  CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
        CALL(1, TRACE_FREE, 20, ADDRESS_A, 0), CALL(0, TRACE_MALLOC, 21, ADDRESS_A, 2),
        CALL(1, TRACE_FREE, 30, ADDRESS_A, 0),
    };
    static const struct expected events[] = {
        {0, TRACE_THREAD_START, 1, 0}, {0, TRACE_MALLOC, 0, 1}, {1, TRACE_FREE, 0, 0},
        {0, TRACE_MALLOC, 1, 2},       {1, TRACE_FREE, 1, 0},
    };
    WRITE_SPOOL(calls, 2);
    /* Object 1: id 0 lies on thread 1's private stack. */
    EXPECT(events, 0);
}

/* Thread 1 gets A, which the realloc gave up, before the realloc returns; and it gave up B, which
 * the realloc gets. */
static void test_realloc_swaps_addresses(void **state)
{
    (void)state;
    static const struct written calls[] = {
        CALL(0, TRACE_THREAD_START, 1, 1, 0),
        CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
        CALL(1, TRACE_MALLOC, 11, ADDRESS_B, 2),
        RESIZE(0, TRACE_REALLOC, 40, ADDRESS_B, 3, ADDRESS_A, 20),
        CALL(1, TRACE_FREE, 25, ADDRESS_B, 0),
        CALL(1, TRACE_MALLOC, 30, ADDRESS_A, 4),
        CALL(1, TRACE_FREE, 50, ADDRESS_B, 0),
        CALL(0, TRACE_FREE, 60, ADDRESS_A, 0),
    };
    static const struct expected events[] = {
        {0, TRACE_THREAD_START, 1, 0}, {0, TRACE_MALLOC, 0, 1}, {1, TRACE_MALLOC, 1, 2},
        {0, TRACE_REALLOC, 0, 3},      {1, TRACE_FREE, 1, 0},   {1, TRACE_MALLOC, 1, 4},
        {1, TRACE_FREE, 0, 0},         {0, TRACE_FREE, 1, 0},
    };
    WRITE_SPOOL(calls, 2);
    EXPECT(events, 0);
}

/* Stamps a little early: thread 1 seems to allocate A before it is free, and to free B before it is
 * there. */
static void test_early_stamps(void **state)
{
    (void)state;
    static const struct written calls[] = {
        CALL(0, TRACE_THREAD_START, 1, 1, 0),    CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
        CALL(1, TRACE_MALLOC, 15, ADDRESS_A, 2), CALL(0, TRACE_FREE, 20, ADDRESS_A, 0),
        CALL(0, TRACE_MALLOC, 35, ADDRESS_B, 3), CALL(1, TRACE_FREE, 30, ADDRESS_B, 0),
        CALL(1, TRACE_FREE, 31, ADDRESS_A, 0),
    };
    static const struct expected events[] = {
        {0, TRACE_THREAD_START, 1, 0}, {0, TRACE_MALLOC, 0, 1}, {0, TRACE_FREE, 0, 0},
        {1, TRACE_MALLOC, 1, 2},       {0, TRACE_MALLOC, 0, 3}, {1, TRACE_FREE, 0, 0},
        {1, TRACE_FREE, 1, 0},
    };
    WRITE_SPOOL(calls, 2);
    /* Object 1: id 0 lies on thread 0's private stack. */
    EXPECT(events, 0);
}

/* The release of A was not seen, nor the allocation of B: one is made up, the other left out. */
static void test_gaps_are_repaired(void **state)
{
    (void)state;
    static const struct written calls[] = {
        CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
        CALL(0, TRACE_MALLOC, 20, ADDRESS_A, 2),
        CALL(0, TRACE_FREE, 30, ADDRESS_B, 0),
        RESIZE(0, TRACE_REALLOC, 50, 0x30000, 3, ADDRESS_B, 40),
        CALL(0, TRACE_FREE, 60, ADDRESS_A, 0),
    };
    static const struct expected events[] = {
        {0, TRACE_MALLOC, 0, 1},
        {0, TRACE_FREE, 0, 0},
        {0, TRACE_MALLOC, 0, 2},
        {0, TRACE_FREE, 0, 0},
    };
    WRITE_SPOOL(calls, 1);
    EXPECT(events, 3);
}

static void test_failed_calls(void **state)
{
    (void)state;
    static const struct written calls[] = {
        CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
        CALL(0, TRACE_MALLOC, 20, 0, 2),
        RESIZE(0, TRACE_REALLOC, 40, 0, 3, ADDRESS_A, 30),
        RESIZE(0, TRACE_REALLOC, 60, 0, 0, ADDRESS_A, 50),
        CALL(0, TRACE_FREE, 70, 0, 0),
    };
    static const struct expected events[] = {
        {0, TRACE_MALLOC, 0, 1},  {0, TRACE_MALLOC, TRACE_NO_OBJECT, 2}, {0, TRACE_REALLOC, 0, 3},
        {0, TRACE_REALLOC, 0, 0}, {0, TRACE_FREE, TRACE_NO_OBJECT, 0},
    };
    WRITE_SPOOL(calls, 1);
    EXPECT(events, 0);
}

/* Thread 2 was not made by pthread_create; thread 1 never came to be. */
static void test_threads(void **state)
{
    (void)state;
    static const struct written calls[] = {
        CALL(0, TRACE_THREAD_START, 1, 1, 0),    CALL(0, SPOOL_THREAD_FAILED, 2, 1, 0),
        CALL(2, TRACE_MALLOC, 10, ADDRESS_A, 1), CALL(0, SPOOL_THREAD_EXIT, 15, 0, 0),
        CALL(2, SPOOL_THREAD_EXIT, 20, 0, 0),    CALL(2, TRACE_FREE, 21, ADDRESS_A, 0),
    };
    static const struct expected events[] = {
        {0, TRACE_THREAD_START, 1, 0},
        {1, TRACE_THREAD_END, TRACE_NO_OBJECT, 0},
        {0, TRACE_THREAD_START, 2, 0},
        {2, TRACE_MALLOC, 0, 1},
        {2, TRACE_FREE, 0, 0},
        {2, TRACE_THREAD_END, TRACE_NO_OBJECT, 0},
        {0, TRACE_THREAD_END, TRACE_NO_OBJECT, 0},
    };
    FILE *file = begin_spool(4, 0);
    put_chunk(file, 1, 0, 0, calls, COUNT(calls));
    put_chunk(file, 3, 2, 0, calls, COUNT(calls)); /* unit 2 was taken and not begun */
    assert_int_equal(fclose(file), 0);
    EXPECT(events, 0);
}

/* Killed while a full chunk was being copied: the copy counts from the moment when the original is
 * being emptied. */
static void test_kill_while_copying(void **state)
{
    (void)state;
    static const struct written calls[] = {CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
                                           CALL(0, TRACE_FREE, 20, ADDRESS_A, 0)};
    static const struct expected events[] = {{0, TRACE_MALLOC, 0, 1}, {0, TRACE_FREE, 0, 0}};
    FILE *file = begin_spool(3, 0);
    put_chunk(file, 1, 0, 0, calls, COUNT(calls));
    put_chunk(file, 2, 0, 0, calls, 1);
    assert_int_equal(fclose(file), 0);
    EXPECT(events, 0);

    file = begin_spool(3, 0);
    put_chunk(file, 1, 0, 0, calls, 0);
    put_chunk(file, 2, 0, 0, calls, COUNT(calls));
    assert_int_equal(fclose(file), 0);
    EXPECT(events, 0);
}

static void test_calls_after_the_stop_are_left_out(void **state)
{
    (void)state;
    static const struct written calls[] = {CALL(0, TRACE_MALLOC, 10, ADDRESS_A, 1),
                                           CALL(0, TRACE_FREE, 20, ADDRESS_A, 0)};
    static const struct expected events[] = {{0, TRACE_MALLOC, 0, 1}};
    FILE *file = begin_spool(2, 15);
    put_chunk(file, 1, 0, 0, calls, COUNT(calls));
    assert_int_equal(fclose(file), 0);
    EXPECT(events, 0);
}

static void test_other_files_are_refused(void **state)
{
    (void)state;
    struct spool_reader *reader;
    FILE *file = fopen(spool_path, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(spool_reader_open(&reader, spool_path), -ENODATA);
    file = begin_spool(4, 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(spool_reader_open(&reader, spool_path), -ENODATA);
    file = fopen(spool_path, "we");
    assert_non_null(file);
    for (int i = 0; i < 10000; i++)
        fputc('x', file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(spool_reader_open(&reader, spool_path), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_passes_between_threads),
        cmocka_unit_test(test_realloc_swaps_addresses),
        cmocka_unit_test(test_early_stamps),
        cmocka_unit_test(test_gaps_are_repaired),
        cmocka_unit_test(test_failed_calls),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_kill_while_copying),
        cmocka_unit_test(test_calls_after_the_stop_are_left_out),
        cmocka_unit_test(test_other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
