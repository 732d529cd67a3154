/* Whatever happens to a file, reading it ends in an error or in the true events; salvage ends in a
 * part of them. */
#include "traces/tests/support.h"

#include <sys/stat.h>

#include "traces/bytes.h"
#include "traces/columns.h"
#include "traces/format.h"
#include "traces/tests/damage.h"

struct sample {
    struct event_list events;
    uint8_t *bytes;
    size_t length;
};

static uint8_t *load(const char *path, size_t *length)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    *length = (size_t)status.st_size;
    uint8_t *bytes = malloc(*length);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, *length, file), *length);
    fclose(file);
    return bytes;
}

static void store(const char *path, const uint8_t *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void sample_init(struct sample *sample, size_t count)
{
    *sample = (struct sample){0};
    event_list_add_random(&sample->events, 5, count, 100);
    struct trace_writer_options options = {.description = "command: sample\n"};
    struct trace_error error;
    assert_int_equal(write_trace(folder_path("sample"), &sample->events, &options, &error), 0);
    sample->bytes = load(folder_path("sample"), &sample->length);
}

static void sample_clean_up(struct sample *sample)
{
    event_list_clean_up(&sample->events);
    free(sample->bytes);
}

static void assert_is_prefix(struct event_list *got, const struct event_list *of)
{
    assert_true(got->count <= of->count);
    struct event_list part = *of;
    part.count = got->count;
    assert_events_equal(got, &part);
}

static void check_damaged(const struct sample *sample, const uint8_t *bytes, size_t length)
{
    struct event_list got = {0};
    if (read_bytes(bytes, length, 0, &got) == 0)
        assert_events_equal(&got, &sample->events);
    event_list_clean_up(&got);
    if (read_bytes(bytes, length, 1, &got) == 0)
        assert_is_prefix(&got, &sample->events);
    event_list_clean_up(&got);
}

static void any_byte_changed(void **state)
{
    (void)state;
    static const uint8_t changes[] = {0x01, 0x10, 0x80, 0xff};
    struct sample sample;
    sample_init(&sample, 200);
    for (size_t at = 0; at < sample.length; at++) {
        for (size_t i = 0; i < sizeof changes; i++) {
            sample.bytes[at] ^= changes[i];
            check_damaged(&sample, sample.bytes, sample.length);
            sample.bytes[at] ^= changes[i];
        }
    }
    sample_clean_up(&sample);
}

/* The same with right checksums: now the events may be others, but reading ends and stays within
 * bounds. */
static void any_byte_changed_and_resealed(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 200);
    uint8_t *copy = malloc(sample.length);
    unsigned refused = 0;
    for (size_t at = 0; at < sample.length; at++) {
        for (unsigned value = 0; value < 256; value += 23) {
            memcpy(copy, sample.bytes, sample.length);
            copy[at] = (uint8_t)value;
            reseal(copy, sample.length);
            struct event_list got = {0};
            refused += read_bytes(copy, sample.length, 0, &got) != 0;
            event_list_clean_up(&got);
        }
    }
    assert_true(refused > 0);
    free(copy);
    sample_clean_up(&sample);
}

static void cut_off_anywhere(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 200);
    for (size_t length = 0; length < sample.length; length++) {
        struct event_list got = {0};
        int status = read_bytes(sample.bytes, length, 0, &got);
        assert_int_equal(status, length ? -EPROTO : -ENODATA);
        event_list_clean_up(&got);
        if (read_bytes(sample.bytes, length, 1, &got) == 0)
            assert_is_prefix(&got, &sample.events);
        event_list_clean_up(&got);
    }
    sample_clean_up(&sample);
}

static size_t block_end(const struct sample *sample, size_t at)
{
    return at + BLOCK_HEADER_BYTES + get_u32(sample->bytes + at + 8);
}

