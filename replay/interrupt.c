#include "replay/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "replay/command.h"

static volatile sig_atomic_t has_come, is_reading, may_resume;

static void say_interrupted(void)
{
    static const char said[] = "heaplab: interrupted while a source was read",
                      resume[] = "; --resume takes up what was measured";
    ssize_t written = write(STDERR_FILENO, said, sizeof said - 1);
    if (may_resume)
        written = write(STDERR_FILENO, resume, sizeof resume - 1);
    written = write(STDERR_FILENO, "\n", 1);
    (void)written;
}

static void stop(int signal_number)
{
    (void)signal_number;
    has_come = 1;
    if (is_reading) {
        say_interrupted();
        _exit(COMMAND_ENVIRONMENT);
    }
}

void interrupt_catch(bool can_resume)
{
    const struct sigaction action = {.sa_handler = stop};
    may_resume = can_resume;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void)
{
    return has_come;
}

void interrupt_ends_at_once(bool does)
{
    is_reading = does;
}
