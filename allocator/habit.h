/* Whether a program writes what it asks for in one piece.
 *
 * What lies in a huge page has memory whether the program writes it or not, which suits objects of
 * many pages only where those are written to the end.  So a long range in small pages is looked at
 * when the next one comes, or before its memory goes: those of its pages that were written by then
 * earn credit for memory that is there from the start, in huge pages or left by freed objects, and
 * those that were not cost what several others earned.
 *
 * Invariant: [end - bytes, end), whole pages, is, or was once, the program's, and of its last
 * shown_bytes the system gave memory to those pages alone that were written, or read where they are
 * to be zero; and took none back unless it was unmapped. (Where the system gives huge pages unasked
 * all of it may have memory; then credit changes little.)
 *
 * Its user's lock guards it. */
#ifndef ALLOCATOR_HABIT_H
#define ALLOCATOR_HABIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct habit {
    const char *end;    /* of the last range */
    size_t bytes;       /* of it; 0 for none */
    size_t shown_bytes; /* of its end, which stand for all of it */
    size_t credit_bytes;
};

/* Whether [start, start + bytes), which the caller owns, has to do with the last range.  Needs no
 * lock: if it has, nobody but the caller may change that. */
static inline bool habit_is_of(const struct habit *habit, const void *start, size_t bytes)
{
    uintptr_t end = (uintptr_t)__atomic_load_n(&habit->end, __ATOMIC_RELAXED);
    uintptr_t first = end - __atomic_load_n(&habit->bytes, __ATOMIC_RELAXED);

    return first < end && (uintptr_t)start < end && first < (uintptr_t)start + bytes;
}

/* Looks at the last range, and forgets it. */
void habit_learn(struct habit *habit);
/* Tells of a range that a program will own and that holds no memory yet, and looks at the one
 * before. */
void habit_note(struct habit *habit, const void *start, size_t bytes);
/* The same where no more than the last `shown_bytes` hold none. */
void habit_note_end(struct habit *habit, const void *start, size_t bytes, size_t shown_bytes);
/* Tells that memory of [start, start + bytes) is about to go, and looks at the last range where it
 * lies there. */
void habit_look(struct habit *habit, const void *start, size_t bytes);
/* Looks at the last range before its time: if nearly all of it was written already, it earns four
 * times as much and is forgotten; else it may still be written.  Returns whether it was. */
bool habit_earn(struct habit *habit);
/* Whether there is credit for so many bytes; lowers it to `most`. */
bool habit_allows(struct habit *habit, size_t bytes, size_t most);
/* Spends credit that there is. */
void habit_spend(struct habit *habit, size_t bytes);

#endif
