#include "replay/result_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/command.h"
#include "replay/csv.h"
#include "replay/machine_facts.h"
#include "replay/plan_file.h"
#include "replay/report.h"
#include "replay/verdicts.h"

static int complain(const char *path, int error)
{
    message("%s: %s; name another folder with -o", path, strerror(error));
    return -error;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static int remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT ? -errno : 0;
}

static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
        *slash = '/';
        if (failed)
            return -errno;
    }
    return mkdir(path, 0777) != 0 && errno != EEXIST ? -errno : 0;
}

/* What a campaign writes; anything else in a folder is somebody's own. */
static bool is_campaign_file(const char *name)
{
    static const char *const suffixes[] = {".csv", ".txt", ".svg", ".png", ".html"};
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof suffixes / sizeof suffixes[0]; i++)
        if (!strcmp(suffix, suffixes[i]))
            return true;
    return !strcmp(name, ".") || !strcmp(name, "..");
}

/* A folder is replaced whole, so it must hold a campaign and nothing else, or not be there, or be
 * empty. */
static int check_replaceable(const char *path)
{
    bool has_runs = false;
    unsigned count = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return errno == ENOENT ? 0 : complain(path, errno);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!is_campaign_file(entry->d_name)) {
            message("%s: it holds %s, which is no campaign's; name another folder with -o", path,
                    entry->d_name);
            closedir(folder);
            return -EEXIST;
        }
        has_runs |= !strcmp(entry->d_name, "runs.csv");
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    if (has_runs || !count)
        return 0;
    message("%s: it holds files, but no campaign's runs.csv; name another folder with -o", path);
    return -EEXIST;
}

/* An interrupted campaign is somebody's time: it is taken up or removed, but not by accident. */
static int check_not_interrupted(const struct result_folder *folder)
{
    if (access(folder->working_path, F_OK) != 0)
        return 0;
    message("%s: a campaign was cut off here; take it up with --resume, or remove the folder",
            folder->working_path);
    return -EEXIST;
}

static int finish(const struct result_folder *folder, FILE *stream)
{
    if (!stream)
        return complain(folder->working_path, errno);
    int error =
        ferror(stream) || fflush(stream) || fsync(fileno(stream)) ? (errno ? errno : EIO) : 0;
    if (fclose(stream) && !error)
        error = errno;
    return error ? complain(folder->working_path, error) : 0;
}

/* Returns the exit status. */
static int begin(const struct result_folder *folder, const struct campaign_plan *plan)
{
    int error = make_folders(folder->working_path);
    if (error) {
        complain(folder->working_path, -error);
        return COMMAND_ENVIRONMENT;
    }
    FILE *stream = csv_open(folder->working_path, PLAN_FILE, "we");
    if (stream)
        plan_file_write(stream, plan);
    return finish(folder, stream) ? COMMAND_ENVIRONMENT : COMMAND_DONE;
}

int result_folder_open(struct result_folder *folder, const char *path, struct campaign_plan *plan)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    *folder = (struct result_folder){0};
    folder->final_path = strndup(path, length);
    if (!folder->final_path ||
        asprintf(&folder->working_path, "%s.partial", folder->final_path) < 0) {
        complain(path, ENOMEM);
        return COMMAND_ENVIRONMENT;
    }
    plan->folder = folder->working_path;
    if (check_replaceable(folder->final_path) || (!plan->resumes && check_not_interrupted(folder)))
        return COMMAND_ENVIRONMENT;
    int status = plan->resumes ? plan_file_compare(folder->working_path, plan) : COMMAND_DONE;
    folder->is_open = status == COMMAND_DONE;
    return status || plan->resumes ? status : begin(folder, plan);
}

int result_folder_describe(const struct result_folder *folder, const struct campaign_plan *plan,
                           const struct campaign_results *results, const char *command)
{
    FILE *stream = csv_open(folder->working_path, "summary.csv", "we");
    if (stream)
        report_summary(stream, plan, results);
    int error = finish(folder, stream);
    if (error)
        return error;

    stream = csv_open(folder->working_path, "verdicts.csv", "we");
    if (stream)
        verdicts_write(stream, plan, results);
    error = finish(folder, stream);
    if (error)
        return error;

    stream = csv_open(folder->working_path, "machine.txt", "we");
    if (stream)
        machine_facts_write(stream, plan, results);
    error = finish(folder, stream);
    if (error)
        return error;

    stream = csv_open(folder->working_path, "overview.txt", "we");
    if (stream)
        report_overview(stream, plan, results);
    error = finish(folder, stream);
    if (error)
        return error;

    stream = csv_open(folder->working_path, "command.txt", "we");
    if (stream)
        fprintf(stream, "%s\nseed %llu\n", command, (unsigned long long)plan->seed);
    return finish(folder, stream);
}

int result_folder_commit(struct result_folder *folder)
{
    /* Two renames, not one exchange: the older folder may not exist. In between it is only ever
     * moved, not lost. */
    char *older;
    plan_file_remove(folder->working_path);
    if (asprintf(&older, "%s.older", folder->final_path) < 0)
        return complain(folder->final_path, ENOMEM);
    int error = remove_tree(older); /* of a commit that was cut off between its renames */
    if (!error && rename(folder->final_path, older) != 0 && errno != ENOENT)
        error = -errno;
    if (!error && rename(folder->working_path, folder->final_path) != 0)
        error = -errno;
    if (!error)
        remove_tree(older);
    free(older);
    if (error)
        return complain(folder->final_path, -error);
    free(folder->working_path);
    folder->working_path = NULL;
    return 0;
}

void result_folder_discard(struct result_folder *folder)
{
    message("nothing was measured");
    if (folder->is_open)
        remove_tree(folder->working_path);
    folder->is_open = false;
}

void result_folder_close(struct result_folder *folder)
{
    if (folder->is_open && access(folder->working_path, F_OK) == 0)
        message("what was measured is kept in %s; --resume takes it up", folder->working_path);
    free(folder->final_path);
    free(folder->working_path);
}
