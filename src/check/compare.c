/* --compare: which of several folders of one cluster has most. What a majority acknowledged is in
 * the log that ends with the highest term and, within that, the highest index (§5.4.1): at least
 * if one of the folders was among that majority. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "check/check.h"

/* What is compared of one folder. */
struct compared {
    const char *path;
    enum check_status status; /* fine or torn: it can be compared */
    enum err identity_err;
    struct identity owner;
    uint64_t last_term;
    uint64_t last_index;
    uint64_t snapshot_index;
    char message[CHECK_MESSAGE_MAX];
};

static bool can_compare(const struct compared *folder)
{
    return folder->status == CHECK_FINE || folder->status == CHECK_TORN;
}

static void take(struct compared *folder, const struct check *check)
{
    folder->status = check_inspect_status(check);
    folder->owner = check->found.identity;
    folder->last_term = check->found.last_term;
    folder->last_index = check->found.last_index;
    folder->snapshot_index = check->found.snapshot.index;
    folder->identity_err = check->identity_err;
    snprintf(folder->message, sizeof folder->message, "%s",
             check->err            ? check->message
             : check->identity_err ? check->identity_message
                                   : "");
}

static void look_at(struct compared *folder, const struct check *template)
{
    struct check *check = mem_zalloc(sizeof *check);
    check->options = template->options;
    check->options.path = folder->path;
    check->lock = -1;
    folder->status = CHECK_UNREADABLE;
    snprintf(folder->message, sizeof folder->message, "there is no log, or a node runs in it");
    if (check_folder_find(check) && check_folder_lock(check, false)) {
        struct platform_disk *platform = platform_disk_new();
        check_folder_disk(platform, &check->disk);
        check_identity_load(check);
        check_inspect(check);
        take(folder, check);
        check_inspect_close(check);
        platform_disk_free(platform);
    }
    check_folder_unlock(check);
    mem_free(check);
}

static void print_row(const struct compared *folder)
{
    if (!can_compare(folder)) {
        printf("%4s  %10s  %12s  %12s  %-10s  %s: %s\n", "-", "-", "-", "-",
               folder->status == CHECK_CORRUPT ? "corrupt" : "unreadable", folder->path,
               folder->message);
        return;
    }
    printf("%4" PRIu64 "  %10" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %-10s  %s%s%s\n",
           folder->owner.node_id, folder->last_term, folder->last_index, folder->snapshot_index,
           folder->status == CHECK_TORN ? "torn tail" : "fine", folder->path,
           folder->identity_err ? ": no flotilla.identity" : "",
           folder->identity_err == ERR_CORRUPT ? " that can be read" : "");
}

static bool has_more(const struct compared *one, const struct compared *other)
{
    return one->last_term != other->last_term ? one->last_term > other->last_term
                                              : one->last_index > other->last_index;
}

static const struct compared *find_best(const struct compared *folders, size_t count)
{
    const struct compared *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (can_compare(&folders[i]) && !folders[i].identity_err &&
            (!best || has_more(&folders[i], best)))
            best = &folders[i];
    return best;
}

static bool are_of_one_cluster(const struct compared *folders, size_t count)
{
    const struct compared *first = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!can_compare(&folders[i]))
            continue;
        if (first && strcmp(first->owner.cluster_id, folders[i].owner.cluster_id) != 0)
            return false;
        if (!first)
            first = &folders[i];
    }
    return true;
}

static enum check_status conclude(const struct compared *folders, size_t count)
{
    const struct compared *best = find_best(folders, count);
    if (!are_of_one_cluster(folders, count)) {
        for (size_t i = 0; i < count; i++)
            if (can_compare(&folders[i]))
                printf("%s: cluster %s\n", folders[i].path, folders[i].owner.cluster_id);
        puts("the folders are of different clusters: they cannot be compared");
        return CHECK_USAGE;
    }
    if (!best) {
        puts("none of these folders can be recovered from");
        return CHECK_CORRUPT;
    }
    for (size_t i = 0; i < count; i++)
        if (&folders[i] != best && can_compare(&folders[i]) && !has_more(best, &folders[i]))
            printf("as much as the one below: %s\n", folders[i].path);
    printf("%sthe one that has most: %s\n",
           best->status == CHECK_TORN ? "use --repair on it first\n" : "", best->path);
    return CHECK_FINE;
}

enum check_status check_compare(const struct check *template, char *const *paths, size_t count)
{
    struct compared *folders = mem_zalloc(count * sizeof *folders);
    for (size_t i = 0; i < count; i++) {
        folders[i].path = paths[i];
        look_at(&folders[i], template);
    }
    printf("%4s  %10s  %12s  %12s  %-10s  %s\n", "node", "last term", "last entry", "snapshot",
           "state", "folder");
    for (size_t i = 0; i < count; i++)
        print_row(&folders[i]);
    putchar('\n');
    enum check_status status = conclude(folders, count);
    mem_free(folders);
    return status;
}
