#include "replay/run_row.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "replay/csv.h"
#include "replay/metrics.h"

enum column_type { COLUMN_ARRAY, COLUMN_CONSTANT, COLUMN_NUMBER };

struct column {
    const char *name;
    enum column_type type;
    size_t offset;
};

#define COLUMN(column_type, field)                           \
    {                                                        \
#field, column_type, offsetof(struct run_row, field) \
    }

/* The columns in their order; header and rows both come from here. A new column goes to the end of
 * its group, and is described in results/README.md; changing the meaning of one raises
 * RUN_SCHEMA_VERSION. */
static const struct column columns[] = {
    COLUMN(COLUMN_NUMBER, schema_version),
    COLUMN(COLUMN_ARRAY, allocator),
    COLUMN(COLUMN_ARRAY, allocator_version),
    COLUMN(COLUMN_ARRAY, source),
    COLUMN(COLUMN_CONSTANT, mode),
    COLUMN(COLUMN_CONSTANT, touch),
    COLUMN(COLUMN_NUMBER, threads),
    COLUMN(COLUMN_NUMBER, repetition),
    COLUMN(COLUMN_NUMBER, seed),
    COLUMN(COLUMN_CONSTANT, pace),
    COLUMN(COLUMN_NUMBER, events),
    COLUMN(COLUMN_NUMBER, unsupported_events),
    COLUMN(COLUMN_NUMBER, wall_ns),
    COLUMN(COLUMN_NUMBER, user_ns),
    COLUMN(COLUMN_NUMBER, system_ns),
    COLUMN(COLUMN_NUMBER, ns_per_event),
    COLUMN(COLUMN_NUMBER, overhead_ns_per_event),
    COLUMN(COLUMN_NUMBER, stall_ns),
    COLUMN(COLUMN_NUMBER, peak_live_bytes),
    COLUMN(COLUMN_NUMBER, peak_usable_bytes),
    COLUMN(COLUMN_NUMBER, peak_rss_bytes),
    COLUMN(COLUMN_NUMBER, mean_rss_bytes),
    COLUMN(COLUMN_NUMBER, drained_rss_bytes),
    COLUMN(COLUMN_NUMBER, fragmentation_mean),
    COLUMN(COLUMN_NUMBER, fragmentation_at_peak_live),
    COLUMN(COLUMN_NUMBER, fragmentation_at_peak_rss),
    COLUMN(COLUMN_NUMBER, fragmentation_peak_ratio),
    COLUMN(COLUMN_NUMBER, fragmentation_integral),
    COLUMN(COLUMN_NUMBER, internal_fragmentation),
    COLUMN(COLUMN_NUMBER, rss_slope_bytes_per_million_events),
    COLUMN(COLUMN_NUMBER, live_slope_bytes_per_million_events),
    COLUMN(COLUMN_NUMBER, retained_bytes),
    COLUMN(COLUMN_NUMBER, pinned_bytes),
    COLUMN(COLUMN_NUMBER, minor_faults),
    COLUMN(COLUMN_NUMBER, major_faults),
    COLUMN(COLUMN_CONSTANT, status),
    COLUMN(COLUMN_ARRAY, error),
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

/* ---- filling ---- */

uint64_t run_row_calls(const struct trace_summary *summary)
{
    return summary->event_count - summary->call_count[TRACE_THREAD_START] -
           summary->call_count[TRACE_THREAD_END];
}

bool run_row_is_ok(const struct run_row *row)
{
    return !strcmp(row->status, "ok");
}

static void forget_numbers(struct run_row *row)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (columns[i].type == COLUMN_NUMBER)
            *(double *)(void *)((char *)row + columns[i].offset) = NAN;
}

static void fill_identity(struct run_row *row, const struct run_identity *identity)
{
    const struct trace_summary *summary = identity->source->summary;
    snprintf(row->allocator, sizeof row->allocator, "%s", identity->allocator);
    snprintf(row->source, sizeof row->source, "%s", identity->source->name);
    row->mode = run_mode_names[identity->mode];
    row->touch = run_touch_names[identity->mode == RUN_CHECK ? TOUCH_FULL : identity->touch];
    row->pace = run_pace_names[identity->pace];
    row->schema_version = RUN_SCHEMA_VERSION;
    row->repetition = identity->repetition;
    row->seed = (double)identity->seed;
    if (!summary)
        return;
    row->threads = summary->thread_count;
    row->peak_live_bytes = (double)summary->peak_live_bytes;
    row->events = (double)run_row_calls(summary);
}

static void fill_times(struct run_row *row, const struct run_outcome *outcome)
{
    row->unsupported_events = (double)outcome->unsupported_count;
    row->wall_ns = (double)outcome->wall_ns;
    row->user_ns = (double)outcome->user_ns;
    row->system_ns = (double)outcome->system_ns;
    bool has_waited = row->pace == run_pace_names[PACE_RECORDED];
    row->ns_per_event = row->events > 0 && !has_waited ? row->wall_ns / row->events : NAN;
    row->stall_ns = (double)outcome->stall_ns;
    row->minor_faults = (double)outcome->minor_faults;
    row->major_faults = (double)outcome->major_faults;
}

