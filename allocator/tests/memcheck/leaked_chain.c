/* Loses a list of three.  Memcheck names the head; the rest it finds through the head, whose memory
 * it takes for a part of the program's data. */
#include "allocator/include/allocator.h"

struct link {
    struct link *next;
    char room[992];
};

static struct link *make(struct link *next)
{
    struct link *link = mem_calloc(1, sizeof *link); /* MARK */

    link->next = next;
    return link;
}

static void lose(void)
{
    struct link *head = make(make(make(0)));

    head->room[0] = 1;
}

static void wipe_the_stack(void)
{
    volatile char cover[4096];

    for (unsigned i = 0; i < sizeof cover; i++)
        cover[i] = 0;
}

int main(void)
{
    lose();
    wipe_the_stack();
    return 0;
}
