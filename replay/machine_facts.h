/* What a result depends on besides the allocators: the machine and its settings. */
#ifndef REPLAY_MACHINE_FACTS_H
#define REPLAY_MACHINE_FACTS_H

#include <stdio.h>

#include "replay/campaign.h"

/* Writes "key: value" lines: time, kernel, processor, memory, huge pages, C library, heaplab, and
 * each allocator's version as its runs reported it. Unknown facts are left out. */
void machine_facts_write(FILE *stream, const struct campaign_plan *plan,
                         const struct campaign_results *results);

#endif
