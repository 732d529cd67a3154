#include "allocator/habit.h"

#include <stdint.h>

#include "allocator/os.h"

enum {
    /* What a byte that was written earns.  Memory in huge pages proves nothing, so that a heap that
     * grows by long runs alone has four of five bytes there. */
    EARNED = 4,
    /* What one costs that was not: with fewer than 9 of 11 written nothing is left. */
    LOST = 18
};

static void learn(struct habit *habit, size_t most)
{
    const size_t shown_most = OS_COUNT_MOST * os_page_bytes();
    size_t shown = habit->bytes < shown_most ? habit->bytes : shown_most, resident;

    if (shown == 0 || !os_count_resident(habit->end - shown, shown, &resident))
        return;
    /* Its end stands for all of it. */
    size_t times = habit->bytes / shown, written = times * resident * os_page_bytes();
    size_t earned = habit->credit_bytes + EARNED * written;
    size_t lost = LOST * (times * shown - written);
    size_t credit = earned > lost ? earned - lost : 0;
    habit->credit_bytes = credit < most ? credit : most;
}

void habit_note(struct habit *habit, const void *start, size_t bytes, size_t most)
{
    uintptr_t first = os_round_to_page((uintptr_t)start);
    uintptr_t end = ((uintptr_t)start + bytes) & ~(os_page_bytes() - 1);

    if (end <= first)
        return;
    learn(habit, most);
    habit->end = (const char *)end;
    habit->bytes = end - first;
}

bool habit_spend(struct habit *habit, size_t bytes)
{
    bool has_credit = habit->credit_bytes >= bytes;

    habit->credit_bytes -= has_credit ? bytes : 0;
    return has_credit;
}
