#include "replay/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "replay/clock.h"

#define BAR_CELLS 24

void progress_start(struct progress *progress, bool wanted, unsigned total)
{
    *progress = (struct progress){
        .is_shown = wanted && isatty(STDERR_FILENO),
        .total = total ? total : 1,
        .started_ns = clock_now_ns(),
    };
}

void progress_show(const struct progress *progress, const char *source, const char *allocator)
{
    if (!progress->is_shown)
        return;
    char bar[BAR_CELLS + 1];
    unsigned cells = BAR_CELLS * progress->done / progress->total;
    for (unsigned i = 0; i < BAR_CELLS; i++)
        bar[i] = i < cells ? '#' : '.';
    bar[BAR_CELLS] = '\0';
    fprintf(stderr, "\r\033[K[%s] %3u %%  ", bar, 100 * progress->done / progress->total);
    if (progress->done) {
        double passed_s = (double)(clock_now_ns() - progress->started_ns) / 1e9;
        unsigned left_s =
            (unsigned)(passed_s / progress->done * (progress->total - progress->done) + 0.5);
        fprintf(stderr, "%u:%02u left  ", left_s / 60, left_s % 60);
    }
    fprintf(stderr, "%.30s on %.20s", source, allocator);
    fflush(stderr);
}

void progress_advance(struct progress *progress)
{
    if (progress->done < progress->total)
        progress->done++;
}

void progress_clear(const struct progress *progress)
{
    if (!progress->is_shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}
