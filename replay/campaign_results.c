/* The rows of a campaign, and statistics over them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "replay/campaign.h"
#include "replay/statistics.h"

struct run_row *campaign_new_row(struct campaign_results *results)
{
    if (results->row_count == results->row_capacity) {
        size_t capacity = results->row_capacity ? 2 * results->row_capacity : 64;
        struct run_row *rows = realloc(results->rows, capacity * sizeof *rows);
        if (!rows)
            return NULL;
        results->rows = rows;
        results->row_capacity = capacity;
    }
    return &results->rows[results->row_count++];
}

bool campaign_is_empty(const struct campaign_results *results)
{
    return results->row_count == results->skipped_count;
}

void campaign_results_clear(struct campaign_results *results)
{
    free(results->rows);
    memset(results, 0, sizeof *results);
}

/* ---- statistics over rows ---- */

double row_ns_per_event(const struct run_row *row)
{
    return row->ns_per_event;
}

double row_peak_rss(const struct run_row *row)
{
    return row->peak_rss_bytes;
}

double row_mean_rss(const struct run_row *row)
{
    return row->mean_rss_bytes;
}

double row_fragmentation(const struct run_row *row)
{
    return row->fragmentation_integral;
}

struct campaign_statistic campaign_statistic(const struct campaign_results *results,
                                             const char *source, const char *allocator,
                                             enum run_mode mode,
                                             double (*column)(const struct run_row *row))
{
    struct campaign_statistic statistic = {.median = NAN, .minimum = NAN, .maximum = NAN};
    double *values = malloc((results->row_count + 1) * sizeof *values);
    size_t count = 0;
    for (size_t i = 0; values && i < results->row_count; i++) {
        const struct run_row *row = &results->rows[i];
        if (run_row_is_ok(row) && !isnan(column(row)) && !strcmp(row->mode, run_mode_names[mode]) &&
            !strcmp(row->allocator, allocator) && !strcmp(row->source, source))
            values[count++] = column(row);
    }
    statistic.median = statistics_median(values, count); /* sorts them */
    if (count) {
        statistic.minimum = values[0];
        statistic.maximum = values[count - 1];
        statistic.count = (unsigned)count;
    }
    free(values);
    return statistic;
}
