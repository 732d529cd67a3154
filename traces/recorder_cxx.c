/* C++ new and delete. The C++ library's own call malloc and free, which record themselves; those of
 * an allocator that brings its own operators (jemalloc, mimalloc, tcmalloc) do not. So: let the
 * real operator work, and record the call here if it left no record of its own.
 *
 * operator new may throw through these functions, so none of them changes any state around the real
 * one. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "traces/recorder.h"

/* The last argument of the nothrow operators, by reference. */
struct nothrow;

/* A program may load C++ code long after its start, out of sight of RTLD_NEXT. */
static void find(void *function, const char *name)
{
    struct recorder_thread *self = &recorder_self;
    int was_inside = self->is_inside;
    self->is_inside = 1;
    void *found = dlsym(RTLD_NEXT, name);
    void *library = found ? NULL : dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library)
        found = dlsym(library, name);
    memcpy(function, &found, sizeof found);
    self->is_inside = was_inside;
}

/* Whether the real operator, called when the cursor stood at `before`, left no record. */
static int is_unrecorded(const struct recorder_thread *self, const struct spool_slot *before)
{
    return !self->is_inside && self->cursor == before;
}

static void record_now(struct recorder_thread *self, uint64_t ticks, unsigned kind, size_t size,
                       size_t alignment, const void *pointer)
{
    self->is_inside = 1;
    if (recorder_is_ready(self, ticks))
        recorder_write(self, ticks, kind, size, alignment, (uintptr_t)pointer);
    self->is_inside = 0;
}

/* Without any C++ library there is nothing that could throw: NULL says that memory is short. */
#define DEFINE_NEW(symbol, kind, alignment, fallback, parameters, arguments)    \
    RECORDER_EXPORT void *symbol parameters;                                    \
    RECORDER_EXPORT void *symbol parameters                                     \
    {                                                                           \
        static void *(*real)parameters;                                         \
        if (RECORDER_UNLIKELY(!real))                                           \
            find(&real, #symbol);                                               \
        if (RECORDER_UNLIKELY(!real))                                           \
            return fallback;                                                    \
        struct recorder_thread *self = &recorder_self;                          \
        const struct spool_slot *before = self->cursor;                         \
        void *pointer = real arguments;                                         \
        if (is_unrecorded(self, before))                                        \
            record_now(self, recorder_ticks(), kind, size, alignment, pointer); \
        return pointer;                                                         \
    }

#define DEFINE_DELETE(symbol, parameters, arguments)            \
    RECORDER_EXPORT void symbol parameters;                     \
    RECORDER_EXPORT void symbol parameters                      \
    {                                                           \
        static void(*real) parameters;                          \
        if (RECORDER_UNLIKELY(!real))                           \
            find(&real, #symbol);                               \
        if (RECORDER_UNLIKELY(!real)) {                         \
            free(pointer);                                      \
            return;                                             \
        }                                                       \
        struct recorder_thread *self = &recorder_self;          \
        const struct spool_slot *before = self->cursor;         \
        uint64_t ticks = recorder_ticks_release();              \
        real arguments;                                         \
        if (is_unrecorded(self, before))                        \
            record_now(self, ticks, TRACE_FREE, 0, 0, pointer); \
    }

/* In the names, m is size_t, RKSt9nothrow_t const std::nothrow_t & and St11align_val_t
 * std::align_val_t, which is a size_t. */
#define DEFINE_PLAIN_NEW(symbol) \
    DEFINE_NEW(symbol, TRACE_MALLOC, 0, malloc(size), (size_t size), (size))
#define DEFINE_NOTHROW_NEW(symbol)                                                              \
    DEFINE_NEW(symbol, TRACE_MALLOC, 0, malloc(size), (size_t size, const struct nothrow *tag), \
               (size, tag))
#define DEFINE_ALIGNED_NEW(symbol)                                                     \
    DEFINE_NEW(symbol, TRACE_ALIGNED_ALLOC, alignment, aligned_alloc(alignment, size), \
               (size_t size, size_t alignment), (size, alignment))
#define DEFINE_ALIGNED_NOTHROW_NEW(symbol)                                             \
    DEFINE_NEW(symbol, TRACE_ALIGNED_ALLOC, alignment, aligned_alloc(alignment, size), \
               (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag))

DEFINE_PLAIN_NEW(_Znwm)
DEFINE_PLAIN_NEW(_Znam)
DEFINE_NOTHROW_NEW(_ZnwmRKSt9nothrow_t)
DEFINE_NOTHROW_NEW(_ZnamRKSt9nothrow_t)
DEFINE_ALIGNED_NEW(_ZnwmSt11align_val_t)
DEFINE_ALIGNED_NEW(_ZnamSt11align_val_t)
DEFINE_ALIGNED_NOTHROW_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t)
DEFINE_ALIGNED_NOTHROW_NEW(_ZnamSt11align_val_tRKSt9nothrow_t)

DEFINE_DELETE(_ZdlPv, (void *pointer), (pointer))
DEFINE_DELETE(_ZdaPv, (void *pointer), (pointer))
DEFINE_DELETE(_ZdlPvm, (void *pointer, size_t size), (pointer, size))
DEFINE_DELETE(_ZdaPvm, (void *pointer, size_t size), (pointer, size))
DEFINE_DELETE(_ZdlPvRKSt9nothrow_t, (void *pointer, const struct nothrow *tag), (pointer, tag))
DEFINE_DELETE(_ZdaPvRKSt9nothrow_t, (void *pointer, const struct nothrow *tag), (pointer, tag))
DEFINE_DELETE(_ZdlPvSt11align_val_t, (void *pointer, size_t alignment), (pointer, alignment))
DEFINE_DELETE(_ZdaPvSt11align_val_t, (void *pointer, size_t alignment), (pointer, alignment))
DEFINE_DELETE(_ZdlPvmSt11align_val_t, (void *pointer, size_t size, size_t alignment),
              (pointer, size, alignment))
DEFINE_DELETE(_ZdaPvmSt11align_val_t, (void *pointer, size_t size, size_t alignment),
              (pointer, size, alignment))
DEFINE_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t,
              (void *pointer, size_t alignment, const struct nothrow *tag),
              (pointer, alignment, tag))
DEFINE_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t,
              (void *pointer, size_t alignment, const struct nothrow *tag),
              (pointer, alignment, tag))
