/* The ledger: follows a stream of events, says whether each is legal, hands out object ids and
 * keeps the summary.
 *
 * Writer, reader and trace_source_summarise all pass every event through here, so that what one
 * accepts the others accept, and what one counts the others count.
 *
 * Memory: 16 bytes for each id ever in use plus one byte for each thread. Thread safety: none.
 */
#ifndef TRACES_LEDGER_H
#define TRACES_LEDGER_H

#include <stdint.h>

#include "traces/object_ids.h"
#include "traces/trace.h"

struct ledger_object {
    uint64_t bytes;
    uint32_t thread; /* that allocated it, or resized it since; TRACE_NO_OBJECT: not live */
    uint32_t birth;  /* how many objects came before it, modulo 2^32; stays after its end */
};

struct trace_ledger {
    struct object_ids *ids;
    struct ledger_object *objects; /* by id */
    uint32_t object_capacity;
    uint8_t *ended; /* by thread: whether it is over */
    uint32_t thread_capacity;
    uint32_t birth_count; /* objects allocated, modulo 2^32 */
    /* True after every event; duration_ns is the time of the latest. */
    struct trace_summary summary;
};

/* Returns 0 or -ENOMEM; clean up in either case. */
int trace_ledger_init(struct trace_ledger *ledger);
void trace_ledger_clean_up(struct trace_ledger *ledger);

/* Back to before the first event. */
void trace_ledger_reset(struct trace_ledger *ledger);

enum ledger_ids {
    LEDGER_ASSIGN_IDS, /* event->object of an allocation or a thread start is an output */
    LEDGER_CHECK_IDS,  /* it is an input, and must be what the rule gives */
};

/* Applies one event. Returns 0, -EPROTO for an illegal event or -ENOMEM with *error set; the ledger
 * is then of no further use but for resetting. */
int trace_ledger_apply(struct trace_ledger *ledger, struct trace_event *event, enum ledger_ids mode,
                       struct trace_error *error);

#endif
