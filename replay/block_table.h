/* One column of a campaign's good rows as a table: sources x allocators x blocks, for comparisons
 * that look at every pair. */
#ifndef REPLAY_BLOCK_TABLE_H
#define REPLAY_BLOCK_TABLE_H

#include "replay/campaign.h"

struct block_table {
    unsigned source_count, allocator_count, block_count;
    double *values; /* owned; NAN where there is no such run, or its value is not above 0 */
};

/* Fills the table with `column` of the rows of `mode` that are ok. Returns 0 or -ENOMEM. */
int block_table_init(struct block_table *table, const struct campaign_plan *plan,
                     const struct campaign_results *results, enum run_mode mode,
                     double (*column)(const struct run_row *row));
void block_table_clear(struct block_table *table);

/* The ratios of the blocks in which both allocators ran; places as in the results and the plan.
 * Returns how many; `ratios` has room for block_count. */
size_t block_table_ratios(const struct block_table *table, unsigned source, unsigned allocator,
                          unsigned reference, double *ratios);

#endif
