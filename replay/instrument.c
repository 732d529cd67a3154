#include "replay/instrument.h"

#include <stdlib.h>

#include "replay/target.h"
#include "replay/verdicts.h"

/* One thing that must be seen, or must not. */
struct check {
    enum verdict_metric metric;
    unsigned allocator;
    bool is_planted; /* else it is the control */
};

enum outcome { OUTCOME_TOLD, OUTCOME_NOT_TOLD, OUTCOME_TOO_FEW };

static bool is_beyond_tolerance(const struct ratio_estimate *estimate)
{
    return estimate->low > 1 + INSTRUMENT_CONTROL_TOLERANCE ||
           estimate->high < 1 / (1 + INSTRUMENT_CONTROL_TOLERANCE);
}

static enum outcome outcome_of(const struct check *check, const struct comparison *comparison,
                               const struct comparison *control)
{
    enum verdict verdict =
        statistics_verdict(&comparison->estimate, comparison->least_blocks, &control->estimate);
    if (verdict == VERDICT_TOO_FEW_BLOCKS || verdict == VERDICT_NO_CONTROL)
        return OUTCOME_TOO_FEW;
    if (check->is_planted)
        return verdict == VERDICT_MORE ? OUTCOME_TOLD : OUTCOME_NOT_TOLD;
    return is_beyond_tolerance(&comparison->estimate) ? OUTCOME_TOLD : OUTCOME_NOT_TOLD;
}

static void say(FILE *stream, const struct verdicts *verdicts, const struct comparison *comparison,
                enum outcome outcome)
{
    static const char *const words[] = {"was told from", "was not told from",
                                        "has too few blocks to be told from"};
    fprintf(stream, "; %s %s %s by %s (%.3f, 95 %%: %.3f to %.3f)",
            verdicts->plan->allocators[comparison->allocator], words[outcome],
            verdicts->plan->allocators[comparison->reference],
            comparison->metric == METRIC_TIME ? "time" : "peak memory", comparison->estimate.ratio,
            comparison->estimate.low, comparison->estimate.high);
}

/* Whether the check came out as it must. */
static bool run_check(FILE *stream, const struct verdicts *verdicts, const struct check *check)
{
    const bool *traces = verdicts->results->is_trace;
    struct comparison control, comparison = {.metric = check->metric,
                                             .allocator = check->allocator,
                                             .reference = verdicts->control_reference,
                                             .group = traces};
    if (verdicts_compare_control(verdicts, check->metric, traces, 0, &control) ||
        verdicts_compare(verdicts, &comparison))
        return false;
    enum outcome outcome = outcome_of(check, &comparison, &control);
    say(stream, verdicts, &comparison, outcome);
    return outcome == (check->is_planted ? OUTCOME_TOLD : OUTCOME_NOT_TOLD);
}

static bool run_checks(FILE *stream, const struct verdicts *verdicts, unsigned slow, unsigned fat)
{
    const struct check checks[] = {
        {METRIC_TIME, slow, true},
        {METRIC_PEAK_MEMORY, fat, true},
        {METRIC_TIME, verdicts->control, false},
        {METRIC_PEAK_MEMORY, verdicts->control, false},
    };
    bool is_sound = true;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        is_sound &= run_check(stream, verdicts, &checks[i]);
    return is_sound;
}

enum instrument_state instrument_judge(FILE *stream, const struct campaign_plan *plan,
                                       const struct campaign_results *results)
{
    struct verdicts verdicts;
    unsigned slow, fat, system;
    char *reasons = NULL;
    size_t bytes;
    FILE *text = open_memstream(&reasons, &bytes);
    enum instrument_state state = INSTRUMENT_UNSOUND;
    if (verdicts_init(&verdicts, plan, results) == 0 && text) {
        if (!verdicts_find(&verdicts, target_slow.name, &slow) ||
            !verdicts_find(&verdicts, target_fat.name, &fat) ||
            !verdicts_find(&verdicts, target_system.name, &system) || !verdicts.has_control ||
            verdicts.control_reference != system)
            state = INSTRUMENT_ABSENT;
        else if (run_checks(text, &verdicts, slow, fat))
            state = INSTRUMENT_SOUND;
    }
    verdicts_clear(&verdicts);
    if (text)
        fclose(text);
    if (stream && state != INSTRUMENT_ABSENT)
        fprintf(stream, "instrument: %s%s.\n", state == INSTRUMENT_SOUND ? "sound" : "not sound",
                reasons ? reasons : "");
    free(reasons);
    return state;
}
