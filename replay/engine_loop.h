/* The loop itself, compiled once for each (threads, touch) pair. Only engine.c includes this. */
#ifndef REPLAY_ENGINE_LOOP_H
#define REPLAY_ENGINE_LOOP_H

#include <string.h>

#include "replay/engine_thread.h"
#include "replay/run.h"

#define TOUCH_PAGE_BYTES 4096u

/* Writes what the policy asks for in the object's bytes from `from` on. Volatile: the store is the
 * measured effect. */
static inline __attribute__((always_inline)) void touch_object(void *object, uint64_t from,
                                                               uint64_t size, enum run_touch touch)
{
    volatile char *bytes = object;
    if (touch == TOUCH_FIRST && from == 0 && size)
        bytes[0] = 1;
    if (touch == TOUCH_PAGE)
        for (uint64_t at = (from + TOUCH_PAGE_BYTES - 1) & ~(uint64_t)(TOUCH_PAGE_BYTES - 1);
             at < size; at += TOUCH_PAGE_BYTES)
            bytes[at] = 1;
    if (touch == TOUCH_FULL && from < size)
        memset((char *)object + from, 1, size - from);
}

/* The object in the slot. Among several threads its present life must be the one meant: wait until
 * it is. */
static inline __attribute__((always_inline)) void *
take_object(struct engine_thread *self, _Atomic uint64_t *slot, uint16_t generation, bool is_shared)
{
    uint64_t value = atomic_load_explicit(slot, memory_order_acquire);
    if (!is_shared)
        return (void *)(uintptr_t)value;
    if (__builtin_expect(!slot_holds(value, generation), 0))
        value = engine_wait_for_object(self, slot, generation);
    return (void *)(uintptr_t)(value & ADDRESS_MASK);
}

static inline __attribute__((always_inline)) void put_object(struct engine_thread *self,
                                                             _Atomic uint64_t *slot,
                                                             uint16_t generation, void *object,
                                                             bool is_shared)
{
    if (!is_shared) {
        atomic_store_explicit(slot, (uint64_t)(uintptr_t)object, memory_order_relaxed);
        return;
    }
    /* The slot's last object may still be on its way out where the id came from another thread. */
    uint64_t vacant = slot_vacant((uint16_t)(generation - 1));
    if (__builtin_expect(atomic_load_explicit(slot, memory_order_acquire) != vacant, 0))
        engine_wait_for_vacancy(self, slot, vacant);
    atomic_store_explicit(slot, (uint64_t)generation << ADDRESS_BITS | (uint64_t)(uintptr_t)object,
                          memory_order_release);
}

static inline __attribute__((always_inline)) void
replace_object(_Atomic uint64_t *slot, uint16_t generation, void *object, bool is_shared)
{
    uint64_t tag = is_shared ? (uint64_t)replay_next_generation(generation) << ADDRESS_BITS : 0;
    atomic_store_explicit(slot, tag | (uint64_t)(uintptr_t)object, memory_order_release);
}

/* Plays from `event` to the end of the segment or of the thread, and returns the event that ended
 * it. */
static inline __attribute__((always_inline)) const struct replay_event *
play_events(struct engine_thread *self, const struct replay_event *event, bool is_shared,
            enum run_touch touch)
{
    const struct target target = *self->target;
    _Atomic uint64_t *const slots = self->slots;
    void *object;

    for (;; event++) {
        _Atomic uint64_t *slot = &slots[event->slot];
        switch ((enum replay_operation)event->operation) {
        case REPLAY_MALLOC:
            object = target.malloc(event->size);
            break;
        case REPLAY_FREE:
            object = take_object(self, slot, event->generation, is_shared);
            atomic_store_explicit(slot, is_shared ? slot_vacant(event->generation) : 0,
                                  memory_order_release);
            target.free(object);
            continue;
        case REPLAY_REALLOC:
            object = take_object(self, slot, event->generation, is_shared);
            object = target.realloc(object, event->size);
            if (__builtin_expect(!object && event->size, 0))
                engine_out_of_memory(self, event);
            replace_object(slot, event->generation, object, is_shared);
            continue;
        case REPLAY_REALLOC_GROWN:
            object = take_object(self, slot, event->generation, is_shared);
            object = target.realloc(object, event->size);
            if (__builtin_expect(!object, 0))
                engine_out_of_memory(self, event);
            touch_object(object, event[1].size, event->size, touch);
            replace_object(slot, event->generation, object, is_shared);
            event++;
            continue;
        case REPLAY_CALLOC:
            object = target.calloc(1, event->size);
            break;
        case REPLAY_MEMALIGN:
            if (!target.memalign) {
                self->unsupported_count++;
                put_object(self, slot, event->generation, NULL, is_shared);
                continue;
            }
            object = target.memalign((size_t)1 << event->alignment_log2, event->size);
            break;
        case REPLAY_REALLOC_NULL:
            object = target.realloc(NULL, event->size);
            break;
        case REPLAY_FREE_NULL:
            target.free(NULL);
            continue;
        case REPLAY_FAILING:
            target.free(target.malloc(event->size));
            continue;
        case REPLAY_THREAD_START:
            engine_start_thread(self->engine, event->slot);
            continue;
        case REPLAY_WAIT:
            engine_wait_for_time(self, event->size);
            continue;
        case REPLAY_JUMP:
            event = self->events + event->size - 1;
            continue;
        case REPLAY_THREAD_END:
        case REPLAY_SEGMENT_END:
        case REPLAY_EXTENSION:
            return event;
        default: /* the decoder writes no other; saying so spares the loop a bounds check */
            __builtin_unreachable();
        }
        if (__builtin_expect(!object && event->size, 0))
            engine_out_of_memory(self, event);
        touch_object(object, 0, event->size, touch);
        put_object(self, slot, event->generation, object, is_shared);
    }
}

#endif
