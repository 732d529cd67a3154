#include "replay/block_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *place_of(const struct block_table *table, unsigned source, unsigned allocator)
{
    return table->values +
           ((size_t)source * table->allocator_count + allocator) * table->block_count;
}

static bool is_of(const struct run_row *row, enum run_mode mode)
{
    return run_row_is_ok(row) && row->mode == run_mode_names[mode] && row->repetition >= 1;
}

static unsigned count_blocks(const struct campaign_results *results, enum run_mode mode)
{
    double highest = 0;
    for (size_t i = 0; i < results->row_count; i++)
        if (is_of(&results->rows[i], mode))
            highest = fmax(highest, results->rows[i].repetition);
    return (unsigned)highest;
}

/* Puts the row's value in its place, if the campaign has one for it. */
static void enter(const struct block_table *table, const struct campaign_plan *plan,
                  const struct campaign_results *results, const struct run_row *row, double value)
{
    unsigned source = 0, allocator = 0;
    while (source < table->source_count && strcmp(results->source_names[source], row->source))
        source++;
    while (allocator < table->allocator_count &&
           strcmp(plan->allocators[allocator], row->allocator))
        allocator++;
    if (source < table->source_count && allocator < table->allocator_count && value > 0)
        place_of(table, source, allocator)[(unsigned)row->repetition - 1] = value;
}

int block_table_init(struct block_table *table, const struct campaign_plan *plan,
                     const struct campaign_results *results, enum run_mode mode,
                     double (*column)(const struct run_row *row))
{
    *table = (struct block_table){
        .source_count = results->source_count,
        .allocator_count = plan->allocator_count,
        .block_count = count_blocks(results, mode),
    };
    size_t count = (size_t)table->source_count * table->allocator_count * table->block_count;
    table->values = malloc((count + 1) * sizeof *table->values);
    if (!table->values)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        table->values[i] = NAN;
    for (size_t i = 0; i < results->row_count; i++)
        if (is_of(&results->rows[i], mode))
            enter(table, plan, results, &results->rows[i], column(&results->rows[i]));
    return 0;
}

void block_table_clear(struct block_table *table)
{
    free(table->values);
    *table = (struct block_table){0};
}

size_t block_table_ratios(const struct block_table *table, unsigned source, unsigned allocator,
                          unsigned reference, double *ratios)
{
    const double *values = place_of(table, source, allocator),
                 *others = place_of(table, source, reference);
    size_t count = 0;
    for (unsigned i = 0; i < table->block_count; i++)
        if (!isnan(values[i]) && !isnan(others[i]))
            ratios[count++] = values[i] / others[i];
    return count;
}
