/* Where slots go: opens the image's spool file and gives threads their chunks of it. Everything
 * here is off the fast path, runs with recorder_self.is_inside set and calls nothing that
 * allocates. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/recorder.h"

/* Chunks grow with their thread from 4 KiB, so that ten thousand short threads stay cheap, to 256
 * KiB. That size is kept and written out whenever full, at 5 ns a call; writing 64 KiB at a time
 * cost 9 (60 million calls, user and system time, ext4). */
#define CHUNK_FIRST_UNITS 1u
#define CHUNK_MAX_UNITS   64u
#define CHUNK_GROWTH      4u

/* Programs that close all their descriptors, or choose numbers themselves, do so from below. */
#define DESCRIPTOR_FROM 900
#define NO_DESCRIPTOR   (-1)

/* An image number is found by trying; a process that runs exec more often than this is not recorded
 * further. */
#define IMAGES_MAX 100000

struct recorder_image recorder_image;
int recorder_uses_tsc;
__thread struct recorder_thread recorder_self __attribute__((tls_model("initial-exec")));

static char spool_directory[PATH_MAX];
static char spool_path[PATH_MAX + 64];
static struct spool_header *spool_header;
static int spool_descriptor = NO_DESCRIPTOR;
static struct stat spool_identity;

void recorder_configure(void)
{
    recorder_uses_tsc = ticks_has_tsc();
    const char *directory = getenv(SPOOL_DIRECTORY_VARIABLE);
    if (directory && strlen(directory) < sizeof spool_directory)
        strcpy(spool_directory, directory);
}

static void complain(const char *what, int error)
{
    char line[256];
    int length = snprintf(
        line, sizeof line, "heaplab: recording of process %d stops: %s%s%s; the program goes on\n",
        (int)getpid(), what, error ? ": " : "", error ? strerrordesc_np(error) : "");
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) < 0)
        return; /* nobody is left to tell */
}

/* Ends the recording of this image. What was recorded up to `ticks` is complete and stays. */
static void stop(const char *what, int error, uint64_t ticks)
{
    if (atomic_exchange(&recorder_image.state, RECORDER_OFF) == RECORDER_OFF)
        return;
    if (spool_header)
        spool_header->stop_ticks = ticks;
    if (what)
        complain(what, error);
}

static int is_our_spool(int descriptor)
{
    struct stat found;
    return descriptor >= 0 && !fstat(descriptor, &found) && found.st_dev == spool_identity.st_dev &&
           found.st_ino == spool_identity.st_ino;
}

/* The program may have closed our descriptor, or given its number to a file of its own. */
static int spool_file(void)
{
    if (is_our_spool(spool_descriptor))
        return spool_descriptor;
    int descriptor = open(spool_path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return NO_DESCRIPTOR;
    if (!is_our_spool(descriptor)) {
        close(descriptor);
        errno = ESTALE;
        return NO_DESCRIPTOR;
    }
    return spool_descriptor = descriptor;
}

/* Asked beforehand, since going beyond the limit is a deadly signal. */
static int exceeds_file_limit(off_t end)
{
    struct rlimit limit;
    return !getrlimit(RLIMIT_FSIZE, &limit) && limit.rlim_cur != RLIM_INFINITY &&
           (rlim_t)end > limit.rlim_cur;
}

/* Gives the range its blocks now: a store to a shared mapping that the disk has no room for would
 * be a SIGBUS. */
static int allocate_blocks(int descriptor, off_t offset, off_t bytes)
{
    if (exceeds_file_limit(offset + bytes))
        return EFBIG;
    int error;
    do
        error = fallocate(descriptor, 0, offset, bytes) ? errno : 0;
    while (error == EINTR);
    if (error != EOPNOTSUPP)
        return error;
    static const char zeros[SPOOL_UNIT_BYTES];
    for (off_t done = 0; done < bytes; done += SPOOL_UNIT_BYTES) {
        ssize_t written = pwrite(descriptor, zeros, sizeof zeros, offset + done);
        if (written != (ssize_t)sizeof zeros)
            return written < 0 ? errno : ENOSPC;
    }
    return 0;
}

/* Returns the mapped range of the spool, or NULL with errno. Children get their own spool, so they
 * don't inherit it. */
static void *map_units(uint64_t first_unit, uint32_t units)
{
    off_t offset = (off_t)(first_unit * SPOOL_UNIT_BYTES);
    size_t bytes = (size_t)units * SPOOL_UNIT_BYTES;
    int descriptor = spool_file();
    if (descriptor < 0)
        return NULL;
    int error = allocate_blocks(descriptor, offset, (off_t)bytes);
    if (error) {
        errno = error;
        return NULL;
    }
    void *mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset);
    if (mapped == MAP_FAILED)
        return NULL;
    madvise(mapped, bytes, MADV_DONTFORK);
    /* One fault for all pages. Older kernels refuse and fault page by page later. */
    madvise(mapped, bytes, MADV_POPULATE_WRITE);
    return mapped;
}

