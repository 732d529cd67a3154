#include "allocator/large_habit.h"

#include "allocator/os.h"

/* Credit for huge pages is worth no more than that, or than this part of what is live. */
#define CREDIT_LEAST_BYTES ((size_t)16 << 20)
enum { CREDIT_SHIFT = 2 };
/* So many objects of a program that shows nothing may come to hold up to a huge page for nothing.
 */
enum { TRIED_MOST = 8 };
/* Credit for clearing is worth so many times what is kept, beside half of what is live. */
enum { KEPT_TIMES = 4 };
/* An object is looked at when it is freed, or once there were so many others: programs often
 * allocate several, and then write them. */
enum { NOTED_APART = 8 };
/* Where less is live all objects have small pages. */
#define WRITTEN_FROM ((size_t)4 << 20)

static size_t doubtful_bytes(size_t bytes)
{
    return bytes < OS_HUGE_BYTES ? bytes : OS_HUGE_BYTES;
}

static bool may_spend(struct habit *habit, size_t bytes, size_t most)
{
    return habit_allows(habit, bytes, most) ||
           (habit_earn(habit) && habit_allows(habit, bytes, most));
}

bool large_habit_fills(struct large_habit *habit, size_t bytes, size_t live_bytes)
{
    size_t part = live_bytes >> CREDIT_SHIFT;
    size_t most = part < CREDIT_LEAST_BYTES ? CREDIT_LEAST_BYTES : part;

    /* Where nobody can look huge pages are what they are elsewhere: for programs that write. */
    return may_spend(&habit->written, doubtful_bytes(bytes), most) || !os_can_count_resident();
}

void large_habit_filled(struct large_habit *habit, size_t bytes)
{
    size_t credit = habit->written.credit_bytes, doubtful = doubtful_bytes(bytes);

    habit_spend(&habit->written, doubtful < credit ? doubtful : credit);
}

bool large_habit_tries(void)
{
    static unsigned tried;

    return __atomic_load_n(&tried, __ATOMIC_RELAXED) < TRIED_MOST &&
           __atomic_fetch_add(&tried, 1, __ATOMIC_RELAXED) < TRIED_MOST;
}

bool large_habit_clears(struct large_habit *habit, size_t bytes, size_t live_bytes,
                        size_t kept_bytes)
{
    return may_spend(&habit->zeroed, bytes, live_bytes / 2 + KEPT_TIMES * kept_bytes);
}

void large_habit_cleared(struct large_habit *habit, size_t bytes)
{
    habit_spend(&habit->zeroed, bytes);
}

bool large_habit_is_due(struct large_habit *habit, bool zeroed, size_t live_bytes)
{
    const struct habit *kind = zeroed ? &habit->zeroed : &habit->written;
    unsigned *since = zeroed ? &habit->zeroed_since : &habit->written_since;

    if (!zeroed && live_bytes < WRITTEN_FROM)
        return false;
    if (kind->bytes > 0 && ++*since < NOTED_APART)
        return false;
    *since = 0;
    return true;
}

void large_habit_note(struct large_habit *habit, const void *start, size_t bytes, bool zeroed,
                      size_t shown_bytes)
{
    size_t doubtful = doubtful_bytes(bytes);

    if (zeroed)
        habit_note_end(&habit->zeroed, start, bytes, shown_bytes);
    else
        habit_note(&habit->written, (const char *)start + bytes - doubtful, doubtful);
}

void large_habit_note_growth(struct large_habit *habit, const void *start, size_t bytes)
{
    if (bytes < OS_HUGE_BYTES || habit->written.credit_bytes >= OS_HUGE_BYTES)
        return;
    large_habit_note(habit, start, bytes, false, bytes);
    (void)habit_earn(&habit->written);
}

void large_habit_look(struct large_habit *habit, const void *start, size_t bytes)
{
    habit_look(&habit->zeroed, start, bytes);
    habit_look(&habit->written, start, bytes);
}
