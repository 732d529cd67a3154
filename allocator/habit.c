#include "allocator/habit.h"

#include <stdint.h>

#include "allocator/os.h"

enum {
    /* What a byte that was written earns.  Memory in huge pages proves nothing, so that a heap that
     * grows by long runs alone has two of three bytes there. */
    EARNED = 2,
    /* What one costs that was not: with fewer than 9 of 11 written nothing is left. */
    LOST = 9
};

static void learn(struct habit *habit, size_t most)
{
    size_t page = os_page_bytes(), pages = habit->shown_bytes / page, resident;

    if (pages == 0 || !os_count_resident(habit->shown, habit->shown_bytes, &resident))
        return;
    size_t earned = habit->credit_bytes + EARNED * resident * page;
    size_t lost = LOST * (pages - resident) * page;
    size_t credit = earned > lost ? earned - lost : 0;
    habit->credit_bytes = credit < most ? credit : most;
}

void habit_note(struct habit *habit, const void *start, size_t bytes, size_t most)
{
    const size_t page = os_page_bytes(), shown_most = OS_COUNT_MOST * page;
    uintptr_t first = os_round_to_page((uintptr_t)start);
    uintptr_t end = ((uintptr_t)start + bytes) & ~(page - 1);

    if (end <= first)
        return;
    learn(habit, most);
    if (end - first > shown_most)
        first = end - shown_most;
    habit->shown = (const void *)first;
    habit->shown_bytes = end - first;
}

bool habit_spend(struct habit *habit, size_t bytes)
{
    bool has_credit = habit->credit_bytes >= bytes;

    habit->credit_bytes -= has_credit ? bytes : 0;
    return has_credit;
}
