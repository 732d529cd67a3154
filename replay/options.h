/* Options that several subcommands share. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include "replay/campaign.h"

/* Adds the comma-separated names to the plan. Prints a message and returns false where one is
 * unknown or there are too many. `text` must outlive the plan; its commas are overwritten. */
bool options_add_allocators(struct campaign_plan *plan, char *text);

/* All allocators of the registry, controls left out. */
void options_add_all_allocators(struct campaign_plan *plan);

/* Sets the modes: "throughput", "latency", "memory", "check", comma-separated. Prints a message and
 * returns false otherwise. */
bool options_set_modes(struct campaign_plan *plan, char *text);

/* "none", "first", "page" or "full". Prints a message and returns false otherwise. */
bool options_set_touch(struct campaign_plan *plan, const char *text);

/* "full" or "recorded". Prints a message and returns false otherwise. */
bool options_set_pace(struct campaign_plan *plan, const char *text);

/* Of the order of runs. Prints a message and returns false where it is no number. */
bool options_set_seed(struct campaign_plan *plan, const char *text);

/* "table" or "csv". Prints a message and returns false otherwise. */
bool options_read_format(const char *text, bool *wants_csv);

/* A whole number between the limits. Prints a message and returns false otherwise. */
bool options_read_number(const char *option, const char *text, unsigned long minimum,
                         unsigned long maximum, unsigned long *number);

#endif
