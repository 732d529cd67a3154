#include "traces/object_ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/trace.h"

struct private_stack {
    uint32_t count;
    uint32_t ids[OBJECT_IDS_PRIVATE];
};

/* Invariant: an id below next_id is either taken, on exactly one thread's stack, or in the queue
 * once. */
struct object_ids {
    uint32_t next_id;
    uint32_t thread_capacity;
    struct private_stack **stacks; /* by thread; NULL until the thread's first release */
    uint32_t *queue;               /* a ring; the capacity is a power of two or 0 */
    uint64_t queue_capacity;
    uint64_t queue_head, queue_tail; /* positions ever read and written; the index is masked */
};

struct object_ids *object_ids_new(void)
{
    return calloc(1, sizeof(struct object_ids));
}

void object_ids_destroy(struct object_ids *ids)
{
    if (!ids)
        return;
    for (uint32_t i = 0; i < ids->thread_capacity; i++)
        free(ids->stacks[i]);
    free(ids->stacks);
    free(ids->queue);
    free(ids);
}

void object_ids_reset(struct object_ids *ids)
{
    for (uint32_t i = 0; i < ids->thread_capacity; i++) {
        free(ids->stacks[i]);
        ids->stacks[i] = NULL;
    }
    ids->next_id = 0;
    ids->queue_head = ids->queue_tail = 0;
}

static int grow_queue(struct object_ids *ids)
{
    uint64_t capacity = ids->queue_capacity ? 2 * ids->queue_capacity : 256;
    uint32_t *queue = malloc(capacity * sizeof *queue);
    if (!queue)
        return -ENOMEM;
    uint64_t count = ids->queue_tail - ids->queue_head;
    for (uint64_t i = 0; i < count; i++)
        queue[i] = ids->queue[(ids->queue_head + i) & (ids->queue_capacity - 1)];
    free(ids->queue);
    ids->queue = queue;
    ids->queue_capacity = capacity;
    ids->queue_head = 0;
    ids->queue_tail = count;
    return 0;
}

static int enqueue(struct object_ids *ids, uint32_t id)
{
    if (ids->queue_tail - ids->queue_head == ids->queue_capacity && grow_queue(ids))
        return -ENOMEM;
    ids->queue[ids->queue_tail++ & (ids->queue_capacity - 1)] = id;
    return 0;
}

/* Returns the thread's stack, made where it is missing, or NULL. */
static struct private_stack *stack_of(struct object_ids *ids, uint32_t thread)
{
    if (thread >= ids->thread_capacity) {
        uint64_t capacity = ids->thread_capacity ? 2 * (uint64_t)ids->thread_capacity : 16;
        if (capacity <= thread)
            capacity = (uint64_t)thread + 1;
        if (capacity > UINT32_MAX)
            capacity = UINT32_MAX;
        if (thread >= capacity)
            return NULL;
        struct private_stack **stacks = reallocarray(ids->stacks, capacity, sizeof *stacks);
        if (!stacks)
            return NULL;
        memset(stacks + ids->thread_capacity, 0,
               (capacity - ids->thread_capacity) * sizeof *stacks);
        ids->stacks = stacks;
        ids->thread_capacity = (uint32_t)capacity;
    }
    if (!ids->stacks[thread])
        ids->stacks[thread] = calloc(1, sizeof(struct private_stack));
    return ids->stacks[thread];
}

uint32_t object_ids_take(struct object_ids *ids, uint32_t thread)
{
    struct private_stack *stack = thread < ids->thread_capacity ? ids->stacks[thread] : NULL;
    if (stack && stack->count)
        return stack->ids[--stack->count];
    if (ids->queue_head != ids->queue_tail)
        return ids->queue[ids->queue_head++ & (ids->queue_capacity - 1)];
    return ids->next_id == TRACE_NO_OBJECT ? TRACE_NO_OBJECT : ids->next_id++;
}

int object_ids_give(struct object_ids *ids, uint32_t thread, uint32_t id)
{
    struct private_stack *stack = stack_of(ids, thread);
    if (!stack)
        return -ENOMEM;
    if (stack->count == OBJECT_IDS_PRIVATE)
        return enqueue(ids, id);
    stack->ids[stack->count++] = id;
    return 0;
}

int object_ids_end_thread(struct object_ids *ids, uint32_t thread)
{
    struct private_stack *stack = thread < ids->thread_capacity ? ids->stacks[thread] : NULL;
    if (!stack)
        return 0;
    for (uint32_t i = 0; i < stack->count; i++)
        if (enqueue(ids, stack->ids[i]))
            return -ENOMEM;
    free(stack);
    ids->stacks[thread] = NULL;
    return 0;
}

uint32_t object_ids_count(const struct object_ids *ids)
{
    return ids->next_id;
}
