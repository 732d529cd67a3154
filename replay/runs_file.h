/* Reading a campaign's runs.csv. */
#ifndef REPLAY_RUNS_FILE_H
#define REPLAY_RUNS_FILE_H

#include "replay/campaign.h"

/* Adds the rows of folder/runs.csv that are ok. Damaged rows are left out, and a message says how
 * many. Prints a message that ends with `advice` and returns -errno where the file can't be read:
 * the one of open(2), -ENODATA (no header), -EPROTO (other columns or another schema version),
 * -ENOMEM, -EIO. */
int runs_file_read(const char *folder, struct campaign_results *results, const char *advice);

#endif
