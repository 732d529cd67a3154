/* Zipf's law: of n ranks, rank k comes up in proportion to 1/k. Allocation sizes of real programs
 * are skewed like that: a few small sizes make up most requests. */
#ifndef WORKLOADS_ZIPF_H
#define WORKLOADS_ZIPF_H

#include <stddef.h>
#include <stdint.h>

#include "workloads/prng.h"

struct zipf {
    uint64_t *cumulative; /* cumulative[i]: weight of the ranks 1 to i + 1 */
    size_t rank_count;
};

/* The ranks are 1 to `rank_count`, at most 2^20. Returns 0 or -ENOMEM. */
int zipf_init(struct zipf *zipf, size_t rank_count);
void zipf_clean_up(struct zipf *zipf);

uint64_t zipf_draw(const struct zipf *zipf, struct prng *prng);

#endif
