/* Whether a campaign saw what was planted for it to see: the harness's own verdict on itself. */
#ifndef REPLAY_INSTRUMENT_H
#define REPLAY_INSTRUMENT_H

#include <stdio.h>

#include "replay/campaign.h"

/* A control differs from its twin only where the interval lies wholly beyond this on one side. An
 * interval that misses 1 is no defect as such: one of twenty does, and memory's is narrower than
 * the bytes by which two names differ. Half the width that a full campaign wants of its control. */
#define INSTRUMENT_CONTROL_TOLERANCE 0.01

enum instrument_state {
    INSTRUMENT_SOUND,
    INSTRUMENT_UNSOUND, /* a planted effect was not told, or the control differs */
    INSTRUMENT_ABSENT   /* the plan has not all of slow, fat, system and a second system */
};

/* Judges the campaign over all traces: `slow` must be slower than `system`, `fat` fatter, both by
 * the verdicts' rule, and the control no different in time and in memory. Writes one sentence that
 * begins with "instrument: ", nothing where it is absent; `stream` NULL for none. Without memory
 * for it the state is unsound. */
enum instrument_state instrument_judge(FILE *stream, const struct campaign_plan *plan,
                                       const struct campaign_results *results);

#endif
