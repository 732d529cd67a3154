#include "allocator/habit.h"

#include "allocator/os.h"

enum {
    /* What a byte that was written earns.  Memory in huge pages proves nothing, so that a heap that
     * grows by long runs alone has four of five bytes there. */
    EARNED = 4,
    EARNED_EARLY = 16, /* before its time: with others that show nothing in between */
    /* What one costs that was not: with fewer than 9 of 11 written nothing is left. */
    LOST = 18
};

/* Sets *written to how many bytes of the last range were written, whole pages; false where that
 * can't be told. */
static bool count_written(const struct habit *habit, size_t *written)
{
    const size_t page = os_page_bytes(), pages = habit->bytes / page;
    size_t shown = habit->shown_bytes / page, resident;

    if (shown > OS_COUNT_MOST)
        shown = OS_COUNT_MOST;
    if (pages == 0 || shown == 0 ||
        !os_count_resident(habit->end - shown * page, shown * page, &resident))
        return false;
    *written = pages * resident / shown * page;
    return true;
}

static void forget(struct habit *habit)
{
    __atomic_store_n(&habit->bytes, 0, __ATOMIC_RELAXED);
}

void habit_learn(struct habit *habit)
{
    size_t written;

    if (count_written(habit, &written)) {
        size_t earned = habit->credit_bytes + EARNED * written;
        size_t lost = LOST * (habit->bytes - written);
        habit->credit_bytes = earned > lost ? earned - lost : 0;
    }
    forget(habit);
}

bool habit_earn(struct habit *habit)
{
    size_t written;

    if (!count_written(habit, &written) || EARNED * written <= LOST * (habit->bytes - written))
        return false;
    forget(habit);
    habit->credit_bytes += EARNED_EARLY * written;
    return true;
}

void habit_note_end(struct habit *habit, const void *start, size_t bytes, size_t shown_bytes)
{
    uintptr_t first = os_round_to_page((uintptr_t)start);
    uintptr_t end = ((uintptr_t)start + bytes) & ~(os_page_bytes() - 1);

    if (end <= first)
        return;
    habit_learn(habit);
    __atomic_store_n(&habit->end, (const char *)end, __ATOMIC_RELAXED);
    __atomic_store_n(&habit->bytes, end - first, __ATOMIC_RELAXED);
    habit->shown_bytes = shown_bytes < end - first ? shown_bytes : end - first;
}

void habit_note(struct habit *habit, const void *start, size_t bytes)
{
    habit_note_end(habit, start, bytes, bytes);
}

void habit_look(struct habit *habit, const void *start, size_t bytes)
{
    if (habit_is_of(habit, start, bytes))
        habit_learn(habit);
}

bool habit_allows(struct habit *habit, size_t bytes, size_t most)
{
    if (habit->credit_bytes > most)
        habit->credit_bytes = most;
    return habit->credit_bytes >= bytes;
}

void habit_spend(struct habit *habit, size_t bytes)
{
    habit->credit_bytes -= bytes;
}
