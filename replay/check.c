#include "replay/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "traces/address_map.h"

/* The shadow map: one bit for each 8 bytes of the address space below 2^47, set while an object
 * covers them. 8 bytes, because some allocators align their smallest objects no further. Only
 * touched parts of it take memory. */
#define GRANULE_BYTES UINT64_C(8)
#define ADDRESS_LIMIT (UINT64_C(1) << 47)
#define SHADOW_BYTES  (ADDRESS_LIMIT / GRANULE_BYTES / 8)

/* C11 7.22.3: memory fit for any object that fits in it; max_align_t has 16 bytes on the 64-bit
 * platforms. */
#define FULL_ALIGNMENT 16

static struct {
    const struct target *target;
    pthread_mutex_t lock; /* guards all that follows */
    unsigned char *shadow;
    struct address_map
        *objects; /* by address: requested bytes, and the fill byte as the object's id */
    uint32_t serial;
    uint64_t defects;
    char first[400];
} books = {.lock = PTHREAD_MUTEX_INITIALIZER};

__attribute__((format(printf, 1, 2))) static void report(const char *format, ...)
{
    va_list arguments;
    pthread_mutex_lock(&books.lock);
    if (books.defects++ == 0) {
        va_start(arguments, format);
        vsnprintf(books.first, sizeof books.first, format, arguments);
        va_end(arguments);
    }
    pthread_mutex_unlock(&books.lock);
}

/* ---- the books; the caller holds the lock ---- */

static bool is_shadowed(uint64_t granule)
{
    return books.shadow[granule / 8] >> (granule % 8) & 1;
}

/* Sets or clears the bits of the object's granules. Returns whether any was not as expected: the
 * opposite. */
static bool mark(uint64_t address, uint64_t bytes, bool is_live)
{
    uint64_t granule = address / GRANULE_BYTES,
             end = (address + (bytes ? bytes : 1) - 1) / GRANULE_BYTES + 1;
    bool is_odd = false;
    while (granule < end) {
        if (granule % 8 == 0 && end - granule >= 8) {
            is_odd |= books.shadow[granule / 8] != (is_live ? 0 : 0xff);
            books.shadow[granule / 8] = is_live ? 0xff : 0;
            granule += 8;
            continue;
        }
        unsigned char bit = (unsigned char)(1u << (granule % 8));
        is_odd |= is_shadowed(granule) == is_live;
        books.shadow[granule / 8] = (unsigned char)(is_live ? books.shadow[granule / 8] | bit
                                                            : books.shadow[granule / 8] & ~bit);
        granule++;
    }
    return is_odd;
}

/* Enters an object. Returns the byte it is to be filled with, or 0 where it is not to be touched.
 */
static unsigned char enter(void *object, uint64_t bytes, bool *overlaps)
{
    uint64_t address = (uint64_t)(uintptr_t)object;
    pthread_mutex_lock(&books.lock);
    unsigned char fill = (unsigned char)(books.serial++ % 255 + 1);
    *overlaps = mark(address, bytes, true);
    int error = address_map_add(books.objects, address,
                                (struct mapped_object){.bytes = bytes, .object = fill});
    pthread_mutex_unlock(&books.lock);
    return error ? 0 : fill;
}

/* Strikes an object out before the target gets it back. */
static bool strike(void *object, struct mapped_object *entry)
{
    uint64_t address = (uint64_t)(uintptr_t)object;
    pthread_mutex_lock(&books.lock);
    bool is_known = address_map_remove(books.objects, address, entry);
    if (is_known)
        mark(address, entry->bytes, false);
    pthread_mutex_unlock(&books.lock);
    return is_known;
}

/* ---- what is promised ---- */

/* The alignment due to an object: that of the largest type that fits in it, or what was asked for.
 */
static uint64_t due_alignment(uint64_t bytes, uint64_t asked)
{
    uint64_t natural = FULL_ALIGNMENT;
    while (natural > bytes && natural > 1)
        natural /= 2;
    return asked > natural ? asked : natural;
}

