/* Taking up a campaign that was cut off: what its folder holds of finished runs. */
#ifndef REPLAY_RESUME_H
#define REPLAY_RESUME_H

#include "replay/campaign.h"

/* Reads the good rows of folder/runs.csv into *results, which is empty, and writes runs.csv,
 * timeline.csv and latency.csv anew (beside and renamed) with nothing but what belongs to them: a
 * row that the interruption cut in two is left out and its run made again, as is one that had
 * failed. Prints a message and returns -errno where the folder can't be taken up, as
 * runs_file_read does. */
int resume_campaign(const char *folder, struct campaign_results *results);

/* Whether the results hold that run. */
bool resume_has(const struct campaign_results *results, const char *source, const char *allocator,
                enum run_mode mode, unsigned repetition);

#endif
