/* Makes each recorded call in each of its forms; calls.txt has what the trace must say. errno must
 * come through. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#define HUGE_SIZE (SIZE_MAX / 2 + 1)

/* Keeps the compiler from working out sizes and leaving calls away. */
static void *volatile kept;

static void check(int is_right)
{
    if (!is_right)
        _Exit(1);
}

static void plain(void)
{
    void *p = malloc(100);
    kept = p;
    p = realloc(p, 20000000); /* more than a slot's size field holds */
    kept = p;
    free(p);
    kept = malloc(0);
    free(kept);
    free(NULL);
    errno = 0;
    kept = malloc(HUGE_SIZE);
    check(!kept && errno == ENOMEM);
}

static void arrays(void)
{
    kept = calloc(70000, 3); /* a count that a slot's extra field does not hold */
    free(kept);
    kept = calloc(3, 0);
    free(kept);
    errno = 0;
    kept = calloc(HUGE_SIZE, 4);
    check(!kept && errno == ENOMEM);
    void *p = reallocarray(NULL, 5, 6);
    kept = p;
    p = reallocarray(p, 500, 6);
    kept = p;
    errno = 0;
    check(!reallocarray(p, HUGE_SIZE, 4) && errno == ENOMEM);
    free(kept);
}

static void resizing(void)
{
    void *p = realloc(NULL, 8);
    kept = p;
    p = realloc(p, 9);
    kept = p;
    errno = 0;
    kept = realloc(p, HUGE_SIZE);
    check(!kept && errno == ENOMEM);
    kept = realloc(p, 0);
    check(!kept);
}

static void aligned(void)
{
    void *p;
    check(posix_memalign(&p, 64, 1000) == 0);
    check((uintptr_t)p % 64 == 0);
    errno = 7;
    free(p);
    check(errno == 7);
    volatile size_t odd = 3;
    check(posix_memalign(&p, odd, 10) == EINVAL);
    kept = aligned_alloc(1 << 20, 10);
    free(kept);
    kept = memalign(32, 33);
    free(kept);
    kept = valloc(10);
    free(kept);
    kept = pvalloc(10);
    free(kept);
}

int main(void)
{
    plain();
    arrays();
    resizing();
    aligned();
    return 7;
}
