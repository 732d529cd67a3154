/* Output comes into being whole or not at all. */
#include "traces/tests/support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_random(const char *path, size_t count, struct trace_error *error)
{
    struct event_list list = {0};
    event_list_add_random(&list, 3, count, 100);
    *error = (struct trace_error){0};
    int status = write_trace(path, &list, NULL, error);
    event_list_clean_up(&list);
    return status;
}

static bool opens(const char *path)
{
    struct trace_source *source;
    struct trace_error error;
    if (trace_open(&source, path, &error))
        return false;
    trace_source_close(source);
    return true;
}

static void a_full_device(void **state)
{
    (void)state;
    struct trace_error error;
    assert_int_equal(write_random("/dev/full", 10, &error), -ENOSPC);
    assert_non_null(strstr(error.message, "No space left on device; make room"));
    struct stat status;
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

/* At once, in the middle, and at the very end. */
static void a_full_disk_leaves_nothing_behind(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    static const rlim_t sizes[] = {0, 10, 20000, 400000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        limit = before;
        limit.rlim_cur = sizes[i];
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        struct trace_error error;
        int status = write_random(folder_path("t"), 300000, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, -EFBIG);
        assert_non_null(strstr(error.message, "make room"));
        assert_int_equal(folder_file_count(), 0);
    }
}

static void a_failed_writer_accepts_nothing_further(void **state)
{
    (void)state;
    struct trace_writer *writer;
    struct trace_error error;
    assert_int_equal(trace_writer_open(&writer, folder_path("t"), NULL, &error), 0);
    struct trace_event bad = event_on(TRACE_FREE, 5, 0), good = event_sized(TRACE_MALLOC, 5);
    assert_int_equal(trace_writer_append(writer, &bad), -EPROTO);
    assert_int_equal(trace_writer_append(writer, &good), -EPROTO);
    assert_string_equal(trace_writer_error(writer)->message,
                        "event 0 (free): object 5 is not live");
    assert_int_equal(trace_writer_commit(writer, &error), -EPROTO);
    assert_string_equal(error.message, "event 0 (free): object 5 is not live");
    assert_int_equal(folder_file_count(), 0);
}

static void the_old_file_stays_until_the_new_is_whole(void **state)
{
    (void)state;
    struct trace_error error;
    assert_int_equal(write_random(folder_path("t"), 10, &error), 0);
    struct trace_writer *writer;
    assert_int_equal(trace_writer_open(&writer, folder_path("t"), NULL, &error), 0);
    assert_true(opens(folder_path("t")));
    trace_writer_abandon(writer);
    assert_true(opens(folder_path("t")));
    assert_int_equal(folder_file_count(), 1);
    assert_int_equal(write_random(folder_path("t"), 1000, &error), 0);
    assert_true(opens(folder_path("t")));
    assert_int_equal(folder_file_count(), 1);
}

static void a_link_is_followed(void **state)
{
    (void)state;
    struct trace_error error;
    assert_int_equal(write_random(folder_path("target"), 10, &error), 0);
    assert_int_equal(symlink("target", folder_path("link")), 0);
    assert_int_equal(write_random(folder_path("link"), 20, &error), 0);
    struct stat status;
    assert_int_equal(lstat(folder_path("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(folder_file_count(), 2);
}

static void two_writers_do_not_meet(void **state)
{
    (void)state;
    struct trace_writer *one, *two;
    struct trace_error error;
    assert_int_equal(trace_writer_open(&one, folder_path("t"), NULL, &error), 0);
    assert_int_equal(trace_writer_open(&two, folder_path("t"), NULL, &error), 0);
    assert_int_equal(trace_writer_commit(one, &error), 0);
    assert_int_equal(trace_writer_commit(two, &error), 0);
    assert_true(opens(folder_path("t")));
    assert_int_equal(folder_file_count(), 1);
}

static void places_that_cannot_be_written(void **state)
{
    (void)state;
    struct trace_error error;
    assert_int_equal(write_random(folder_path("none/t"), 1, &error), -ENOENT);
    assert_non_null(strstr(error.message, "choose a folder"));
    assert_int_equal(write_random("/tmp", 1, &error), -EISDIR);
    /* Root may write anywhere, so act as nobody; the folder is open to its owner only. */
    bool is_root = geteuid() == 0;
    if (is_root)
        assert_int_equal(seteuid(65534), 0);
    else
        assert_int_equal(chmod(folder_path("."), 0500), 0);
    int status = write_random(folder_path("t"), 1, &error);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    else
        assert_int_equal(chmod(folder_path("."), 0700), 0);
    assert_int_equal(status, -EACCES);
    assert_int_equal(folder_file_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_full_device),
        FOLDER_TEST(a_full_disk_leaves_nothing_behind),
        FOLDER_TEST(a_failed_writer_accepts_nothing_further),
        FOLDER_TEST(the_old_file_stays_until_the_new_is_whole),
        FOLDER_TEST(a_link_is_followed),
        FOLDER_TEST(two_writers_do_not_meet),
        FOLDER_TEST(places_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
