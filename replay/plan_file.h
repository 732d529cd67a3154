/* What a campaign was begun with, kept in its folder until it is finished: a campaign is taken up
 * with the same or not at all, for its rows would be of two. */
#ifndef REPLAY_PLAN_FILE_H
#define REPLAY_PLAN_FILE_H

#include "replay/campaign.h"

/* Writes plan.txt. Returns 0 or -errno. */
int plan_file_write(const char *folder, const struct campaign_plan *plan);

/* Compares plan.txt with the plan, which gets its seed unless it was given one. Prints a message
 * and returns -EINVAL where they differ, -ENOMEM where memory ran out; 0 also where there is no
 * plan.txt. */
int plan_file_compare(const char *folder, struct campaign_plan *plan);

/* Removes plan.txt. */
void plan_file_remove(const char *folder);

#endif
