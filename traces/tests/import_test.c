/* Imports that need binary samples, archives or long inputs; the formats of text have theirs in
 * import/. */
#include "traces/tests/support.h"

#include <archive.h>
#include <archive_entry.h>

#include "traces/bytes.h"
#include "traces/import.h"
#include "traces/text.h"

static void store(const char *name, const void *bytes, size_t length)
{
    FILE *file = fopen(folder_path(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* Imports `name` and returns what the resulting trace holds. */
static struct event_list import_events(const char *name, const char *format,
                                       struct trace_import_report *report)
{
    struct trace_error error = {0};
    if (trace_import(folder_path(name), folder_path("out.trace"), NULL, NULL, report, &error))
        fail_msg("%s: %s", name, error.message);
    assert_string_equal(report->format, format);
    struct trace_source *source;
    assert_int_equal(trace_open(&source, folder_path("out.trace"), &error), 0);
    struct event_list events = {0};
    assert_int_equal(read_events(source, &events, 100), 0);
    assert_int_equal(events.count, report->event_count);
    trace_source_close(source);
    return events;
}

static void assert_import_fails(const char *name, const char *format, int status, const char *words)
{
    struct trace_error error = {0};
    struct trace_import_report report;
    unsigned files = folder_file_count();
    int got =
        trace_import(folder_path(name), folder_path("none.trace"), format, NULL, &report, &error);
    assert_int_equal(got, status);
    if (!strstr(error.message, words))
        fail_msg("'%s' does not say '%s'", error.message, words);
    assert_int_equal(folder_file_count(), files);
}

/* ---- glibc's binary records ---- */

static void put_record(uint8_t *to, uint32_t thread, uint32_t kind, uint64_t argument,
                       uint64_t result, uint64_t size, uint64_t alignment)
{
    memset(to, 0, 64);
    put_u32(to, thread);
    put_u32(to + 4, kind | 0xabcd00); /* the upper bits are flags of no interest */
    put_u64(to + 8, argument);
    put_u64(to + 16, result);
    put_u64(to + 24, size);
    put_u64(to + 32, alignment);
}

static void glibc_records(void **state)
{
    (void)state;
    uint8_t records[12 * 64];
    put_record(records + 0 * 64, 0, 255, 0x1234, 0, 8, 0);
    put_record(records + 1 * 64, 70, 1, 0, 0x1000, 24, 0);
    put_record(records + 2 * 64, 70, 2, 0, 0x2000, 80, 0);
    put_record(records + 3 * 64, 71, 4, 0x1000, 0x3000, 100, 0);
    put_record(records + 4 * 64, 71, 5, 0, 0x4000, 10, 64);
    put_record(records + 5 * 64, 71, 6, 0, 0x5000, 11, 0);
    put_record(records + 6 * 64, 71, 7, 0, 0x6000, 12, 0);
    put_record(records + 7 * 64, 71, 8, 0, 0x7000, 13, 32);
    put_record(records + 8 * 64, 71, 8, 22, 0x7fff, 14, 3);
    put_record(records + 9 * 64, 70, 3, 0x3000, 0, 0, 0);
    put_record(records + 10 * 64, 70, 3, 0, 0, 0, 0);
    put_record(records + 11 * 64, 70, 3, 0x9999, 0, 0, 0);
    store("in", records, sizeof records);
    struct trace_import_report report;
    struct event_list got = import_events("in", "glibc", &report);
    assert_int_equal(report.dropped, 1);

    struct trace_event wanted_events[] = {
        event_on(TRACE_MALLOC, 0, 24),
        event_on(TRACE_CALLOC, 1, 80),
        event_on(TRACE_THREAD_START, 1, 0),
        event_on(TRACE_REALLOC, 0, 100),
        event_on(TRACE_MEMALIGN, 2, 10),
        event_on(TRACE_VALLOC, 3, 11),
        event_on(TRACE_PVALLOC, 4, 12),
        event_on(TRACE_POSIX_MEMALIGN, 5, 13),
        event_sized(TRACE_POSIX_MEMALIGN, 14),
        event_on(TRACE_FREE, 0, 0),
        event_sized(TRACE_FREE, 0),
    };
    for (unsigned i = 3; i <= 8; i++)
        wanted_events[i].thread = 1;
    wanted_events[4].alignment = 64;
    wanted_events[7].alignment = 32;
    wanted_events[8].alignment = 3;
    wanted_events[8].flags = TRACE_FAILED;
    wanted_events[10].flags = TRACE_NULL_ARGUMENT;
    struct event_list wanted = {wanted_events, sizeof wanted_events / sizeof wanted_events[0], 0};
    assert_events_equal(&got, &wanted);
    event_list_clean_up(&got);

    store("cut", records, sizeof records - 10);
    assert_import_fails("cut", NULL, -EPROTO, "ends inside a record");
}

/* ---- archives ---- */

static void store_zip(const char *name, const char *const *contents, unsigned count)
{
    struct archive *archive = archive_write_new();
    archive_write_set_format_zip(archive);
    assert_int_equal(archive_write_open_filename(archive, folder_path(name)), ARCHIVE_OK);
    for (unsigned i = 0; i < count; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, i ? "folder/two.txt" : "one.txt");
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (la_int64_t)strlen(contents[i]));
        assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
        archive_write_data(archive, contents[i], strlen(contents[i]));
        archive_entry_free(entry);
    }
    archive_write_close(archive);
    archive_write_free(archive);
}

static void zip_archives(void **state)
{
    (void)state;
    const char *contents[] = {"1: malloc 0x10 5\n1: free 0x10\n", "1: malloc 0x10 5\n"};
    store_zip("one.zip", contents, 1);
    struct trace_import_report report;
    struct event_list got = import_events("one.zip", "android", &report);
    assert_int_equal(got.count, 2);
    event_list_clean_up(&got);
    store_zip("two.zip", contents, 2);
    assert_import_fails("two.zip", NULL, -EPROTO, "more than one file");
    store_zip("none.zip", contents, 0);
    assert_import_fails("none.zip", NULL, -ENODATA, "empty");
}

/* ---- text ---- */

/* Whatever is written as text reads back as the same events, to the last flag. */
static void text_round_trips(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct event_list list = {0};
        event_list_add_random(&list, seed, 3000, 1);
        struct trace_writer_options options = {.time_unit_ns = 1, .description = "a: b\nc: d\n"};
        struct trace_error error;
        assert_int_equal(write_trace(folder_path("t.trace"), &list, &options, &error), 0);
        struct trace_source *source;
        assert_int_equal(trace_open(&source, folder_path("t.trace"), &error), 0);
        assert_int_equal(trace_write_text(source, folder_path("t.txt"), &error), 0);
        trace_source_close(source);
        struct trace_import_report report;
        struct event_list got = import_events("t.txt", "text", &report);
        assert_events_equal(&got, &list);
        event_list_clean_up(&got);
        event_list_clean_up(&list);
    }
}

