#include "workloads/zipf.h"

#include <errno.h>
#include <stdlib.h>

/* Weights are integers, so that draws do not depend on how a C library rounds. */
#define WEIGHT_OF_RANK_1 (UINT64_C(1) << 40)

int zipf_init(struct zipf *zipf, size_t rank_count)
{
    zipf->cumulative = malloc(rank_count * sizeof *zipf->cumulative);
    if (!zipf->cumulative)
        return -ENOMEM;
    zipf->rank_count = rank_count;
    uint64_t total = 0;
    for (size_t i = 0; i < rank_count; i++)
        zipf->cumulative[i] = total += WEIGHT_OF_RANK_1 / (i + 1);
    return 0;
}

void zipf_clean_up(struct zipf *zipf)
{
    free(zipf->cumulative);
    zipf->cumulative = NULL;
}

uint64_t zipf_draw(const struct zipf *zipf, struct prng *prng)
{
    uint64_t point = prng_below(prng, zipf->cumulative[zipf->rank_count - 1]);
    size_t low = 0, high = zipf->rank_count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zipf->cumulative[middle] > point)
            high = middle;
        else
            low = middle + 1;
    }
    return low + 1;
}
