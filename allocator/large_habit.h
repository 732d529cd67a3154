/* What a program does with large objects, and so which memory suits the next one: huge pages, small
 * ones, or what is kept of others, cleared where it is to be zero (EXPERIMENTS.md, "Large objects
 * of which little is written" and "Large objects that are to be zero").
 *
 * Memory that is there from the start costs credit (habit.h).  What an object holds for nothing in
 * a huge page is up to one of them, the last that it begins; of one that is cleared it may be all.
 *
 * The lock of the set guards it. */
#ifndef ALLOCATOR_LARGE_HABIT_H
#define ALLOCATOR_LARGE_HABIT_H

#include "allocator/habit.h"

struct large_habit {
    struct habit zeroed, written; /* of objects that were to be zero, and of the others */
    /* How many there were since each was told of one. */
    unsigned zeroed_since, written_since;
};

/* Whether a new object that need not be zero, beside `live_bytes`, is for huge pages. */
bool large_habit_fills(struct large_habit *habit, size_t bytes, size_t live_bytes);
/* It got them. */
void large_habit_filled(struct large_habit *habit, size_t bytes);
/* Whether one for which they are not may have them behind its first part all the same, as one of
 * the first few; counts it.  Needs no lock. */
bool large_habit_tries(void);

/* Whether one that is to be zero is for memory that is there, where `kept_bytes` are kept. */
bool large_habit_clears(struct large_habit *habit, size_t bytes, size_t live_bytes,
                        size_t kept_bytes);
/* It got that. */
void large_habit_cleared(struct large_habit *habit, size_t bytes);

/* Whether the next object of its kind is to show what the program does; counts it. */
bool large_habit_is_due(struct large_habit *habit, bool zeroed, size_t live_bytes);
/* Tells of that object, whose last `shown_bytes` hold no memory yet. */
void large_habit_note(struct large_habit *habit, const void *start, size_t bytes, bool zeroed,
                      size_t shown_bytes);
/* Tells of an object in small pages that grows, which most do once they are full. */
void large_habit_note_growth(struct large_habit *habit, const void *start, size_t bytes);
/* Before the memory of an object goes elsewhere. */
void large_habit_look(struct large_habit *habit, const void *start, size_t bytes);

#endif
