/* How long reading and writing take: cmake --build build --target traces_speed, then
 *
 *     build/tests/traces_speed TRACE...
 *
 * prints processor time per event, the best of five passes, writing at several levels of
 * compression. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "traces/trace.h"

#define BATCH_EVENTS 256
#define PASSES       5

static const int levels[] = {1, 3, 6};

static double processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void stop(const char *path, const struct trace_error *error)
{
    fprintf(stderr, "%s: %s\n", path, error->message);
    exit(1);
}

static void read_all(struct trace_source *source, const char *path)
{
    static struct trace_event batch[BATCH_EVENTS];
    size_t count;
    do {
        if (trace_source_read(source, batch, BATCH_EVENTS, &count))
            stop(path, &source->error);
    } while (count);
}

static double read_time(struct trace_source *source, const char *path)
{
    double best = 1e300;
    for (unsigned pass = 0; pass < PASSES; pass++) {
        trace_source_rewind(source);
        double start = processor_ns();
        read_all(source, path);
        double taken = processor_ns() - start;
        best = taken < best ? taken : best;
    }
    return best;
}

static struct trace_event *load(struct trace_source *source, const char *path)
{
    size_t wanted = source->summary->event_count, held = 0, count;
    struct trace_event *events = calloc(wanted + 1, sizeof *events);
    trace_source_rewind(source);
    for (; held < wanted; held += count)
        if (!events || trace_source_read(source, events + held, wanted - held, &count))
            stop(path, &source->error);
    return events;
}

/* To /dev/null: the disk is not what is measured. */
static double write_time(struct trace_event *events, size_t count, int level)
{
    double best = 1e300;
    for (unsigned pass = 0; pass < PASSES; pass++) {
        struct trace_writer_options options = {.compression_level = level};
        struct trace_writer *writer;
        struct trace_error error;
        double start = processor_ns();
        if (trace_writer_open(&writer, "/dev/null", &options, &error))
            stop("/dev/null", &error);
        for (size_t i = 0; i < count; i++)
            if (trace_writer_append(writer, &events[i]))
                stop("/dev/null", trace_writer_error(writer));
        if (trace_writer_commit(writer, &error))
            stop("/dev/null", &error);
        double taken = processor_ns() - start;
        best = taken < best ? taken : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    printf("%-20s %9s", "trace", "read ns");
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        printf("   write ns at %d", levels[i]);
    putchar('\n');
    for (int i = 1; i < argc; i++) {
        struct trace_source *source;
        struct trace_error error;
        if (trace_open(&source, argv[i], &error))
            stop(argv[i], &error);
        double count = (double)source->summary->event_count;
        printf("%-20s %9.1f", source->name, read_time(source, argv[i]) / count);
        struct trace_event *events = load(source, argv[i]);
        for (size_t j = 0; j < sizeof levels / sizeof levels[0]; j++)
            printf(" %15.1f", write_time(events, (size_t)count, levels[j]) / count);
        putchar('\n');
        fflush(stdout);
        free(events);
        trace_source_close(source);
    }
    return 0;
}
