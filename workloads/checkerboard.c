/* Every second object dies, and what is wanted next is larger than the holes. */
#include <errno.h>
#include <stdio.h>

#include "workloads/emit.h"
#include "workloads/registry.h"

enum parameter { OBJECTS, KEPT, FREED, WANTED, ROUNDS };

static const struct workload_parameter parameters[] = {
    [OBJECTS] = {"objects", 60000, 2, 1 << 24, "objects of the board, per round", NULL},
    [KEPT] = {"kept", 64, 1, 1 << 30, "bytes of an object that stays", NULL},
    [FREED] = {"freed", 256, 1, 1 << 30, "bytes of an object that is freed", NULL},
    [WANTED] = {"wanted", 320, 2, 1 << 30, "bytes of an object that the holes cannot hold", NULL},
    [ROUNDS] = {"rounds", 4, 1, UINT64_C(1) << 40, "boards, each beside what the last one left",
                NULL},
    {0},
};

struct checkerboard {
    struct object_ids *ids;
    struct live_set holes, wanted; /* to be freed; the kept objects stay for good */
    uint64_t size_kept, size_freed, size_wanted;
    uint64_t object_count, wanted_count, rounds_left;
    uint64_t placed; /* objects of this round's board so far */
    enum { FILL, PUNCH, WANT, CLEAR } phase;
};

static int start(void *state, const uint64_t *values, struct trace_error *error)
{
    struct checkerboard *board = state;
    if (values[WANTED] <= values[FREED]) {
        snprintf(error->message, sizeof error->message,
                 "wanted must be larger than freed, or the new objects fit into the holes");
        return -EINVAL;
    }
    board->size_kept = values[KEPT];
    board->size_freed = values[FREED];
    board->size_wanted = values[WANTED];
    board->object_count = values[OBJECTS];
    board->rounds_left = values[ROUNDS];
    /* As many bytes as were freed: the live bytes come back, only their shape differs. */
    board->wanted_count = values[OBJECTS] / 2 * values[FREED] / values[WANTED];
    board->ids = object_ids_new();
    return board->ids ? 0 : -ENOMEM;
}

static int place(struct checkerboard *board, struct trace_event *event)
{
    if (board->placed++ % 2)
        return emit_malloc_into(&board->holes, board->ids, event, board->size_freed);
    return emit_malloc(board->ids, event, 0, board->size_kept);
}

static int next(void *state, struct trace_event *event)
{
    struct checkerboard *board = state;
    while (board->rounds_left) {
        switch (board->phase) {
        case FILL:
            if (board->placed < board->object_count)
                return place(board, event);
            board->phase = PUNCH;
            break;
        case PUNCH:
            if (board->holes.count)
                return emit_free_from(&board->holes, board->holes.count - 1, board->ids, event);
            board->phase = WANT;
            break;
        case WANT:
            if (board->wanted.count < board->wanted_count)
                return emit_malloc_into(&board->wanted, board->ids, event, board->size_wanted);
            board->phase = CLEAR;
            break;
        case CLEAR:
            if (board->wanted.count)
                return emit_free_from(&board->wanted, board->wanted.count - 1, board->ids, event);
            board->placed = 0;
            board->rounds_left--;
            board->phase = FILL;
            break;
        }
    }
    return 0;
}

static void stop(void *state)
{
    struct checkerboard *board = state;
    live_set_clean_up(&board->wanted);
    live_set_clean_up(&board->holes);
    object_ids_destroy(board->ids);
}

const struct workload workload_checkerboard = {
    .name = "checkerboard",
    .summary = "objects of two sizes in turn, every second one freed, then larger ones wanted",
    .shows = "holes between survivors that nothing fits into: mixed sizes side by side, no reuse "
             "of emptied pages",
    .origin = "P. R. Wilson et al., \"Dynamic Storage Allocation: A Survey and Critical Review\", "
              "IWMM 1995, section 2",
    .parameters = parameters,
    .state_bytes = sizeof(struct checkerboard),
    .start = start,
    .next = next,
    .stop = stop,
};
