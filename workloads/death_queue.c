#include "workloads/death_queue.h"

#include <errno.h>
#include <stdlib.h>

static int dies_before(const struct mortal *one, const struct mortal *other)
{
    return one->death < other->death || (one->death == other->death && one->id < other->id);
}

int death_queue_add(struct death_queue *queue, struct mortal mortal)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? 2 * queue->capacity : 1024;
        struct mortal *grown = realloc(queue->heap, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        queue->heap = grown;
        queue->capacity = capacity;
    }
    struct mortal *heap = queue->heap;
    size_t place = queue->count++;
    while (place && dies_before(&mortal, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = mortal;
    return 0;
}

struct mortal death_queue_take(struct death_queue *queue)
{
    struct mortal *heap = queue->heap;
    struct mortal first = heap[0], last = heap[--queue->count];
    size_t place = 0, child;
    while ((child = 2 * place + 1) < queue->count) {
        if (child + 1 < queue->count && dies_before(&heap[child + 1], &heap[child]))
            child++;
        if (!dies_before(&heap[child], &last))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = last;
    return first;
}

void death_queue_clean_up(struct death_queue *queue)
{
    free(queue->heap);
    *queue = (struct death_queue){0};
}