/* The first byte of [0, bytes) that is not `expected`, or `bytes`. */
static uint64_t first_difference(const unsigned char *object, uint64_t bytes,
                                 unsigned char expected)
{
    for (uint64_t i = 0; i < bytes; i++)
        if (object[i] != expected)
            return i;
    return bytes;
}

static void check_contents(const char *call, const unsigned char *object, uint64_t bytes,
                           unsigned char expected)
{
    uint64_t at = expected ? first_difference(object, bytes, expected) : bytes;
    if (at < bytes)
        report("%s: byte %llu of an object of %llu bytes had changed", call, (unsigned long long)at,
               (unsigned long long)bytes);
}

/* Checks, enters and fills a new object. */
static void *accept_object(const char *call, void *object, uint64_t bytes, uint64_t alignment)
{
    if (!object)
        return NULL;
    uint64_t address = (uint64_t)(uintptr_t)object, due = due_alignment(bytes, alignment);
    if (address >= ADDRESS_LIMIT || bytes >= ADDRESS_LIMIT - address) {
        report("%s(%llu): %p is no address of a process", call, (unsigned long long)bytes, object);
        return NULL;
    }
    if (address % due)
        report("%s(%llu): %p is not aligned to %llu bytes", call, (unsigned long long)bytes, object,
               (unsigned long long)due);
    if (books.target->usable_size && books.target->usable_size(object) < bytes)
        report("%s(%llu): the usable size of the object is less: %zu", call,
               (unsigned long long)bytes, books.target->usable_size(object));
    bool overlaps;
    unsigned char fill = enter(object, bytes, &overlaps);
    if (overlaps)
        report("%s(%llu): the object at %p overlaps a live one", call, (unsigned long long)bytes,
               object);
    memset(object, fill, bytes);
    return object;
}

/* ---- the vtable ---- */

static void *check_malloc(size_t size)
{
    return accept_object("malloc", books.target->malloc(size), size, 1);
}

static void *check_calloc(size_t count, size_t size)
{
    unsigned char *object = books.target->calloc(count, size);
    uint64_t bytes = (uint64_t)count * size,
             at = object ? first_difference(object, bytes, 0) : bytes;
    if (at < bytes)
        report("calloc(%llu): byte %llu is not zero", (unsigned long long)bytes,
               (unsigned long long)at);
    return accept_object("calloc", object, bytes, 1);
}

static void *check_memalign(size_t alignment, size_t size)
{
    return accept_object("memalign", books.target->memalign(alignment, size), size, alignment);
}

static void *check_realloc(void *object, size_t size)
{
    struct mapped_object entry = {0};
    if (!object)
        return accept_object("realloc", books.target->realloc(NULL, size), size, 1);
    if (!strike(object, &entry))
        return NULL; /* an object that was refused when it came */
    check_contents("realloc", object, entry.bytes, (unsigned char)entry.object);
    void *moved = books.target->realloc(object, size);
    if (moved)
        check_contents("after realloc", moved, entry.bytes < size ? entry.bytes : size,
                       (unsigned char)entry.object);
    return accept_object("realloc", moved, size, 1);
}

static void check_free(void *object)
{
    struct mapped_object entry;
    if (object && strike(object, &entry))
        check_contents("free", object, entry.bytes, (unsigned char)entry.object);
    books.target->free(object);
}

int check_target(struct target *checker, const struct target *target)
{
    books.target = target;
    books.objects = address_map_new();
    books.shadow = mmap(NULL, SHADOW_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!books.objects || books.shadow == MAP_FAILED)
        return -ENOMEM;
    *checker = *target;
    checker->malloc = check_malloc;
    checker->calloc = check_calloc;
    checker->realloc = check_realloc;
    checker->free = check_free;
    if (target->memalign)
        checker->memalign = check_memalign;
    return 0;
}

uint64_t check_defects(char *sentence, size_t bytes)
{
    pthread_mutex_lock(&books.lock);
    uint64_t defects = books.defects;
    if (defects)
        snprintf(sentence, bytes, "%s (%llu defect%s in all)", books.first,
                 (unsigned long long)defects, defects == 1 ? "" : "s");
    pthread_mutex_unlock(&books.lock);
    return defects;
}
