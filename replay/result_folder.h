/* A campaign's folder: written beside its final name and renamed, so that a campaign that is cut
 * off never takes the place of a finished one, and what it had finished is still there. */
#ifndef REPLAY_RESULT_FOLDER_H
#define REPLAY_RESULT_FOLDER_H

#include "replay/campaign.h"

struct result_folder {
    char *final_path, *working_path; /* owned */
    bool is_open;
};

/* Makes an empty working folder beside `path`, parents included; or, to resume, takes the one that
 * was left there. Refuses a path that holds anything but a campaign, and without `resumes` one
 * beside which a campaign was cut off. Prints a message and returns -errno on failure. */
int result_folder_open(struct result_folder *folder, const char *path, bool resumes);

/* Writes summary.csv, verdicts.csv, machine.txt, command.txt and overview.txt. Prints a message and
 * returns -errno on failure. */
int result_folder_describe(const struct result_folder *folder, const struct campaign_plan *plan,
                           const struct campaign_results *results, int argc, char **argv);

/* Puts the working folder in the place of an older one. Prints a message and returns -errno on
 * failure. */
int result_folder_commit(struct result_folder *folder);

/* Frees the paths. Where the folder was not committed, what was written stays, and a message says
 * where. */
void result_folder_close(struct result_folder *folder);

#endif
