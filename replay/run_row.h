/* One row of runs.csv: the run's identity and all that was measured. */
#ifndef REPLAY_RUN_ROW_H
#define REPLAY_RUN_ROW_H

#include <stdio.h>

#include "replay/run.h"
#include "traces/trace.h"

#define RUN_SCHEMA_VERSION   1
#define RUN_ROW_TEXT_BYTES   256
#define RUN_REPETITION_LIMIT 10000

/* Numbers are doubles, exact up to 2^53; NAN is "unknown" and is written as nothing. */
struct run_row {
    char allocator[RUN_ROW_TEXT_BYTES], allocator_version[RUN_ROW_TEXT_BYTES],
        source[RUN_ROW_TEXT_BYTES];
    const char *mode, *touch, *pace, *status; /* string constants */
    char error[512];
    double schema_version, threads, repetition, seed, events, unsupported_events;
    double wall_ns, user_ns, system_ns, ns_per_event, overhead_ns_per_event, stall_ns;
    double peak_live_bytes, peak_usable_bytes, peak_rss_bytes, mean_rss_bytes, drained_rss_bytes;
    double fragmentation_mean, fragmentation_at_peak_live, fragmentation_at_peak_rss,
        fragmentation_peak_ratio, fragmentation_integral, internal_fragmentation;
    double rss_slope_bytes_per_million_events, live_slope_bytes_per_million_events;
    double retained_bytes, pinned_bytes;
    double minor_faults, major_faults;
    struct latency_figures latency; /* of a latency run; its columns stand in latency.csv */
};

struct run_identity {
    const char *allocator;
    const struct trace_source *source; /* with its summary */
    enum run_mode mode;
    enum run_touch touch;
    enum run_pace pace;
    unsigned repetition;
    uint64_t seed;
};

/* Fills the row; `outcome` NULL means that the run never started, and `error` then says why. */
void run_row_fill(struct run_row *row, const struct run_identity *identity,
                  const struct run_outcome *outcome, const char *error);

/* Fills the row of a run that is left out. */
void run_row_skip(struct run_row *row, const struct run_identity *identity, const char *reason);

bool run_row_is_ok(const struct run_row *row);

/* The calls of a source: its events without starts and ends of threads. */
uint64_t run_row_calls(const struct trace_summary *summary);

/* Write the header or a row. Returns 0 or -errno. */
int run_row_write_header(FILE *stream);
int run_row_write(FILE *stream, const struct run_row *row);

/* Which columns a file has, in their order: an older one may lack some. */
#define RUN_ROW_COLUMN_LIMIT 64
struct run_row_layout {
    size_t count;
    unsigned char columns[RUN_ROW_COLUMN_LIMIT];
};

/* Reads a header; the line is overwritten. Returns false where it has a column that is not known,
 * or lacks one without which a row is nobody's. */
bool run_row_read_header(struct run_row_layout *layout, char *line);

/* Reads a row; what the file has no column for is unknown. The line is overwritten. Latencies are
 * not part of it. Returns false for a damaged row or one of another schema version. */
bool run_row_read(struct run_row *row, const struct run_row_layout *layout, char *line);

/* timeline.csv: its header, and the samples of one memory run. Returns 0 or -errno. */
int timeline_write_header(FILE *stream);
int timeline_write(FILE *stream, const struct run_row *row, const struct run_outcome *outcome);

/* occupancy.csv: its header, and the pages of one memory run at the peak of L, a row for cells that
 * are alike and neighbours. Nothing where they are not known. Returns 0 or -errno. */
int occupancy_write_header(FILE *stream);
int occupancy_write(FILE *stream, const struct run_row *row, const struct run_outcome *outcome);

/* latency.csv: its header, and the percentiles of one latency run. Returns 0 or -errno. */
int latency_write_header(FILE *stream);
int latency_write(FILE *stream, const struct run_row *row, const struct run_outcome *outcome);

#endif
