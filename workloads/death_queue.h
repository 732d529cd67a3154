/* Objects in the order in which they will die. */
#ifndef WORKLOADS_DEATH_QUEUE_H
#define WORKLOADS_DEATH_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct mortal {
    uint64_t death; /* in allocations since the start, or whatever the generator counts */
    uint32_t id;
    uint32_t note; /* the generator's own */
};

/* A binary heap: nobody dies before their parent, so heap[0] dies next. All zero is empty. */
struct death_queue {
    struct mortal *heap;
    size_t count, capacity;
};

/* Returns 0 or -ENOMEM. */
int death_queue_add(struct death_queue *queue, struct mortal mortal);
/* Removes and returns the first to die, of those that die together the one with the lowest id. The
 * queue is not empty. */
struct mortal death_queue_take(struct death_queue *queue);
void death_queue_clean_up(struct death_queue *queue);

#endif