/* Complete blocks before the cut are all there, and the error names the place. */
static void salvage_keeps_complete_blocks(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 2 * BLOCK_EVENTS_MAX + 500);
    size_t first = FILE_HEADER_BYTES + strlen("command: sample\n") + FILE_HEADER_TAIL_BYTES;
    size_t second = block_end(&sample, first), third = block_end(&sample, second);
    const struct {
        size_t length, blocks, stop;
    } cases[] = {{third - 1, 1, second},
                 {third, 2, third},
                 {third + 10, 2, third},
                 {second + 100, 1, second},
                 {second - 1, 0, first}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store(folder_path("cut"), sample.bytes, cases[i].length);
        struct trace_source *source;
        struct trace_error error;
        assert_int_equal(trace_open(&source, folder_path("cut"), &error), -EPROTO);
        assert_int_equal(error.byte_offset, cases[i].stop);
        assert_non_null(strstr(error.message, "cut off"));
        assert_non_null(strstr(error.message, "heaplab import"));
        assert_int_equal(trace_open_salvage(&source, folder_path("cut"), &error), 0);
        assert_null(source->summary);
        struct event_list got = {0};
        assert_int_equal(read_events(source, &got, 1000), 0);
        assert_int_equal(source->error.byte_offset, cases[i].stop);
        assert_int_equal(got.count, cases[i].blocks * BLOCK_EVENTS_MAX);
        assert_is_prefix(&got, &sample.events);
        assert_int_equal(trace_source_summarise(source), 0);
        assert_int_equal(source->summary->event_count, got.count);
        trace_source_close(source);
        event_list_clean_up(&got);
    }
    sample_clean_up(&sample);
}

static void more_bytes_after_the_end(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 50);
    uint8_t *longer = calloc(1, sample.length + 400);
    memcpy(longer, sample.bytes, sample.length);
    struct event_list got = {0};
    assert_int_equal(read_bytes(longer, sample.length + 1, 0, &got), -EPROTO);
    assert_int_equal(read_bytes(longer, sample.length + 400, 0, &got), -EPROTO);
    /* Two traces in a row end in a summary, but it is not the summary of what is read. */
    memcpy(longer, sample.bytes, sample.length);
    uint8_t *twice = malloc(2 * sample.length);
    memcpy(twice, sample.bytes, sample.length);
    memcpy(twice + sample.length, sample.bytes, sample.length);
    assert_int_equal(read_bytes(twice, 2 * sample.length, 0, &got), -EPROTO);
    free(twice);
    free(longer);
    event_list_clean_up(&got);
    sample_clean_up(&sample);
}

static void assert_open_fails(const char *path, int status, const char *words)
{
    struct trace_source *source;
    struct trace_error error = {0};
    assert_int_equal(trace_open(&source, path, &error), status);
    if (!strstr(error.message, words))
        fail_msg("'%s' does not say '%s'", error.message, words);
}

static void what_is_not_a_trace(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 10);
    assert_open_fails(folder_path("missing"), -ENOENT, "No such file");
    assert_open_fails("/dev/null", -EINVAL, "not a regular file");
    assert_open_fails("/tmp", -EINVAL, "not a regular file");
    store(folder_path("empty"), sample.bytes, 0);
    assert_open_fails(folder_path("empty"), -ENODATA, "empty");
    store(folder_path("text"), (const uint8_t *)"202: malloc 0x10 3\n", 19);
    assert_open_fails(folder_path("text"), -EPROTO, "heaplab import");
    put_u32(sample.bytes + 8, 77);
    store(folder_path("version"), sample.bytes, sample.length);
    assert_open_fails(folder_path("version"), -ENOTSUP, "version 77");
    sample_clean_up(&sample);
}

static void a_summary_that_lies(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample, 300);
    uint8_t *summary = sample.bytes + sample.length - SUMMARY_BYTES;
    for (size_t field = 0; field < SUMMARY_BYTES / 8; field++) {
        bool is_dropped = field == 10 + TRACE_KIND_COUNT; /* which events do not tell */
        uint64_t truth = get_u64(summary + 8 * field);
        put_u64(summary + 8 * field, truth + 1);
        reseal(sample.bytes, sample.length);
        struct event_list got = {0};
        int status = read_bytes(sample.bytes, sample.length, 0, &got);
        assert_int_equal(status, is_dropped ? 0 : -EPROTO);
        event_list_clean_up(&got);
        put_u64(summary + 8 * field, truth);
    }
    sample_clean_up(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(any_byte_changed),         FOLDER_TEST(any_byte_changed_and_resealed),
        FOLDER_TEST(cut_off_anywhere),         FOLDER_TEST(salvage_keeps_complete_blocks),
        FOLDER_TEST(more_bytes_after_the_end), FOLDER_TEST(what_is_not_a_trace),
        FOLDER_TEST(a_summary_that_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
