#include "replay/report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/target.h"

/* One allocator's medians on one source. */
struct line {
    const char *allocator;
    struct campaign_statistic time, peak, mean, fragmentation;
    double overhead_ns, drained, internal, peak_ratio, rss_slope, live_slope;
    const struct run_row *row; /* any row of it, for the version; NULL where it never ran */
};

static double row_overhead(const struct run_row *row)
{
    return row->overhead_ns_per_event;
}

static double row_drained(const struct run_row *row)
{
    return row->drained_rss_bytes;
}

static double row_internal(const struct run_row *row)
{
    return row->internal_fragmentation;
}

static double row_peak_ratio(const struct run_row *row)
{
    return row->fragmentation_peak_ratio;
}

static double row_rss_slope(const struct run_row *row)
{
    return row->rss_slope_bytes_per_million_events;
}

static double row_live_slope(const struct run_row *row)
{
    return row->live_slope_bytes_per_million_events;
}

static const struct run_row *any_row(const struct campaign_results *results, const char *source,
                                     const char *allocator)
{
    const struct run_row *found = NULL;
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (strcmp(row->source, source) || strcmp(row->allocator, allocator))
            continue;
        if (!found || run_row_is_ok(row))
            found = row;
    }
    return found;
}

static struct line line_of(const struct campaign_results *results, const char *source,
                           const char *allocator)
{
#define MEDIAN(mode, column) campaign_statistic(results, source, allocator, mode, column).median
    return (struct line){
        .allocator = allocator,
        .time = campaign_statistic(results, source, allocator, RUN_THROUGHPUT, row_ns_per_event),
        .peak = campaign_statistic(results, source, allocator, RUN_MEMORY, row_peak_rss),
        .mean = campaign_statistic(results, source, allocator, RUN_MEMORY, row_mean_rss),
        .fragmentation =
            campaign_statistic(results, source, allocator, RUN_MEMORY, row_fragmentation),
        .overhead_ns = MEDIAN(RUN_THROUGHPUT, row_overhead),
        .drained = MEDIAN(RUN_MEMORY, row_drained),
        .internal = MEDIAN(RUN_MEMORY, row_internal),
        .peak_ratio = MEDIAN(RUN_MEMORY, row_peak_ratio),
        .rss_slope = MEDIAN(RUN_MEMORY, row_rss_slope),
        .live_slope = MEDIAN(RUN_MEMORY, row_live_slope),
        .row = any_row(results, source, allocator),
    };
#undef MEDIAN
}

/* ---- tables ---- */

static void print_number(FILE *stream, int width, int digits, double number, double scale)
{
    if (isnan(number))
        fprintf(stream, " %*s", width, "-");
    else
        fprintf(stream, " %*.*f", width, digits, number / scale);
}

#define MIB 1048576.0

static int faster_first(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    double x = isnan(a->time.median) ? INFINITY : a->time.median,
           y = isnan(b->time.median) ? INFINITY : b->time.median;
    return (x > y) - (x < y);
}

const char *report_short_name(const char *allocator)
{
    const char *slash = strrchr(allocator, '/');
    return slash && slash[1] ? slash + 1 : allocator;
}

static void print_line(FILE *stream, const struct line *line)
{
    fprintf(stream, "  %-14.14s", report_short_name(line->allocator));
    print_number(stream, 10, 1, line->time.median, 1);
    print_number(stream, 8, 1, line->time.minimum, 1);
    print_number(stream, 8, 1, line->time.maximum, 1);
    print_number(stream, 10, 1, line->time.median - line->overhead_ns, 1);
    print_number(stream, 11, 2, line->peak.median, MIB);
    print_number(stream, 11, 2, line->mean.median, MIB);
    print_number(stream, 11, 2, line->drained, MIB);
    print_number(stream, 8, 2, line->fragmentation.median, 1);
    if (!run_row_is_ok(line->row))
        fprintf(stream, "  %s", line->row->status);
    fputc('\n', stream);
}

static void print_source(FILE *stream, const struct campaign_plan *plan,
                         const struct campaign_results *results, const char *source)
{
    struct line lines[CAMPAIGN_ALLOCATOR_LIMIT];
    unsigned count = 0;
    for (unsigned i = 0; i < plan->allocator_count; i++) {
        lines[count] = line_of(results, source, plan->allocators[i]);
        count += lines[count].row != NULL;
    }
    if (!count)
        return;
    const struct run_row *any = lines[0].row;
    fprintf(stream, "%s: %.0f calls, %.0f thread%s, peak live %.2f MiB\n", source, any->events,
            any->threads, any->threads == 1 ? "" : "s", any->peak_live_bytes / MIB);
    fprintf(stream, "  %-14s %10s %8s %8s %10s %11s %11s %11s %8s\n", "allocator", "ns/call",
            "least", "most", "less null", "peak MiB", "mean MiB", "drained MiB", "R/L");
    qsort(lines, count, sizeof lines[0], faster_first);
    for (unsigned i = 0; i < count; i++)
        print_line(stream, &lines[i]);
    fputc('\n', stream);
}

