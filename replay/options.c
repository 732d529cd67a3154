#include "replay/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/command.h"
#include "replay/target.h"

static bool add_allocator(struct campaign_plan *plan, const char *name)
{
    if (!target_find(name)) {
        message("no allocator '%s'; 'heaplab list allocators' names them, a shared library is "
                "given by its path",
                name);
        return false;
    }
    for (unsigned i = 0; i < plan->allocator_count; i++)
        if (!strcmp(plan->allocators[i], name))
            return true;
    if (plan->allocator_count == CAMPAIGN_ALLOCATOR_LIMIT) {
        message("more than %d allocators; compare fewer at once", CAMPAIGN_ALLOCATOR_LIMIT);
        return false;
    }
    plan->allocators[plan->allocator_count++] = name;
    return true;
}

bool options_add_allocators(struct campaign_plan *plan, char *text)
{
    for (char *name; (name = strsep(&text, ","));)
        if (!add_allocator(plan, name))
            return false;
    return true;
}

void options_add_all_allocators(struct campaign_plan *plan)
{
    for (size_t i = 0; target_registry[i]; i++)
        if (!target_registry[i]->is_control)
            add_allocator(plan, target_registry[i]->name);
}

bool options_set_modes(struct campaign_plan *plan, char *text)
{
    bool *const wanted[RUN_MODE_COUNT] = {
        [RUN_THROUGHPUT] = &plan->measures_throughput,
        [RUN_LATENCY] = &plan->measures_latency,
        [RUN_MEMORY] = &plan->measures_memory,
        [RUN_CHECK] = &plan->checks,
    };
    for (unsigned i = 0; i < RUN_MODE_COUNT; i++)
        *wanted[i] = false;
    for (char *name = strtok(text, ","); name; name = strtok(NULL, ",")) {
        unsigned mode = 0;
        while (mode < RUN_MODE_COUNT && strcmp(run_mode_names[mode], name))
            mode++;
        if (mode == RUN_MODE_COUNT) {
            message("no mode '%s'; it is throughput, latency, memory or check", name);
            return false;
        }
        *wanted[mode] = true;
    }
    return true;
}

bool options_set_touch(struct campaign_plan *plan, const char *text)
{
    for (unsigned i = 0; i < TOUCH_COUNT; i++)
        if (!strcmp(run_touch_names[i], text)) {
            plan->touch = (enum run_touch)i;
            return true;
        }
    message("no touch policy '%s'; it is none, first, page or full", text);
    return false;
}

bool options_set_pace(struct campaign_plan *plan, const char *text)
{
    for (unsigned i = 0; i < PACE_COUNT; i++)
        if (!strcmp(run_pace_names[i], text)) {
            plan->pace = (enum run_pace)i;
            return true;
        }
    message("no pace '%s'; it is full or recorded", text);
    return false;
}

bool options_read_number(const char *option, const char *text, unsigned long minimum,
                         unsigned long maximum, unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || *number < minimum || *number > maximum) {
        message("%s: '%s' is no whole number from %lu to %lu", option, text, minimum, maximum);
        return false;
    }
    return true;
}

bool options_set_seed(struct campaign_plan *plan, const char *text)
{
    unsigned long number;
    if (!options_read_number("--seed", text, 0, UINT32_MAX, &number))
        return false;
    plan->seed = number;
    plan->is_seed_given = true;
    return true;
}

bool options_read_format(const char *text, bool *wants_csv)
{
    *wants_csv = !strcmp(text, "csv");
    if (*wants_csv || !strcmp(text, "table"))
        return true;
    message("no format '%s'; it is table or csv", text);
    return false;
}
