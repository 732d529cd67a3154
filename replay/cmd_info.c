/* heaplab info: what a trace holds. Reads all of it, so that what it prints without an error is
 * also true. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "replay/command.h"
#include "replay/sources.h"

#define BATCH_EVENTS 256
/* Bucket 0 holds 0; bucket b holds 2^(b-1) to 2^b - 1. */
#define BUCKETS   65
#define BAR_WIDTH 40

struct info_options {
    bool csv;
    char **paths;
    int path_count;
};

/* What the summary does not say. */
struct profile {
    uint64_t size_counts[BUCKETS]; /* successful requests by bytes */
    uint64_t
        lifetime_counts[BUCKETS]; /* released objects by the events between birth and release */
    uint64_t *births;             /* by object: the index of the event that made it */
    size_t birth_capacity;
    uint64_t file_bytes;
};

static unsigned bucket_of(uint64_t value)
{
    return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

/* Grows the table of births to hold `object`. Not sized by the summary, which may be untrue until
 * all is read. */
static int reserve_birth(struct profile *profile, uint32_t object)
{
    if (object < profile->birth_capacity)
        return 0;
    size_t capacity = 2 * (size_t)object + 1024;
    uint64_t *births = reallocarray(profile->births, capacity, sizeof *births);
    if (!births)
        return -ENOMEM;
    profile->births = births;
    profile->birth_capacity = capacity;
    return 0;
}

static int count_event(struct profile *profile, const struct trace_event *event, uint64_t index)
{
    if (trace_event_allocates(event) || trace_event_resizes(event))
        profile->size_counts[bucket_of(trace_event_bytes(event))]++;
    if (trace_event_allocates(event)) {
        if (reserve_birth(profile, event->object))
            return -ENOMEM;
        profile->births[event->object] = index;
    }
    if (trace_event_releases(event))
        profile->lifetime_counts[bucket_of(index - profile->births[event->object])]++;
    return 0;
}

static int read_all(struct trace_source *source, struct profile *profile)
{
    struct trace_event events[BATCH_EVENTS];
    uint64_t index = 0;
    for (;;) {
        size_t count;
        int status = trace_source_read(source, events, BATCH_EVENTS, &count);
        if (status || count == 0)
            return status;
        for (size_t i = 0; i < count; i++) {
            if (count_event(profile, &events[i], index++)) {
                source->error = (struct trace_error){UINT64_MAX, "out of memory"};
                return -ENOMEM;
            }
        }
    }
}

/* ---- output for people ---- */

/* 1234567 as "1,234,567", in one of a few static buffers. */
static const char *grouped(uint64_t value)
{
    static char buffers[4][32];
    static unsigned next;
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    char *to = buffers[next++ % 4], *at = to;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return to;
}

static void print_count(const char *label, uint64_t value, const char *unit)
{
    printf("  %-18s %17s%s%s\n", label, grouped(value), *unit ? " " : "", unit);
}

/* A command may have hundreds of arguments; "heaplab export" shows all of them. */
#define VALUE_BYTES_MAX 140

/* Cuts between characters of UTF-8. */
static void print_value(const char *text, size_t length)
{
    size_t shown = length;
    if (length > VALUE_BYTES_MAX)
        for (shown = VALUE_BYTES_MAX; shown && (text[shown] & 0xc0) == 0x80;)
            shown--;
    printf("%.*s%s\n", (int)shown, text, shown < length ? " ..." : "");
}

static void print_description(const char *description)
{
    while (*description) {
        size_t length = strcspn(description, "\n");
        const char *colon = memchr(description, ':', length);
        if (colon) {
            const char *value = colon + 1 + strspn(colon + 1, " ");
            printf("  %-18.*s ", (int)(colon - description), description);
            print_value(value, (size_t)(description + length - value));
        } else if (length) {
            fputs("  ", stdout);
            print_value(description, length);
        }
        description += length + (description[length] == '\n');
    }
}

/* "512 B", "4 KiB": exact for powers of two. */
static const char *power_name(unsigned exponent, bool bytes)
{
    static char buffers[4][16];
    static unsigned next;
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    char *to = buffers[next++ % 4];
    if (bytes)
        snprintf(to, sizeof buffers[0], "%u %s", 1U << exponent % 10, units[exponent / 10]);
    else
        snprintf(to, sizeof buffers[0], "%s", grouped(UINT64_C(1) << exponent));
    return to;
}

static void print_histogram(const char *title, const uint64_t *counts, bool bytes)
{
    uint64_t total = 0, largest = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        total += counts[i];
        largest = counts[i] > largest ? counts[i] : largest;
        last = counts[i] ? i : last;
    }
    if (total == 0)
        return;
    printf("\n  %s\n", title);
    for (unsigned i = 0; i <= last; i++) {
        double share = (double)counts[i] / (double)total;
        int bar = (int)(BAR_WIDTH * ((double)counts[i] / (double)largest) + 0.5);
        char label[24];
        if (i == 0)
            snprintf(label, sizeof label, "0");
        else if (i == 64)
            snprintf(label, sizeof label, "2^63 and more");
        else
            snprintf(label, sizeof label, "below %s", power_name(i, bytes));
        printf("    %-18s %15s %5.1f %%  %.*s\n", label, grouped(counts[i]), 100 * share, bar,
               "########################################");
    }
}

