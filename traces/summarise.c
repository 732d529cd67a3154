/* trace_source_summarise: the summary of any source, by one pass over it. */
#include <errno.h>

#include "traces/error.h"
#include "traces/ledger.h"

/* Large enough to make the calls per batch cheap, small enough to stay in the first-level cache. */
#define BATCH_EVENTS 256

static int pass_over(struct trace_source *source, struct trace_ledger *ledger)
{
    struct trace_event events[BATCH_EVENTS];
    for (;;) {
        size_t count;
        int status = trace_source_read(source, events, BATCH_EVENTS, &count);
        if (status || count == 0)
            return status;
        for (size_t i = 0; i < count; i++) {
            status = trace_ledger_apply(ledger, &events[i], LEDGER_CHECK_IDS, &source->error);
            if (status)
                return status;
        }
    }
}

int trace_source_summarise(struct trace_source *source)
{
    if (source->summary)
        return 0;
    struct trace_ledger ledger;
    int status = trace_ledger_init(&ledger);
    if (status)
        trace_fail(&source->error, -status, TRACE_NO_OFFSET, "out of memory");
    if (!status)
        status = trace_source_rewind(source);
    if (!status)
        status = pass_over(source, &ledger);
    if (!status)
        status = trace_source_rewind(source);
    if (!status) {
        source->computed = ledger.summary;
        source->summary = &source->computed;
    }
    trace_ledger_clean_up(&ledger);
    return status;
}