static void fill_memory(struct run_row *row, const struct run_outcome *outcome)
{
    struct fragmentation metrics;
    if (!outcome->resident_known)
        return;
    metrics_of_samples(&metrics, outcome->samples, outcome->sample_count,
                       outcome->peak_resident_bytes, (uint64_t)row->peak_live_bytes);
    row->peak_rss_bytes = (double)outcome->peak_resident_bytes;
    row->mean_rss_bytes = round(metrics.mean_rss_bytes);
    row->peak_usable_bytes = metrics.peak_usable_bytes;
    row->drained_rss_bytes = metrics.drained_rss_bytes;
    row->fragmentation_mean = metrics.mean;
    row->fragmentation_at_peak_live = metrics.at_peak_live;
    row->fragmentation_at_peak_rss = metrics.at_peak_rss;
    row->fragmentation_peak_ratio = metrics.peak_ratio;
    row->fragmentation_integral = metrics.integral;
    row->internal_fragmentation = metrics.internal;
    row->rss_slope_bytes_per_million_events = metrics.rss_slope;
    row->live_slope_bytes_per_million_events = metrics.live_slope;
    if (outcome->occupancy_known) {
        row->retained_bytes = (double)outcome->occupancy.retained_bytes;
        row->pinned_bytes = (double)outcome->occupancy.pinned_bytes;
    }
}

static void begin_row(struct run_row *row, const struct run_identity *identity)
{
    memset(row, 0, sizeof *row);
    forget_numbers(row);
    fill_identity(row, identity);
}

void run_row_skip(struct run_row *row, const struct run_identity *identity, const char *reason)
{
    begin_row(row, identity);
    row->status = "skipped";
    snprintf(row->error, sizeof row->error, "%s", reason);
}

void run_row_fill(struct run_row *row, const struct run_identity *identity,
                  const struct run_outcome *outcome, const char *error)
{
    begin_row(row, identity);
    if (!outcome) {
        row->status = "failed";
        snprintf(row->error, sizeof row->error, "%s", error);
        return;
    }
    snprintf(row->allocator_version, sizeof row->allocator_version, "%s", outcome->version);
    snprintf(row->error, sizeof row->error, "%s", outcome->error);
    if (outcome->is_missing) {
        row->status = "skipped";
    } else if (!outcome->is_complete || outcome->defect_count) {
        row->status = "failed";
    } else {
        row->status = "ok";
        fill_times(row, outcome);
        if (identity->mode == RUN_MEMORY)
            fill_memory(row, outcome);
        row->latency = outcome->latency;
    }
}

/* ---- reading ---- */

static const char *const statuses[] = {"ok", "failed", "skipped"};

/* The constant that equals `text`, so that rows can go on comparing pointers. NULL where there is
 * none. */
static const char *constant_of(const char *text, const char *const *constants, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(constants[i], text))
            return constants[i];
    return NULL;
}

static bool read_constants(struct run_row *row)
{
    row->mode = constant_of(row->mode, run_mode_names, RUN_MODE_COUNT);
    row->touch = constant_of(row->touch, run_touch_names, TOUCH_COUNT);
    /* Files from before there was a choice have no such column. */
    row->pace =
        row->pace ? constant_of(row->pace, run_pace_names, PACE_COUNT) : run_pace_names[PACE_FULL];
    row->status = constant_of(row->status, statuses, sizeof statuses / sizeof statuses[0]);
    return row->mode && row->touch && row->pace && row->status;
}

/* Returns false where the field is no number. */
static bool read_number(double *number, const char *text)
{
    char *end;
    *number = *text ? strtod(text, &end) : NAN;
    return !*text || (end != text && !*end && isfinite(*number));
}

/* Tables have a place for each repetition. */
static bool is_repetition(double number)
{
    return number >= 1 && number <= RUN_REPETITION_LIMIT && number == floor(number);
}

static size_t column_of(const char *name)
{
    size_t i = 0;
    while (i < COLUMN_COUNT && strcmp(columns[i].name, name))
        i++;
    return i;
}

/* A row without these is nobody's. */
static bool has_identity(const struct run_row_layout *layout)
{
    static const char *const needed[] = {"schema_version", "allocator",  "source", "mode",
                                         "touch",          "repetition", "status"};
    bool has[COLUMN_COUNT] = {false};
    for (size_t i = 0; i < layout->count; i++) {
        if (has[layout->columns[i]])
            return false; /* twice */
        has[layout->columns[i]] = true;
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!has[column_of(needed[i])])
            return false;
    return true;
}

_Static_assert(COLUMN_COUNT <= RUN_ROW_COLUMN_LIMIT, "a layout has room for every column");

bool run_row_read_header(struct run_row_layout *layout, char *line)
{
    char *names[COLUMN_COUNT];
    layout->count = csv_split(line, names, COLUMN_COUNT);
    if (!layout->count || layout->count > COLUMN_COUNT)
        return false;
    for (size_t i = 0; i < layout->count; i++) {
        size_t column = column_of(names[i]);
        if (column == COLUMN_COUNT)
            return false;
        layout->columns[i] = (unsigned char)column;
    }
    return has_identity(layout);
}

