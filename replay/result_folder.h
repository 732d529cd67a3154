/* A campaign's folder: written beside its final name and renamed, so that a campaign that is cut
 * off never takes the place of a finished one, and what it had finished is still there. */
#ifndef REPLAY_RESULT_FOLDER_H
#define REPLAY_RESULT_FOLDER_H

#include "replay/campaign.h"

struct result_folder {
    char *final_path, *working_path; /* owned */
    bool is_open;
};

/* Makes a working folder beside `path`, parents included, with nothing but what the campaign is
 * begun with; or, to resume (plan->resumes), takes the one that was left there, whose seed the plan
 * gets. Refuses a path that holds anything but a campaign, without resuming one beside which a
 * campaign was cut off, and resuming one that was begun otherwise. Sets plan->folder. Prints a
 * message on failure, and returns the exit status. */
int result_folder_open(struct result_folder *folder, const char *path, struct campaign_plan *plan);

/* Writes summary.csv, verdicts.csv, machine.txt, command.txt and overview.txt. Prints a message and
 * returns -errno on failure. */
int result_folder_describe(const struct result_folder *folder, const struct campaign_plan *plan,
                           const struct campaign_results *results, const char *command);

/* Puts the working folder in the place of an older one. Prints a message and returns -errno on
 * failure. */
int result_folder_commit(struct result_folder *folder);

/* For a campaign that measured nothing: says so, and removes the working folder if there is one,
 * for what stood there before is worth more. */
void result_folder_discard(struct result_folder *folder);

/* Frees the paths. Where the folder was not committed, what was written stays, and a message says
 * where. */
void result_folder_close(struct result_folder *folder);

#endif
