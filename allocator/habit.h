/* Whether a program writes what it asks for in one piece.
 *
 * What lies in a huge page has memory whether the program writes it or not, which suits objects of
 * many pages only where those are written to the end.  So each long range in small pages is looked
 * at when the next one comes: those of its pages that were written by then earn credit for memory
 * that is there from the start, in huge pages or left by freed objects, and those that were not
 * cost what several others earned.
 *
 * Invariant: [end - bytes, end), whole pages, is, or was once, the program's, and the system gave
 * memory to those of its pages alone that were written, or read where they are to be zero.
 *
 * Its user's lock guards it. */
#ifndef ALLOCATOR_HABIT_H
#define ALLOCATOR_HABIT_H

#include <stdbool.h>
#include <stddef.h>

/* Of the memory that it is for, this part may be credit at most. */
enum { HABIT_CREDIT_SHIFT = 1 };

struct habit {
    const char *end; /* of the last range */
    size_t bytes;    /* of it */
    size_t credit_bytes;
};

/* Tells of a range that a program will own and that holds no memory yet, and looks at the one
 * before.  Credit ends up at `most` bytes at most. */
void habit_note(struct habit *habit, const void *start, size_t bytes, size_t most);
/* Spends so much credit; false where there is less. */
bool habit_spend(struct habit *habit, size_t bytes);

#endif
