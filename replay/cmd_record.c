/* heaplab record: runs a program under the recorder and turns what that left behind into traces. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "replay/command.h"
#include "replay/sources.h"
#include "traces/spool.h"
#include "traces/spool_format.h"

#define RECORDER_NAME "libheaplab-recorder.so"

/* What shells answer for a program that is not there, or that can't be run. */
#define EXIT_NOT_FOUND      127
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_SIGNAL         128

struct record_options {
    const char *output;
    const char *recover_folder;
    int compression_level;
    char *notes; /* lines for the description */
    char **command;
};

/* ---- the command line ---- */

enum option_key { OPTION_RECOVER = 256 };

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "the trace to write (the command's name, .trace)", 0},
    {"level", 'l', "LEVEL", 0, "zstd's compression level, 1 to 19 (3)", 0},
    {"compression", 0, NULL, OPTION_ALIAS, NULL, 0},
    {"note", 'n', "KEY: VALUE", 0, "add a line to the trace's description", 0},
    {"recover", OPTION_RECOVER, "FOLDER", 0,
     "instead of running a command, finish the recording that an interrupted heaplab record left "
     "in FOLDER",
     0},
    {0}};

static int add_note(struct record_options *options, const char *note)
{
    char *notes;
    if (asprintf(&notes, "%s%s\n", options->notes ? options->notes : "", note) < 0)
        return ENOMEM;
    free(options->notes);
    options->notes = notes;
    return 0;
}

