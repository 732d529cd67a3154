/* What a campaign was begun with, kept in its folder until it is finished: a campaign is taken up
 * with the same or not at all, for its rows would be of two. */
#ifndef REPLAY_PLAN_FILE_H
#define REPLAY_PLAN_FILE_H

#include "replay/campaign.h"

#define PLAN_FILE "plan.txt"

/* Writes what the file holds of the plan. */
void plan_file_write(FILE *stream, const struct campaign_plan *plan);

/* Compares the file with the plan, which gets its seed unless it was given one. Prints a message
 * where they differ, or memory ran out, and returns the exit status: COMMAND_DONE also where there
 * is no such file. */
int plan_file_compare(const char *folder, struct campaign_plan *plan);

/* Removes the file. */
void plan_file_remove(const char *folder);

#endif
