/* A program to be recorded. Its first argument says how it behaves:
 *   contend THREADS   threads that take each other's objects, so that addresses are reused across
 * threads at once churn THREADS     so many threads one after another; prints how many mappings of
 * spools are left end WAY           1000 mallocs, then an end by `exit`, `abort`, `segv` or `kill`
 *   fork WAY          1000 mallocs, half of which a child made by `fork`, `_Fork`, or `vfork` (with
 * exec) frees fill MILLIONS     so many million pairs of malloc and free many THREADS      so many
 * threads at one time What it prints goes past the allocator. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MALLOCS      1000
#define SHARED_SLOTS 64
#define ROUNDS       60000
#define THREADS_MAX  5000

static void *volatile kept[MALLOCS];

static void print(unsigned long first, unsigned long second)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%lu %lu\n", first, second);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(3);
}

/* ---- contend ---- */

static _Atomic(void *) shared[SHARED_SLOTS];
static atomic_ulong malloc_count, realloc_count;

static void *contend(void *argument)
{
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    unsigned long mallocs = 0, reallocs = 0;
    for (int i = 0; i < ROUNDS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        unsigned slot = (unsigned)random % SHARED_SLOTS, choice = (unsigned)(random >> 20) % 8;
        void *next = NULL;
        if (choice < 5) {
            next = malloc(16 + (random >> 30) % 64);
            mallocs++;
        } else if (choice < 7) {
            next = realloc(atomic_exchange(&shared[slot], NULL), 16 + (random >> 30) % 300);
            reallocs++;
            slot = (slot + 7) % SHARED_SLOTS;
        }
        free(atomic_exchange(&shared[slot], next));
    }
    malloc_count += mallocs;
    realloc_count += reallocs;
    return NULL;
}

static void *make_a_few(void *argument)
{
    for (size_t i = 0; i < 10; i++) {
        void *volatile object = malloc(i * 10);
        free(object);
    }
    return argument;
}

static void run_together(void *(*function)(void *), unsigned count)
{
    static pthread_t threads[THREADS_MAX];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    for (uintptr_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], &attributes, function, (void *)(i + 1)))
            _exit(3);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* ---- churn ---- */

static void count_spool_mappings(void)
{
    static char maps[1 << 22];
    size_t length = 0;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t got; (got = read(file, maps + length, sizeof maps - 1 - length)) > 0;)
        length += (size_t)got;
    close(file);
    unsigned long count = 0;
    for (const char *at = maps; (at = strstr(at, ".spool")); at++)
        count++;
    print(count, 0);
}

static void churn(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, make_a_few, NULL))
            _exit(3);
        pthread_join(thread, NULL);
    }
    count_spool_mappings();
}

/* ---- end, fork, fill ---- */

static void make_objects(void)
{
    for (size_t i = 0; i < MALLOCS; i++)
        kept[i] = malloc(i);
}

static void end(const char *way)
{
    make_objects();
    if (!strcmp(way, "abort"))
        abort();
    if (!strcmp(way, "segv"))
        raise(SIGSEGV);
    if (!strcmp(way, "kill"))
        raise(SIGKILL);
    _exit(0);
}

static void be_child(void)
{
    for (size_t i = 0; i < MALLOCS / 2; i++)
        free(kept[i]);
    for (size_t i = 0; i < 10; i++)
        kept[i] = calloc(1, i);
    _exit(0);
}

static void split(const char *way, char *self)
{
    make_objects();
    pid_t child = !strcmp(way, "_Fork") ? _Fork() : !strcmp(way, "vfork") ? vfork() : fork();
    if (child == 0 && !strcmp(way, "vfork")) {
        execl(self, self, "end", "exit", NULL);
        _exit(127);
    }
    if (child == 0)
        be_child();
    waitpid(child, NULL, 0);
    for (size_t i = 0; i < MALLOCS; i++)
        free(kept[i]);
}

static void fill(unsigned long millions)
{
    for (unsigned long i = 0; i < millions * 1000000; i++) {
        kept[0] = malloc(i % 1000);
        free(kept[0]);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *behaviour = argv[1], *how = argv[2];
    unsigned number = (unsigned)strtoul(how, NULL, 10);
    if (!strcmp(behaviour, "contend"))
        run_together(contend, number);
    else if (!strcmp(behaviour, "many"))
        run_together(make_a_few, number);
    else if (!strcmp(behaviour, "churn"))
        churn(number);
    else if (!strcmp(behaviour, "end"))
        end(how);
    else if (!strcmp(behaviour, "fork"))
        split(how, argv[0]);
    else if (!strcmp(behaviour, "fill"))
        fill(number);
    else
        return 2;
    if (malloc_count)
        print(malloc_count, realloc_count);
    return 0;
}
