/* Mutates small traces and samples of foreign formats and reads them, for as long as one likes:
 *
 *     traces_fuzz [SECONDS [SEED]] [-- SAMPLE...]
 *
 * A finding is a crash, a hang (a minute without progress) or a sanitizer's report, so build it
 * with -DHEAPLAB_SANITIZE. The input at work is in the file named at the start. Not part of make
 * test. */
#include "traces/tests/support.h"

#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "traces/import.h"
#include "traces/tests/damage.h"

#define INPUT_BYTES_MAX ((size_t)1 << 16)
#define SAMPLES_MAX     64
#define HANG_SECONDS    60

struct bytes {
    uint8_t *data;
    size_t length;
};

static struct bytes samples[SAMPLES_MAX];
static unsigned sample_count;
static uint64_t state;

static uint64_t number(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % limit;
}

static void add_sample(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    size_t length = fread(data, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    assert_true(sample_count < SAMPLES_MAX);
    samples[sample_count++] = (struct bytes){data, length};
}

/* Traces of heaplab of several lengths. */
static void add_own_samples(void)
{
    folder_make();
    for (size_t count = 0; count < 2000; count = 3 * count + 5) {
        struct event_list list = {0};
        struct trace_error error;
        event_list_add_random(&list, count + 1, count, 100);
        assert_int_equal(write_trace(folder_path("t"), &list, NULL, &error), 0);
        add_sample(folder_path("t"));
        event_list_clean_up(&list);
    }
    folder_remove();
}

/* A copy of a sample with a few bytes changed, cut out, doubled or taken from another. */
static size_t mutate(uint8_t *to)
{
    const struct bytes *from = &samples[number(sample_count)];
    size_t length = from->length;
    memcpy(to, from->data, length);
    for (uint64_t changes = 1 + number(6); changes && length; changes--) {
        size_t at = number(length), span = 1 + number(length - at < 64 ? length - at : 64);
        const struct bytes *other = &samples[number(sample_count)];
        switch (number(6)) {
        case 0:
            to[at] ^= (uint8_t)(1U << number(8));
            break;
        case 1:
            to[at] = (uint8_t)number(256);
            break;
        case 2:
            memset(to + at, number(2) ? 0xff : 0, span);
            break;
        case 3:
            memmove(to + at, to + at + span, length - at - span);
            length -= span;
            break;
        case 4:
            if (length + span <= INPUT_BYTES_MAX) {
                memmove(to + at + span, to + at, length - at);
                length += span;
            }
            break;
        default:
            if (other->length >= span)
                memcpy(to + at, other->data + number(other->length - span + 1), span);
        }
    }
    return length;
}

static void import_bytes(const uint8_t *bytes, size_t length)
{
    int descriptor = memfd_create("input", MFD_CLOEXEC);
    assert_int_equal(write(descriptor, bytes, length), length);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    struct trace_import_report report;
    struct trace_error error;
    const char *format = NULL;
    if (number(2))
        format = trace_import_format_name((unsigned)number(9));
    trace_import(path, "/dev/null", format, NULL, &report, &error);
    close(descriptor);
}

static void try_one(uint8_t *bytes, int kept)
{
    size_t length = mutate(bytes);
    if (number(2))
        reseal(bytes, length);
    assert_int_equal(ftruncate(kept, 0), 0);
    assert_int_equal(pwrite(kept, bytes, length, 0), length);
    alarm(HANG_SECONDS);
    for (int salvage = 0; salvage < 2; salvage++) {
        struct event_list got = {0};
        read_bytes(bytes, length, salvage, &got);
        event_list_clean_up(&got);
    }
    import_bytes(bytes, length);
}

int main(int argc, char **argv)
{
    int arguments = 1;
    while (arguments < argc && strcmp(argv[arguments], "--"))
        arguments++;
    time_t end = time(NULL) + (arguments > 1 ? atoi(argv[1]) : 60);
    state = arguments > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);
    state |= 1;
    add_own_samples();
    for (int i = arguments + 1; i < argc; i++)
        add_sample(argv[i]);
    char kept_path[] = "/tmp/traces-fuzz-XXXXXX";
    int kept = mkstemp(kept_path);
    printf("seed %llu, input in %s\n", (unsigned long long)state, kept_path);
    fflush(stdout);
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    uint64_t tried = 0;
    for (; time(NULL) < end; tried++)
        try_one(bytes, kept);
    printf("%llu inputs\n", (unsigned long long)tried);
    unlink(kept_path);
    free(bytes);
    for (unsigned i = 0; i < sample_count; i++)
        free(samples[i].data);
    return 0;
}
