/* What a campaign allows to be said about each allocator against a reference. */
#ifndef REPLAY_VERDICTS_H
#define REPLAY_VERDICTS_H

#include <stdio.h>

#include "replay/block_table.h"
#include "replay/campaign.h"
#include "replay/statistics.h"

enum verdict_metric { METRIC_TIME, METRIC_PEAK_MEMORY, METRIC_MEAN_MEMORY, METRIC_COUNT };

/* The figures of a campaign, ready to be compared. The control is an allocator of the plan that is
 * there under two names, as in "system,system#2". */
struct verdicts {
    const struct campaign_plan *plan;
    const struct campaign_results *results; /* both outlive this */
    struct block_table tables[METRIC_COUNT];
    bool has_control;
    unsigned control, control_reference; /* places in the plan: "system#2" and "system" */
};

/* One allocator against another by a metric, over one source or a group of them. */
struct comparison {
    enum verdict_metric metric;
    unsigned allocator, reference; /* places in the plan */
    const bool *group;             /* by place in the results; NULL: `source` alone */
    unsigned source;
    /* Filled in: the geometric mean over the group's sources that both ran, and the blocks of the
     * one that has least; NAN and 0 where there is none. */
    struct ratio_estimate estimate;
    size_t least_blocks;
};

/* Returns 0 or -ENOMEM. Clear in both cases. */
int verdicts_init(struct verdicts *verdicts, const struct campaign_plan *plan,
                  const struct campaign_results *results);
void verdicts_clear(struct verdicts *verdicts);

/* Finds an allocator's place in the plan by its name. */
bool verdicts_find(const struct verdicts *verdicts, const char *name, unsigned *place);

/* Fills in the comparison. Returns 0 or -ENOMEM. */
int verdicts_compare(const struct verdicts *verdicts, struct comparison *comparison);

/* The comparison of the control over the same sources; without a control an empty one. */
int verdicts_compare_control(const struct verdicts *verdicts, enum verdict_metric metric,
                             const bool *group, unsigned source, struct comparison *control);

/* Writes verdicts.csv: a row for each metric, each source and the geometric mean over the traces,
 * each pair of allocators. Returns 0 or -errno. */
int verdicts_write(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results);

/* Says the verdicts over all traces against `reference`, in a sentence each. Prints why where
 * nothing can be said. */
void verdicts_say(FILE *stream, const struct campaign_plan *plan,
                  const struct campaign_results *results, const char *reference);

#endif
