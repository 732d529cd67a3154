/* An allocator whose resident bytes can be worked out by hand: an object takes twice its pages, all
 * of them resident at once and all of them usable; of the objects that are freed it gives back the
 * first, third, fifth and so on, and keeps the others for ever. */
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES ((size_t)4096)

/* In front of the object, on a page of its own that the object's usable bytes leave out. */
struct header {
    size_t usable_bytes;
};

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *pointer, size_t size);
void free(void *pointer);
size_t malloc_usable_size(void *pointer);

static struct header *header_of(void *pointer)
{
    return (struct header *)(void *)((unsigned char *)pointer - PAGE_BYTES);
}

void *malloc(size_t size)
{
    size_t usable = 2 * ((size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    struct header *header = mmap(NULL, PAGE_BYTES + usable, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (header == MAP_FAILED)
        return NULL;
    header->usable_bytes = usable;
    return (unsigned char *)header + PAGE_BYTES;
}

void free(void *pointer)
{
    static unsigned freed;
    if (pointer && freed++ % 2 == 0)
        munmap(header_of(pointer), PAGE_BYTES + header_of(pointer)->usable_bytes);
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size);
}

void *realloc(void *pointer, size_t size)
{
    void *moved = malloc(size);
    if (pointer && moved) {
        size_t old = malloc_usable_size(pointer);
        memcpy(moved, pointer, old < size ? old : size);
        free(pointer);
    }
    return moved;
}

size_t malloc_usable_size(void *pointer)
{
    return header_of(pointer)->usable_bytes;
}