static int create_spool_file(void)
{
    for (int image = 1; image <= IMAGES_MAX; image++) {
        snprintf(spool_path, sizeof spool_path, "%s/%d.%d" SPOOL_SUFFIX, spool_directory,
                 (int)getpid(), image);
        int descriptor = open(spool_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return NO_DESCRIPTOR;
}

static void fill_header(struct spool_header *header)
{
    header->clock = recorder_uses_tsc ? SPOOL_CLOCK_TSC : SPOOL_CLOCK_MONOTONIC;
    header->pid = (uint32_t)getpid();
    header->start_ns = ticks_monotonic_ns();
    header->start_ticks = recorder_ticks();
    recorder_describe(header);
    ssize_t length = readlink("/proc/self/exe", header->program, sizeof header->program - 1);
    if (length > 0)
        header->program[length] = '\0';
    atomic_signal_fence(memory_order_release);
    header->magic = SPOOL_MAGIC;
}

/* Returns 0, or an errno with the reason in *what. */
static int open_spool(const char **what)
{
    if (madvise(&recorder_image, sizeof recorder_image, MADV_WIPEONFORK)) {
        *what = "this kernel can't tell children from parents (MADV_WIPEONFORK)";
        return errno;
    }
    int inherited = spool_descriptor;
    if (is_our_spool(inherited))
        close(inherited);
    spool_descriptor = NO_DESCRIPTOR;
    spool_header = NULL;

    *what = "its spool file can't be created";
    int created = create_spool_file();
    if (created < 0)
        return errno;
    int moved = fcntl(created, F_DUPFD_CLOEXEC, DESCRIPTOR_FROM);
    if (moved >= 0) {
        close(created);
        created = moved;
    }
    spool_descriptor = created;
    if (fstat(created, &spool_identity))
        return errno;
    *what = "its spool file can't be written";
    struct spool_header *header = map_units(0, 1);
    if (!header) {
        int error = errno;
        unlink(spool_path);
        return error;
    }
    fill_header(header);
    spool_header = header;
    return 0;
}

/* The first thread to come opens the spool; others wait for it. */
static int ensure_open(struct recorder_thread *self, uint64_t ticks)
{
    int state = RECORDER_NEW;
    if (atomic_compare_exchange_strong(&recorder_image.state, &state, RECORDER_OPENING)) {
        /* In a new image, so in a child this is the thread that forked, and the chunk was the
         * parent's. */
        *self = (struct recorder_thread){.is_inside = 1};
        const char *what;
        int error = spool_directory[0] ? open_spool(&what) : ENOENT;
        if (error) {
            /* A missing folder is a recording that is over; the process outlived it. */
            stop(error == ENOENT ? NULL : what, error, ticks);
            return 0;
        }
        atomic_store(&recorder_image.next_unit, 1);
        atomic_store(&recorder_image.state, RECORDER_OPEN);
        return 1;
    }
    while ((state = atomic_load(&recorder_image.state)) == RECORDER_OPENING)
        sched_yield();
    return state == RECORDER_OPEN;
}

static void lock_retired(void)
{
    while (atomic_flag_test_and_set_explicit(&recorder_image.retired_lock, memory_order_acquire))
        sched_yield();
}

static void unlock_retired(void)
{
    atomic_flag_clear_explicit(&recorder_image.retired_lock, memory_order_release);
}

/* Unmaps the chunks of threads that the kernel no longer knows. */
static void unmap_retired(void)
{
    if (!recorder_image.retired_count)
        return;
    lock_retired();
    unsigned kept = 0;
    for (unsigned i = 0; i < recorder_image.retired_count; i++) {
        struct recorder_retired *retired = &recorder_image.retired[i];
        if (tgkill(getpid(), retired->thread_id, 0) && errno == ESRCH)
            munmap(retired->chunk, retired->bytes);
        else
            recorder_image.retired[kept++] = *retired;
    }
    recorder_image.retired_count = kept;
    unlock_retired();
}

void recorder_retire(struct recorder_thread *self)
{
    if (!self->chunk || self->is_retired || atomic_load(&recorder_image.state) == RECORDER_NEW)
        return;
    int saved_errno = errno;
    unmap_retired();
    lock_retired();
    if (recorder_image.retired_count < RECORDER_RETIRED_MAX) {
        recorder_image.retired[recorder_image.retired_count++] =
            (struct recorder_retired){self->chunk, self->chunk_bytes, gettid()};
        self->is_retired = 1;
    }
    unlock_retired();
    errno = saved_errno;
}

/* Makes the mapped range the thread's empty chunk. Its slots are zero; the magic is stored last,
 * for readers. */
static void begin_chunk(struct recorder_thread *self, struct spool_chunk *chunk, size_t bytes,
                        uint64_t ticks)
{
    chunk->thread = self->number_plus_1 - 1;
    chunk->units = (uint32_t)(bytes / SPOOL_UNIT_BYTES);
    chunk->first_ticks = ticks;
    chunk->pair_ns = ticks_monotonic_ns();
    chunk->pair_ticks = recorder_ticks();
    chunk->sequence = self->sequence++;
    atomic_signal_fence(memory_order_release);
    *(volatile uint64_t *)&chunk->magic = SPOOL_CHUNK_MAGIC;

    self->chunk = chunk;
    self->chunk_bytes = bytes;
    self->cursor = (struct spool_slot *)(chunk + 1);
    self->limit = (struct spool_slot *)((char *)chunk + bytes) - RECORDER_SLOTS_MAX + 1;
    self->last_ticks = ticks;
}

static int map_chunk(struct recorder_thread *self, uint32_t units, uint64_t ticks)
{
    uint64_t unit = atomic_fetch_add(&recorder_image.next_unit, units);
    void *chunk = map_units(unit, units);
    if (!chunk)
        return 0;
    if (self->chunk && !self->is_retired)
        munmap(self->chunk, self->chunk_bytes);
    begin_chunk(self, chunk, (size_t)units * SPOOL_UNIT_BYTES, ticks);
    return 1;
}

/* Copies the full chunk to the end of the spool and empties it for further use. Writing costs a
 * third of mapping fresh pages, and the same few pages stay in the processor's cache.
 *
 * A kill at any moment loses nothing: until the first slot is zero the chunk counts and the copy,
 * which has its sequence number, does not; from then on it is the other way round. */
static int flush_chunk(struct recorder_thread *self, uint64_t ticks)
{
    struct spool_chunk *chunk = self->chunk;
    size_t bytes = self->chunk_bytes;
    int descriptor = spool_file();
    if (descriptor < 0)
        return 0;
    uint64_t unit = atomic_fetch_add(&recorder_image.next_unit, bytes / SPOOL_UNIT_BYTES);
    off_t offset = (off_t)(unit * SPOOL_UNIT_BYTES);
    if (exceeds_file_limit(offset + (off_t)bytes)) {
        errno = EFBIG;
        return 0;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t written =
            pwrite(descriptor, (char *)chunk + done, bytes - done, offset + (off_t)done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written < 0 ? errno : ENOSPC;
            return 0;
        }
        done += (size_t)written;
    }
    struct spool_slot *slots = (struct spool_slot *)(chunk + 1);
    *(volatile uint64_t *)&slots->first = 0;
    atomic_signal_fence(memory_order_release);
    memset(slots, 0, bytes - sizeof *chunk);
    atomic_signal_fence(memory_order_release);
    begin_chunk(self, chunk, bytes, ticks);
    return 1;
}

/* Gives the thread an empty chunk in place of its full one, if it has one. */
static int renew_chunk(struct recorder_thread *self, uint64_t ticks)
{
    uint32_t units = (uint32_t)(self->chunk_bytes / SPOOL_UNIT_BYTES);
    if (!units)
        unmap_retired();
    int is_renewed = units < CHUNK_MAX_UNITS
                         ? map_chunk(self, units ? units * CHUNK_GROWTH : CHUNK_FIRST_UNITS, ticks)
                         : flush_chunk(self, ticks);
    if (!is_renewed)
        stop("its spool file can't grow", errno, ticks);
    return is_renewed;
}

static int reserve(struct recorder_thread *self, uint64_t ticks)
{
    int state = atomic_load(&recorder_image.state);
    if (state == RECORDER_OFF)
        return 0;
    if (state != RECORDER_OPEN && !ensure_open(self, ticks))
        return 0;
    if (spool_header->closed) {
        stop(NULL, 0, ticks);
        return 0;
    }
    if (!self->number_plus_1)
        self->number_plus_1 = atomic_fetch_add(&recorder_image.thread_count, 1) + 1;
    int is_first = !self->chunk;
    if (!renew_chunk(self, ticks))
        return 0;
    if (is_first)
        recorder_watch_thread_exit();
    return 1;
}

int recorder_reserve(struct recorder_thread *self, uint64_t ticks)
{
    if (atomic_load_explicit(&recorder_image.state, memory_order_relaxed) == RECORDER_OFF)
        return 0;
    int saved_errno = errno;
    int cancel_state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    int is_ready = reserve(self, ticks);
    pthread_setcancelstate(cancel_state, NULL);
    errno = saved_errno;
    return is_ready;
}
