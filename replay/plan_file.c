#include "replay/plan_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/command.h"
#include "replay/csv.h"

#define SEED_LABEL "seed: "

/* A line for each thing that makes rows what they are, the seed's last. */
void plan_file_write(FILE *stream, const struct campaign_plan *plan)
{
    for (unsigned i = 0; i < plan->source_count; i++)
        fprintf(stream, "source: %s\n", plan->sources[i]);
    for (unsigned i = 0; i < plan->allocator_count; i++)
        fprintf(stream, "allocator: %s\n", plan->allocators[i]);
    const struct {
        bool is_wanted;
        enum run_mode mode;
        unsigned repetitions;
    } modes[] = {
        {plan->checks, RUN_CHECK, 1},
        {plan->measures_throughput, RUN_THROUGHPUT, plan->repetitions},
        {plan->measures_latency, RUN_LATENCY, plan->latency_repetitions},
        {plan->measures_memory, RUN_MEMORY, plan->memory_repetitions},
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (modes[i].is_wanted)
            fprintf(stream, "%s: %u runs\n", run_mode_names[modes[i].mode], modes[i].repetitions);
    fprintf(stream, "touch: %s\npace: %s\n", run_touch_names[plan->touch],
            run_pace_names[plan->pace]);
    fprintf(stream, SEED_LABEL "%llu\n", (unsigned long long)plan->seed);
}

static char *plan_text(const struct campaign_plan *plan)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return NULL;
    plan_file_write(stream, plan);
    return fclose(stream) ? NULL : text;
}

static bool is_seed(const char *line)
{
    return !strncmp(line, SEED_LABEL, strlen(SEED_LABEL));
}

/* The next line, without its end, of a text that is cut up; "nothing" after the last. */
static const char *next_line(char **text)
{
    char *line = strsep(text, "\n");
    return line && *line ? line : "nothing";
}

static int differ(const char *folder, const char *then, const char *now)
{
    message("%s: this campaign was begun with '%s' where '%s' is asked for; give --resume with the "
            "options of then, or remove the folder",
            folder, then, now);
    return COMMAND_USAGE;
}

int plan_file_compare(const char *folder, struct campaign_plan *plan)
{
    FILE *stream = csv_open(folder, PLAN_FILE, "re");
    if (!stream)
        return COMMAND_DONE;
    char *now_text = plan_text(plan), *rest = now_text, *then = NULL;
    size_t capacity = 0;
    int status = now_text ? COMMAND_DONE : COMMAND_ENVIRONMENT;
    if (!now_text)
        message("%s: no memory to read what the campaign was begun with", folder);
    while (status == COMMAND_DONE && getline(&then, &capacity, stream) >= 0) {
        const char *now = next_line(&rest);
        then[strcspn(then, "\n")] = '\0';
        if (is_seed(then) && is_seed(now) && !plan->is_seed_given)
            plan->seed = strtoull(then + strlen(SEED_LABEL), NULL, 10);
        else if (strcmp(then, now))
            status = differ(folder, then, now);
    }
    free(then);
    free(now_text);
    fclose(stream);
    return status;
}

void plan_file_remove(const char *folder)
{
    char *path;
    if (asprintf(&path, "%s/" PLAN_FILE, folder) < 0)
        return;
    (void)unlink(path);
    free(path);
}
