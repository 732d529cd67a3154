/* A working allocator with one planted defect, chosen by -DDEFECT_...: what check mode is there to
 * find. Every object stands behind a header with its size; memory is never reused, so nothing but
 * the plant is wrong. */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef DEFECT_MISALIGNED
#define SKEW 4
#else
#define SKEW 0
#endif

struct header {
    size_t size;
    size_t padding;
};

static unsigned char *reserve, *latest;
static size_t used;

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *pointer, size_t size);
void free(void *pointer);
void *memalign(size_t alignment, size_t size);
size_t malloc_usable_size(void *pointer);

static size_t *size_of(void *pointer)
{
    return &((struct header *)(void *)((unsigned char *)pointer - SKEW) - 1)->size;
}

void *memalign(size_t alignment, size_t size)
{
    const size_t reserve_bytes = (size_t)1 << 36;
    if (!reserve)
        reserve = mmap(NULL, reserve_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (size > reserve_bytes / 2)
        return NULL;
    size_t step = alignment > 16 ? alignment : 16;
    used = (used + sizeof(struct header) + step - 1) / step * step;
    unsigned char *pointer = reserve + used + SKEW;
    *size_of(pointer) = size;
    used += size + 16;
    latest = pointer;
#ifdef DEFECT_OVERLAP
    static unsigned count;
    if (++count % 100 == 0 && size >= 32)
        used -= size;
#endif
    return pointer;
}

void *malloc(size_t size)
{
#ifdef DEFECT_CRASH
    raise(SIGSEGV);
#endif
#ifdef DEFECT_HANG
    for (;;)
        pause();
#endif
#ifdef DEFECT_REFUSAL
    if (size > 100)
        return NULL;
#endif
    return memalign(16, size);
}

void *calloc(size_t count, size_t size)
{
    unsigned char *pointer = malloc(count * size);
#ifdef DEFECT_DIRTY_CALLOC
    if (count * size > 3)
        pointer[3] = 1;
#endif
    return pointer;
}

void *realloc(void *pointer, size_t size)
{
    if (!pointer)
        return malloc(size);
    size_t old = *size_of(pointer), kept = old < size ? old : size;
#ifdef DEFECT_FORGETFUL_REALLOC
    kept -= kept > 8 ? 1 : 0;
#endif
    return memcpy(malloc(size), pointer, kept);
}

void free(void *pointer)
{
#ifdef DEFECT_SCRIBBLING_FREE
    /* Writes into another object, most often a live one. */
    if (latest && latest != pointer && *size_of(latest))
        latest[0] ^= 0xff;
    (void)pointer;
#else
    (void)pointer;
#endif
}

size_t malloc_usable_size(void *pointer)
{
#ifdef DEFECT_SHORT_USABLE_SIZE
    return *size_of(pointer) / 2;
#else
    return *size_of(pointer);
#endif
}