/* ---- input that is no trace ---- */

static void unknown_content(void **state)
{
    (void)state;
    store("prose", "Once upon a time\nthere was (in the woods) a house.\n", 50);
    assert_import_fails("prose", NULL, -EPROTO, "not a trace of any known format");
    assert_import_fails("prose", "android", -EPROTO, "line 1: is not");
    assert_import_fails("prose", "malloclab", -EPROTO, "line 1: is not");
    assert_import_fails("prose", "glibc", -EPROTO, "ends inside a record");
    assert_import_fails("prose", "nonsense", -EINVAL, "no format 'nonsense'");
    assert_import_fails("missing", NULL, -ENOENT, "cannot be opened");
    assert_import_fails(".", NULL, -EISDIR, "is a folder");
    store("empty", "", 0);
    assert_import_fails("empty", NULL, -ENODATA, "empty");
}

static void a_line_without_end(void **state)
{
    (void)state;
    size_t length = (size_t)1 << 20;
    char *line = malloc(length);
    memset(line, 'x', length);
    store("long", line, length);
    assert_import_fails("long", "mtrace", -EPROTO, "too long");
    assert_import_fails("long", NULL, -EPROTO, "not a trace of any known format");
    memcpy(line, "= Start\n", 8);
    store("long", line, length);
    assert_import_fails("long", NULL, -EPROTO, "too long");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(glibc_records),      FOLDER_TEST(zip_archives),
        FOLDER_TEST(text_round_trips),   FOLDER_TEST(unknown_content),
        FOLDER_TEST(a_line_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