static void print_checks(FILE *stream, const struct campaign_results *results, const char *source)
{
    fprintf(stream, "%s: checks\n", source);
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (strcmp(row->source, source) || strcmp(row->mode, run_mode_names[RUN_CHECK]))
            continue;
        fprintf(stream, "  %-14s ", row->allocator);
        if (run_row_is_ok(row))
            fprintf(stream, "sound: %.0f calls kept every promise\n", row->events);
        else
            fprintf(stream, "%s: %s\n", row->status, row->error);
    }
    fputc('\n', stream);
}

static void print_latency_line(FILE *stream, const struct run_row *row, unsigned kind)
{
    fprintf(stream, "  %-14s %-9s %10.0f", row->allocator, latency_kind_names[kind],
            (double)row->latency.counts[kind]);
    for (unsigned i = 0; i < LATENCY_POINTS; i++)
        fprintf(stream, " %9.0f", row->latency.ns[kind][i]);
    fputc('\n', stream);
}

static void print_latencies(FILE *stream, const struct campaign_results *results,
                            const char *source)
{
    double floor_ns = 0;
    fprintf(stream, "%s: latency in nanoseconds by percentile\n  %-14s %-9s %10s", source,
            "allocator", "call", "calls");
    for (unsigned i = 0; i < LATENCY_POINTS; i++)
        fprintf(stream, " %9g", latency_percentiles[i]);
    fputc('\n', stream);
    for (size_t i = 0; i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (strcmp(row->source, source) || strcmp(row->mode, run_mode_names[RUN_LATENCY]) ||
            !run_row_is_ok(row))
            continue;
        for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
            if (row->latency.counts[kind])
                print_latency_line(stream, row, kind);
        floor_ns = row->latency.floor_ns > floor_ns ? row->latency.floor_ns : floor_ns;
    }
    fprintf(stream, "  the timer alone takes %.0f ns; nothing below that is claimed\n\n", floor_ns);
}

void report_tables(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results)
{
    for (unsigned i = 0; i < results->source_count; i++) {
        if (plan->checks)
            print_checks(stream, results, results->source_names[i]);
        if (plan->measures_latency)
            print_latencies(stream, results, results->source_names[i]);
        if (plan->measures_throughput || plan->measures_memory)
            print_source(stream, plan, results, results->source_names[i]);
    }
}

/* ---- CSV ---- */

int report_rows(FILE *stream, const struct campaign_results *results)
{
    int error = run_row_write_header(stream);
    for (size_t i = 0; i < results->row_count && !error; i++)
        error = run_row_write(stream, &results->rows[i]);
    return error;
}

static void write_summary_line(FILE *stream, const struct line *line, bool is_trace)
{
    const double numbers[] = {
        line->time.count > line->peak.count ? line->time.count : line->peak.count,
        line->time.median,
        line->time.minimum,
        line->time.maximum,
        line->overhead_ns,
        line->peak.median,
        line->mean.median,
        line->drained,
        line->fragmentation.median,
        line->peak_ratio,
        line->internal,
        line->rss_slope,
        line->live_slope,
    };
    csv_write_text(stream, line->row->source);
    fprintf(stream, ",%s,%.0f,%.0f,%.0f,", is_trace ? "trace" : "workload", line->row->threads,
            line->row->events, line->row->peak_live_bytes);
    csv_write_text(stream, line->allocator);
    fputc(',', stream);
    csv_write_text(stream, line->row->allocator_version);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fputc(',', stream);
        csv_write_number(stream, numbers[i]);
    }
    fputc('\n', stream);
}

int report_summary(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results)
{
    fputs("schema_version,source,source_kind,threads,events,peak_live_bytes,allocator,allocator_"
          "version,runs,ns_per_event,"
          "ns_per_event_min,ns_per_event_max,overhead_ns_per_event,peak_rss_bytes,mean_rss_bytes,"
          "drained_rss_bytes,"
          "fragmentation_integral,fragmentation_peak_ratio,internal_fragmentation,"
          "rss_slope_bytes_per_million_events,live_slope_bytes_per_million_events\n",
          stream);
    for (unsigned i = 0; i < results->source_count; i++)
        for (unsigned j = 0; j < plan->allocator_count; j++) {
            struct line line = line_of(results, results->source_names[i], plan->allocators[j]);
            if (!line.row)
                continue;
            fprintf(stream, "%d,", RUN_SCHEMA_VERSION);
            write_summary_line(stream, &line, results->is_trace[i]);
        }
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}
