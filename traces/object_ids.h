/* Which id a new object gets. The one rule, applied alike by writer, reader and generators:
 *
 *   1. the id most lately released by the allocating thread, if its private stack holds one;
 *   2. else the id that has been longest in the shared queue;
 *   3. else the next id never used.
 *
 * A released id goes on the releasing thread's stack; where that already holds OBJECT_IDS_PRIVATE
 * ids, it goes to the end of the shared queue. A thread's stack is emptied into the queue, oldest
 * first, when the thread ends.
 *
 * Rule 1 makes most reuse follow program order, so replaying threads need not wait for a slot to
 * fall empty; rule 2 keeps ids dense where one thread only allocates and another only frees.
 */
#ifndef TRACES_OBJECT_IDS_H
#define TRACES_OBJECT_IDS_H

#include <stdint.h>

#define OBJECT_IDS_PRIVATE 64

struct object_ids;

/* Returns NULL with errno ENOMEM. */
struct object_ids *object_ids_new(void);
void object_ids_destroy(struct object_ids *ids);

/* Forgets everything: the next id is 0 again. */
void object_ids_reset(struct object_ids *ids);

/* Returns the id, or TRACE_NO_OBJECT where memory or ids ran out. */
uint32_t object_ids_take(struct object_ids *ids, uint32_t thread);

/* `id` must be taken. Returns 0 or -ENOMEM. */
int object_ids_give(struct object_ids *ids, uint32_t thread, uint32_t id);

/* Returns 0 or -ENOMEM. */
int object_ids_end_thread(struct object_ids *ids, uint32_t thread);

/* How many ids were ever in use: the size of a table indexed by id. */
uint32_t object_ids_count(const struct object_ids *ids);

#endif