static double per_event(uint64_t quantity, const struct trace_summary *summary)
{
    return summary->event_count ? (double)quantity / (double)summary->event_count : 0;
}

static void print_text(const char *path, const struct trace_source *source,
                       const struct profile *profile)
{
    const struct trace_summary *summary = source->summary;
    printf("%s\n", path);
    print_description(source->description);
    printf("  %-18s %17s (%.2f bytes an event)\n", "file bytes", grouped(profile->file_bytes),
           per_event(profile->file_bytes, summary));
    print_count("events", summary->event_count, "");
    for (unsigned kind = 1; kind < TRACE_KIND_COUNT; kind++)
        if (summary->call_count[kind])
            printf("    %-16s %17s\n", trace_kind_name(kind), grouped(summary->call_count[kind]));
    print_count("failed calls", summary->failed_count, "");
    print_count("with NULL", summary->null_argument_count, "(free(NULL), realloc(NULL, n))");
    print_count("dropped calls", summary->dropped_count, "(on objects that came from elsewhere)");
    print_count("threads", summary->thread_count, "");
    print_count("foreign releases", summary->foreign_release_count,
                "(frees and reallocs by another thread)");
    printf("  %-18s %17.3f s\n", "duration", (double)summary->duration_ns / 1e9);
    print_count("allocated", summary->allocated_bytes, "bytes in all");
    printf("  %-18s %17s bytes after event %s\n", "peak live", grouped(summary->peak_live_bytes),
           grouped(summary->peak_live_event));
    print_count("peak live", summary->peak_live_objects, "objects");
    print_count("live at the end", summary->final_live_bytes, "bytes");
    print_count("live at the end", summary->final_live_objects, "objects");
    print_count("object ids", summary->object_count, "");
    print_histogram("requests by bytes", profile->size_counts, true);
    print_histogram("released objects by lifetime in events", profile->lifetime_counts, false);
}

/* ---- output for programs ---- */

static void print_csv_header(void)
{
    fputs("file,file_bytes,events", stdout);
    for (unsigned kind = 1; kind < TRACE_KIND_COUNT; kind++)
        printf(",%s", trace_kind_name(kind));
    puts(",failed,null_argument,dropped,threads,foreign_releases,duration_ns,allocated_bytes,"
         "peak_live_bytes,peak_live_event,peak_live_objects,final_live_bytes,final_live_objects,"
         "object_ids");
}

static void print_csv_field(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_csv(const char *path, const struct trace_source *source,
                      const struct profile *profile)
{
    const struct trace_summary *s = source->summary;
    print_csv_field(path);
    printf(",%" PRIu64 ",%" PRIu64, profile->file_bytes, s->event_count);
    for (unsigned kind = 1; kind < TRACE_KIND_COUNT; kind++)
        printf(",%" PRIu64, s->call_count[kind]);
    printf(",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
           s->failed_count, s->null_argument_count, s->dropped_count, s->thread_count,
           s->foreign_release_count, s->duration_ns, s->allocated_bytes);
    printf(",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 "\n",
           s->peak_live_bytes, s->peak_live_event, s->peak_live_objects, s->final_live_bytes,
           s->final_live_objects, s->object_count);
}

/* ---- the command ---- */

static int show_file(const char *path, bool csv)
{
    struct trace_source *source;
    struct trace_error error;
    if (trace_open(&source, path, &error)) {
        message_trace_error(path, &error);
        return COMMAND_ENVIRONMENT;
    }
    int status = COMMAND_ENVIRONMENT;
    struct stat file;
    struct profile profile = {.file_bytes = stat(path, &file) ? 0 : (uint64_t)file.st_size};
    if (read_all(source, &profile)) {
        message_trace_error(path, &source->error);
    } else {
        (csv ? print_csv : print_text)(path, source, &profile);
        status = COMMAND_DONE;
    }
    free(profile.births);
    trace_source_close(source);
    return status;
}

static int show(const char *text, bool csv)
{
    char *path = source_trace_path(text);
    int status = path ? show_file(path, csv) : COMMAND_ENVIRONMENT;
    free(path);
    return status;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct info_options *options = state->input;
    switch (key) {
    case 'f':
        if (strcmp(argument, "csv") && strcmp(argument, "text"))
            argp_error(state, "there is no format '%s'; choose text or csv", argument);
        options->csv = !strcmp(argument, "csv");
        return 0;
    case ARGP_KEY_ARGS:
        options->paths = state->argv + state->next;
        options->path_count = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "name at least one trace");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_info(int argc, char **argv)
{
    static const struct argp_option option_list[] = {
        {"format", 'f', "FORMAT", 0, "text or csv, on standard output (text)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = option_list,
        .parser = parse_option,
        .args_doc = "TRACE...",
        .doc = "Checks each trace from its first byte to its last and shows what it holds.",
    };
    struct info_options options = {0};
    argp_err_exit_status = COMMAND_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &options))
        return COMMAND_USAGE;
    if (options.csv)
        print_csv_header();
    int status = COMMAND_DONE;
    for (int i = 0; i < options.path_count; i++) {
        if (!options.csv && i > 0)
            putchar('\n');
        if (show(options.paths[i], options.csv))
            status = COMMAND_ENVIRONMENT;
    }
    return status;
}
