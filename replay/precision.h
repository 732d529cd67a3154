/* How long a campaign goes on: further blocks until its own control is narrow.
 *
 * The decision looks at the width of the control's interval and never at its place, so it does not
 * pull the estimate either way; interval and rule are those of Chow and Robbins, "On the asymptotic
 * theory of fixed-width sequential confidence intervals for the mean", Annals of Mathematical
 * Statistics 36, 1965. Drawn from the 15 blocks a trace of results/debian12-2cpu, it ends after 61
 * blocks a trace on average (94 where all traces get the same number), and 93 % of 60 such
 * intervals hold the truth.
 */
#ifndef REPLAY_PRECISION_H
#define REPLAY_PRECISION_H

#include "replay/campaign.h"
#include "replay/statistics.h"

struct precision {
    struct ratio_estimate control; /* of throughput over all traces; NAN without one */
    bool is_reached;
    bool has_source; /* a source is left that may get further blocks: */
    unsigned source; /* place in the results */
};

/* Judges the control of what was measured so far, by the rows alone. Where it is wider than
 * plan->control_width, chooses the trace whose further blocks narrow it most, of those with fewer
 * than plan->block_limit blocks that are not marked in `is_given_up`. Returns 0 or -ENOMEM. */
int precision_judge(struct precision *precision, const struct campaign_plan *plan,
                    const struct campaign_results *results, const bool *is_given_up);

/* The highest repetition of a source in a mode, 0 where there is none. */
unsigned precision_blocks(const struct campaign_results *results, const char *source,
                          enum run_mode mode);

/* Says in a sentence what ended the repetition, and in another how many blocks each trace got.
 * Prints nothing for a plan without a width. */
void precision_say(FILE *stream, const struct campaign_plan *plan,
                   const struct campaign_results *results);

#endif
