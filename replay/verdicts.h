/* What a campaign allows to be said about each allocator against a reference. */
#ifndef REPLAY_VERDICTS_H
#define REPLAY_VERDICTS_H

#include <stdio.h>

#include "replay/campaign.h"

/* Writes verdicts.csv: a row for each metric (ns_per_event, peak_rss_bytes), each source and the
 * geometric mean over the traces, each pair of allocators. The control is an allocator of the plan
 * that is there under two names, as in "system,system#2". Returns 0 or -errno. */
int verdicts_write(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results);

/* Says the verdicts over all traces against `reference`, in a sentence each. Prints why where
 * nothing can be said. */
void verdicts_say(FILE *stream, const struct campaign_plan *plan,
                  const struct campaign_results *results, const char *reference);

#endif