static error_t parse_level(struct record_options *options, const char *argument,
                           const struct argp_state *state)
{
    char *end;
    long level = strtol(argument, &end, 10);
    if (*end || end == argument || level < 1 || level > 19)
        argp_error(state, "'%s' is no compression level; choose 1 to 19", argument);
    options->compression_level = (int)level;
    return 0;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct record_options *options = state->input;
    switch (key) {
    case 'o':
        if (!*argument)
            argp_error(state, "the name after -o is empty; name the trace to write");
        options->output = argument;
        return 0;
    case 'n':
        if (!strchr(argument, ':') || strchr(argument, '\n'))
            argp_error(state, "a note is one line of the form \"key: value\", not '%s'", argument);
        return add_note(options, argument);
    case 'l':
        return parse_level(options, argument, state);
    case OPTION_RECOVER:
        options->recover_folder = argument;
        return 0;
    case ARGP_KEY_ARGS:
        options->command = state->argv + state->next;
        return 0;
    case ARGP_KEY_END:
        if (!options->command == !options->recover_folder)
            argp_error(state, options->command ? "--recover takes no command"
                                               : "which command shall be recorded?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_table,
    .parser = parse_option,
    .args_doc = "[--] COMMAND [ARGUMENT...]\n--recover FOLDER",
    .doc = "Records every allocation call of COMMAND.\vEvery process that COMMAND starts gets a "
           "trace of its own: FILE is "
           "that of COMMAND itself, the others have their process number before the extension. The "
           "exit status is "
           "COMMAND's own; 128 plus the signal where one ended it; 126 or 127 where it could not "
           "be run; 3 where COMMAND ended with 0 but its trace could not be written.",
};

/* ---- what goes into the description ---- */

static void print_command(FILE *stream, char *const *command)
{
    for (char *const *first = command; *command; command++) {
        int is_plain = **command && !strpbrk(*command, " \t\n\"'\\$`*?;&|<>()#");
        if (command > first)
            fputc(' ', stream);
        if (!is_plain)
            fputc('\'', stream);
        for (const char *at = *command; *at; at++) {
            if (*at == '\'')
                fputs("'\\''", stream);
            else
                fputc(*at == '\n' ? ' ' : *at, stream); /* the description is line by line */
        }
        if (!is_plain)
            fputc('\'', stream);
    }
}

/* Every trace of a recording repeats the command, and a list of a thousand files helps nobody. */
#define COMMAND_BYTES_MAX 400

/* Cuts between characters of UTF-8. Returns whether there was the memory. */
static int print_short_command(FILE *stream, char *const *command)
{
    char *text = NULL;
    size_t bytes;
    FILE *whole = open_memstream(&text, &bytes);
    if (!whole)
        return 0;
    print_command(whole, command);
    int is_whole = !fclose(whole);
    size_t shown = bytes;
    if (is_whole && bytes > COMMAND_BYTES_MAX)
        for (shown = COMMAND_BYTES_MAX; shown && (text[shown] & 0xc0) == 0x80;)
            shown--;
    if (is_whole)
        fprintf(stream, "command: %.*s%s\n", (int)shown, text, shown < bytes ? " ..." : "");
    free(text);
    return is_whole;
}

/* Returns NULL where memory ran out. */
static char *describe(const struct record_options *options)
{
    char *text = NULL;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return NULL;
    int has_command = print_short_command(stream, options->command);
    char date[32];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    fprintf(stream, "date: %s\n", date);
    struct utsname host;
    if (!uname(&host))
        fprintf(stream, "host: %s %.*s %s\n", host.sysname, (int)strcspn(host.release, "-"),
                host.release, host.machine);
    if (options->notes)
        fputs(options->notes, stream);
    if (!fclose(stream) && has_command)
        return text;
    free(text);
    return NULL;
}

/* "redis-server.trace" for /usr/bin/redis-server. Returns NULL where memory ran out. */
static char *default_output(const char *command)
{
    const char *slash = strrchr(command, '/');
    char *output;
    return asprintf(&output, "%s.trace", slash ? slash + 1 : command) < 0 ? NULL : output;
}

/* ---- running ---- */

/* Beside this program, as in the build folder, or where an installation puts libraries, wherever
 * that was moved to. Returns NULL after a message. */
static char *find_recorder(void)
{
    char *path = source_library(RECORDER_NAME);
    if (!path) {
        message("%s: is neither beside heaplab nor where an installation puts libraries; build it "
                "with make",
                RECORDER_NAME);
        return NULL;
    }
    return path;
}

/* The loader takes a blank or a colon for the end of a path. */
static int is_preloadable(const char *path)
{
    return !strpbrk(path, " :");
}

/* The path to preload the recorder from, the caller's to free: its own, or that of a link in the
 * recording's folder. Returns NULL after a message. */
static char *preload_path(const char *recorder, const struct spool_recording *recording)
{
    if (!is_preloadable(recorder) && !is_preloadable(recording->folder)) {
        message("%s: the loader can't preload from a path with a blank or colon; move heaplab "
                "elsewhere, or write to a folder without them with -o FILE",
                recorder);
        return NULL;
    }
    char *path =
        is_preloadable(recorder) ? strdup(recorder) : spool_recording_link(recording, recorder);
    if (!path)
        message("%s: can't be linked to: %s; move heaplab to a path without blanks and colons",
                recorder, strerror(errno));
    return path;
}

/* In the child. A preloaded allocator stays, behind the recorder. */
static void exec_command(char **command, const char *recorder, const char *folder)
{
    const char *preload = getenv("LD_PRELOAD");
    char *all;
    if (asprintf(&all, "%s%s%s", recorder, preload && *preload ? ":" : "", preload ? preload : "") <
        0)
        return;
    if (setenv("LD_PRELOAD", all, 1) || setenv(SPOOL_DIRECTORY_VARIABLE, folder, 1))
        return;
    execvp(command[0], command);
}

static volatile sig_atomic_t child_pid;

static void pass_on(int signal_number)
{
    if (child_pid > 0)
        kill(child_pid, signal_number);
}

/* The terminal sends its signals to the program too, which decides what they mean; those sent to us
 * alone are passed on. */
static void set_signals(struct sigaction *saved)
{
    static const int ignored[] = {SIGINT, SIGQUIT}, passed[] = {SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigaction(ignored[0], &action, &saved[0]);
    sigaction(ignored[1], &action, &saved[1]);
    action.sa_handler = pass_on;
    sigaction(passed[0], &action, &saved[2]);
    sigaction(passed[1], &action, &saved[3]);
}

static void restore_signals(const struct sigaction *saved)
{
    sigaction(SIGINT, &saved[0], NULL);
    sigaction(SIGQUIT, &saved[1], NULL);
    sigaction(SIGTERM, &saved[2], NULL);
    sigaction(SIGHUP, &saved[3], NULL);
}

/* Starts the command. Returns its pid, or -errno where it can't be run. */
static pid_t start(char **command, const char *recorder, const char *folder)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC))
        return -errno;
    struct sigaction saved[4];
    set_signals(saved);
    pid_t pid = fork();
    if (pid == 0) {
        restore_signals(saved);
        exec_command(command, recorder, folder);
        int code = errno;
        _exit(write(report[1], &code, sizeof code) == sizeof code ? EXIT_NOT_EXECUTABLE
                                                                  : EXIT_NOT_FOUND);
    }
    int code = pid < 0 ? errno : 0;
    close(report[1]);
    /* The pipe closes by itself in an exec that succeeds. */
    if (pid > 0 && read(report[0], &code, sizeof code) == sizeof code)
        waitpid(pid, NULL, 0);
    close(report[0]);
    if (code) {
        restore_signals(saved);
        return -code;
    }
    child_pid = pid;
    return pid;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return COMMAND_ENVIRONMENT;
    child_pid = 0;
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- afterwards ---- */

struct tally {
    const char *output; /* the name of the main trace */
    uint64_t trace_count;
    uint64_t other_count; /* of them, those of other processes and of earlier programs */
    char *other_path;     /* of the latest of these */
    int were_stopped;     /* whether the end of one of these is missing */
    int was_bypassed;
};

#define THE_END_IS_MISSING "; the end is missing, since the disk was full"

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

static void report_main(const struct spool_report *report)
{
    const struct trace_summary *summary = &report->summary;
    message("%s: %" PRIu64 " event%s, %" PRIu32 " thread%s, %" PRIu64
            " byte%s live at the peak, %" PRIu64 " call%s dropped%s",
            report->path, summary->event_count, plural(summary->event_count), summary->thread_count,
            plural(summary->thread_count), summary->peak_live_bytes,
            plural(summary->peak_live_bytes), summary->dropped_count,
            plural(summary->dropped_count), report->was_stopped ? THE_END_IS_MISSING : "");
}

/* A build starts thousands of processes: they share one line. */
static void report_others(const struct tally *tally)
{
    const char *end = tally->were_stopped ? THE_END_IS_MISSING : "";
    const char *and = tally->trace_count > tally->other_count ? "and " : "";
    if (tally->other_count == 1 && tally->other_path) {
        message("%s1 trace of another process, %s%s", and, tally->other_path, end);
    } else if (tally->other_count) {
        const char *slash = strrchr(tally->output, '/');
        const char *name = slash ? slash + 1 : tally->output;
        const char *dot = strrchr(name, '.');
        size_t stem = dot && dot != name ? (size_t)(dot - tally->output) : strlen(tally->output);
        message("%s%" PRIu64 " traces of other processes, %.*s.PID%s%s", and, tally->other_count,
                (int)stem, tally->output, tally->output + stem, end);
    }
}

static void report_image(void *context, const struct spool_report *report)
{
    struct tally *tally = context;
    tally->was_bypassed |= report->was_bypassed;
    if (report->status) {
        message_trace_error(report->path, &report->error);
        return;
    }
    if (!report->summary.event_count)
        return;
    tally->trace_count++;
    if (!strcmp(report->path, tally->output)) {
        report_main(report);
        return;
    }
    tally->other_count++;
    tally->were_stopped |= report->was_stopped;
    free(tally->other_path);
    tally->other_path = strdup(report->path);
}

/* Returns whether there is a trace, and all were written. The folder stays where one was not, for
 * another try. */
static bool finish(const struct spool_recording *recording)
{
    struct tally tally = {.output = recording->output};
    struct trace_error error;
    int failed_count = spool_recording_finish(recording, report_image, &tally, &error);
    report_others(&tally);
    free(tally.other_path);
    if (failed_count < 0)
        message_trace_error(recording->folder, &error);
    if (failed_count) {
        message("%s: keeps what was recorded; try heaplab record --recover %s -o FILE",
                recording->folder, recording->folder);
        return false;
    }
    if (tally.was_bypassed)
        message("the program brings a malloc of its own, whose calls the recorder does not see");
    if (!tally.trace_count)
        message("%s: not written: no call was recorded; a program that allocates nothing, is "
                "statically linked or brings its own malloc leaves no trace",
                recording->output);
    spool_recording_remove(recording);
    return tally.trace_count > 0;
}

static int record(const struct record_options *options, const char *recorder,
                  const struct spool_recording *recording)
{
    struct trace_error error;
    char *preload = preload_path(recorder, recording);
    if (!preload) {
        spool_recording_remove(recording);
        return COMMAND_ENVIRONMENT;
    }
    pid_t pid = start(options->command, preload, recording->folder);
    free(preload);
    if (pid < 0) {
        spool_recording_remove(recording);
        message("%s: can't be run: %s; %s", options->command[0], strerror(-pid),
                pid == -ENOENT ? "check its name and path" : "name a program that may be run");
        return pid == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
    }
    if (spool_recording_save(recording, (uint32_t)pid, &error))
        message_trace_error(recording->folder, &error);
    int status = wait_for(pid);
    struct spool_recording ended = *recording;
    ended.root_pid = (uint32_t)pid;
    ended.compression_level = options->compression_level;
    /* A program that failed says more than a trace that did. */
    return finish(&ended) || status ? status : COMMAND_ENVIRONMENT;
}

static int run_record(const struct record_options *options)
{
    struct spool_recording recording = {0};
    struct trace_error error;
    int status = COMMAND_ENVIRONMENT;
    char *named = options->output ? NULL : default_output(options->command[0]);
    const char *output = options->output ? options->output : named;
    char *description = describe(options);
    char *recorder = find_recorder();
    if (!output || !description)
        message("out of memory");
    else if (recorder && spool_recording_begin(&recording, output, description, &error))
        message_trace_error(output, &error);
    else if (recorder)
        status = record(options, recorder, &recording);
    spool_recording_clean_up(&recording);
    free(recorder);
    free(description);
    free(named);
    return status;
}

static int run_recover(const struct record_options *options)
{
    struct spool_recording recording;
    struct trace_error error;
    int status = COMMAND_ENVIRONMENT;
    if (spool_recording_load(&recording, options->recover_folder, options->output, &error))
        message_trace_error(options->recover_folder, &error);
    else {
        recording.compression_level = options->compression_level;
        status = finish(&recording) ? COMMAND_DONE : COMMAND_ENVIRONMENT;
    }
    spool_recording_clean_up(&recording);
    return status;
}

int cmd_record(int argc, char **argv)
{
    struct record_options options = {0};
    argp_err_exit_status = COMMAND_USAGE;
    /* In order: what follows the command is the command's. */
    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &options))
        return COMMAND_USAGE;
    int status = options.recover_folder ? run_recover(&options) : run_record(&options);
    free(options.notes);
    return status;
}