bool run_row_read(struct run_row *row, const struct run_row_layout *layout, char *line)
{
    char *fields[RUN_ROW_COLUMN_LIMIT];
    memset(row, 0, sizeof *row);
    forget_numbers(row);
    if (csv_split(line, fields, RUN_ROW_COLUMN_LIMIT) != layout->count)
        return false;
    for (size_t i = 0; i < layout->count; i++) {
        const struct column *column = &columns[layout->columns[i]];
        void *into = (char *)row + column->offset;
        if (column->type == COLUMN_ARRAY)
            snprintf(into, RUN_ROW_TEXT_BYTES, "%s", fields[i]);
        else if (column->type == COLUMN_NUMBER && !read_number(into, fields[i]))
            return false;
        else if (column->type == COLUMN_CONSTANT)
            *(const char **)into = fields[i];
    }
    return read_constants(row) && is_repetition(row->repetition) &&
           row->schema_version == RUN_SCHEMA_VERSION;
}

/* ---- writing ---- */

static int end_line(FILE *stream)
{
    fputc('\n', stream);
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}

int run_row_write_header(FILE *stream)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        fprintf(stream, "%s%s", i ? "," : "", columns[i].name);
    return end_line(stream);
}

int run_row_write(FILE *stream, const struct run_row *row)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        const char *field = (const char *)row + columns[i].offset;
        if (i)
            fputc(',', stream);
        if (columns[i].type == COLUMN_NUMBER)
            csv_write_number(stream, *(const double *)(const void *)field);
        else if (columns[i].type == COLUMN_ARRAY)
            csv_write_text(stream, field);
        else
            csv_write_text(stream, *(const char *const *)(const void *)field);
    }
    return end_line(stream);
}

int timeline_write_header(FILE *stream)
{
    fputs("schema_version,allocator,source,repetition,event,live_bytes,usable_bytes,resident_bytes,"
          "point",
          stream);
    return end_line(stream);
}

int timeline_write(FILE *stream, const struct run_row *row, const struct run_outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->sample_count; i++) {
        const struct sample *sample = &outcome->samples[i];
        fprintf(stream, "%d,", RUN_SCHEMA_VERSION);
        csv_write_text(stream, row->allocator);
        fputc(',', stream);
        csv_write_text(stream, row->source);
        fprintf(stream, ",%.0f,%" PRIu64 ",%" PRIu64 ",", row->repetition, sample->event,
                sample->live_bytes);
        if (sample->usable_known)
            fprintf(stream, "%" PRIu64, sample->usable_bytes);
        fprintf(stream, ",%" PRIu64 ",%s\n", sample->resident_bytes,
                sample_point_names[sample->point]);
    }
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}

int occupancy_write_header(FILE *stream)
{
    fputs("schema_version,allocator,source,repetition,pages_per_cell,gap_pages,cells,pages,"
          "resident_pages,live_bytes",
          stream);
    return end_line(stream);
}

static bool are_alike(const struct page_cell *one, const struct page_cell *other)
{
    return one->pages == other->pages && one->resident_pages == other->resident_pages &&
           one->live_bytes == other->live_bytes;
}

int occupancy_write(FILE *stream, const struct run_row *row, const struct run_outcome *outcome)
{
    const struct page_map *map = &outcome->occupancy.map;
    for (uint32_t i = 0, alike; outcome->occupancy_known && i < map->count; i += alike) {
        const struct page_cell *cell = &map->cells[i];
        alike = 1;
        while (i + alike < map->count && !cell[alike].gap_pages && are_alike(cell, &cell[alike]))
            alike++;
        fprintf(stream, "%d,", RUN_SCHEMA_VERSION);
        csv_write_text(stream, row->allocator);
        fputc(',', stream);
        csv_write_text(stream, row->source);
        fprintf(stream,
                ",%.0f,%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 "\n",
                row->repetition, map->pages_per_cell, cell->gap_pages, alike, cell->pages,
                cell->resident_pages, cell->live_bytes);
    }
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}

int latency_write_header(FILE *stream)
{
    fputs("schema_version,allocator,source,repetition,kind,calls,percentile,latency_ns,floor_ns",
          stream);
    return end_line(stream);
}

int latency_write(FILE *stream, const struct run_row *row, const struct run_outcome *outcome)
{
    const struct latency_figures *figures = &outcome->latency;
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        for (unsigned i = 0; i < LATENCY_POINTS && figures->counts[kind]; i++) {
            fprintf(stream, "%d,", RUN_SCHEMA_VERSION);
            csv_write_text(stream, row->allocator);
            fputc(',', stream);
            csv_write_text(stream, row->source);
            fprintf(stream, ",%.0f,%s,%" PRIu64 ",%g,%.1f,%.1f\n", row->repetition,
                    latency_kind_names[kind], figures->counts[kind], latency_percentiles[i],
                    figures->ns[kind][i], figures->floor_ns);
        }
    return ferror(stream) || fflush(stream) ? -(errno ? errno : EIO) : 0;
}
