/* The threads of a spool side by side: always hands out the lane whose next step is due first.
 *
 * A lane is opened when its thread's first chunk comes due and closed when the thread wrote nothing
 * more, so that memory follows the number of threads alive at a time. Thread safety: none.
 */
#ifndef TRACES_SPOOL_LANES_H
#define TRACES_SPOOL_LANES_H

#include <stdint.h>

#include "traces/address_map.h"
#include "traces/spool_reader.h"

struct spool_lane {
    uint64_t due; /* ticks of its next step; change it with spool_lanes_reschedule */
    struct spool_call call;
    struct spool_stream *stream;
    struct mapped_object moved; /* between the two steps of a realloc that moved its object */
    uint64_t
        awaited_address; /* the step waits for another lane to allocate or release this; 0: no */
    uint64_t resume_due; /* `due` before it began to wait */
    uint32_t thread;     /* number in the spool */
    uint32_t heap_index;
    uint8_t is_moving; /* the next step is the second one of a realloc */
    uint8_t has_exited;
};

struct spool_lanes {
    struct spool_reader *reader;
    const struct spool_thread *threads; /* not opened yet */
    uint32_t thread_count;
    struct spool_lane **heap;
    uint32_t count;
    uint32_t capacity;
    uint32_t waiting_count;
    uint64_t stop_ticks; /* calls from here on are left out */
};

void spool_lanes_init(struct spool_lanes *lanes, struct spool_reader *reader);
void spool_lanes_clean_up(struct spool_lanes *lanes);

/* Sets *lane to the lane that is due first, NULL when all are through. Returns 0 or -errno. */
int spool_lanes_first(struct spool_lanes *lanes, struct spool_lane **lane);

/* Reads the lane's next call and puts it in its place. Returns 1; 0 where there is none: the caller
 * may look at the lane once more and then removes it; or -errno. */
int spool_lanes_advance(struct spool_lanes *lanes, struct spool_lane *lane);
void spool_lanes_remove(struct spool_lanes *lanes, struct spool_lane *lane);

void spool_lanes_reschedule(struct spool_lanes *lanes, struct spool_lane *lane, uint64_t due);

/* Puts the lane off until something happens to `address`, at the longest until its due time plus
 * `patience`. */
void spool_lanes_wait(struct spool_lanes *lanes, struct spool_lane *lane, uint64_t address,
                      uint64_t patience);

/* Ends the wait of every lane that waits for `address`. */
void spool_lanes_wake(struct spool_lanes *lanes, uint64_t address);

#endif
