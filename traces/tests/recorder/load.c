/* The malloc-heavy program of bench.sh: ARGV[1] million calls over a window of live
 * objects, as a compiler or an interpreter makes them: small sizes, most objects short-lived.
 * Prints the nanoseconds per call. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WINDOW 1024u

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    static void *window[WINDOW];
    uint64_t pairs = strtoull(argc > 1 ? argv[1] : "20", NULL, 10) * 500000;
    uint64_t random = 88172645463325252u; /* Marsaglia's xorshift64 and his seed */
    uint64_t start = now_ns();
    for (uint64_t i = 0; i < pairs; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        unsigned slot = (unsigned)random % WINDOW;
        free(window[slot]);
        window[slot] = malloc(16 + (random >> 40) % 240);
    }
    uint64_t end = now_ns();
    for (unsigned slot = 0; slot < WINDOW; slot++)
        free(window[slot]);
    printf("%.2f\n", pairs ? (double)(end - start) / (double)(2 * pairs) : 0.0);
    return 0;
}
