/* What a campaign says to a reader: tables, summary.csv, and sentences. */
#ifndef REPLAY_REPORT_H
#define REPLAY_REPORT_H

#include <stdio.h>

#include "replay/campaign.h"

/* An allocator's name for a table: of a library's path the file's name alone. */
const char *report_short_name(const char *allocator);

/* A table for each source: an allocator a line, fastest first. */
void report_tables(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results);

/* All rows, in runs.csv's columns. Returns 0 or -errno. */
int report_rows(FILE *stream, const struct campaign_results *results);

/* Two overview tables (time and memory; sources down, allocators across) and what they show, in
 * sentences. */
void report_overview(FILE *stream, const struct campaign_plan *plan,
                     const struct campaign_results *results);

/* The columns of summary.csv as results/README.md states them. Returns 0 or -errno. */
int report_summary(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results);

#endif
