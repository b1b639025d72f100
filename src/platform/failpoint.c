#include "platform/failpoint.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef FAILPOINTS

static const char *const names[] = {
    "append:before-write",
    "append:after-write",
    "append:after-sync",
    "truncate:before-cut",
    "truncate:after-cut",
    "truncate:after-sync",
    "replace:before-write",
    "replace:after-write",
    "replace:after-sync",
    "replace:after-rename",
    "replace:after-folder-sync",
    "rename:before-rename",
    "rename:after-rename",
    "rename:after-folder-sync",
    "remove:before",
    "remove:after",
    "folder:before-sync",
    "folder:after-sync",
    "mkdir:after-mkdir",
    "mkdir:after-folder-sync",
    "image:before-write",
    "image:after-write",
    "image:after-sync",
    "backup:before-write",
    "backup:after-write",
    "backup:before-sync",
    "backup:after-sync",
    "backup:after-rename",
    "backup:after-folder-sync",
    "backup:after-removal",
    "recover:before-truncate",
    "recover:after-truncate",
    "recover:before-replace",
    "recover:after-replace",
    "recover:before-remove",
    "recover:after-remove",
    "recover:before-folder-sync",
    "recover:after-folder-sync",
};

enum { NAMES = sizeof names / sizeof *names, WAITING_MAX = 16 };

struct waiting {
    size_t name;
    int signal;
    unsigned long passage;
};

static struct waiting waiting[WAITING_MAX];
static size_t waiting_count;
static atomic_ulong *passages; /* per name, in memory shared with children */

static _Noreturn void refuse(const char *what, const char *text)
{
    fprintf(stderr, "FLOTILLA_FAILPOINT: %s: '%s'\n", what, text);
    _exit(1);
}

static size_t find(const char *name, size_t len)
{
    for (size_t i = 0; i < NAMES; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return i;
    return NAMES;
}

/* name:action@n, where the name itself may contain a colon. */
static void add(const char *text)
{
    static const struct {
        const char *word;
        int signal;
    } actions[] = {{":abort@", SIGKILL}, {":pause@", SIGSTOP}};
    if (waiting_count == WAITING_MAX)
        refuse("too many", text);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        const char *action = strstr(text, actions[i].word);
        if (!action)
            continue;
        char *end;
        struct waiting *one = &waiting[waiting_count++];
        one->name = find(text, (size_t)(action - text));
        one->signal = actions[i].signal;
        one->passage = strtoul(action + strlen(actions[i].word), &end, 10);
        if (one->name == NAMES)
            refuse("no failpoint has this name", text);
        if (*end || one->passage == 0)
            refuse("no number of a passage", text);
        return;
    }
    refuse("not name:abort@n nor name:pause@n", text);
}

/* Runs before main(), so that failpoints work before a configuration is read. */
__attribute__((constructor)) static void read_environment(void)
{
    const char *variable = getenv("FLOTILLA_FAILPOINT");
    if (!variable || !*variable)
        return;
    if (strcmp(variable, "list") == 0) {
        for (size_t i = 0; i < NAMES; i++)
            puts(names[i]);
        fflush(stdout);
        _exit(0);
    }
    char *copy = strdup(variable);
    char *next = NULL;
    for (char *text = copy ? strtok_r(copy, ",", &next) : NULL; text;
         text = strtok_r(NULL, ",", &next))
        add(text);
    free(copy);
    passages = mmap(NULL, NAMES * sizeof *passages, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (passages == MAP_FAILED)
        refuse("no memory", variable);
}

void failpoint_pass(const char *name)
{
    size_t found = find(name, strlen(name));
    if (found == NAMES)
        refuse("this place is not in the table", name);
    if (!passages)
        return;
    unsigned long passage = atomic_fetch_add(&passages[found], 1) + 1;
    for (size_t i = 0; i < waiting_count; i++)
        if (waiting[i].name == found && waiting[i].passage == passage)
            kill(getpid(), waiting[i].signal); /* signals the whole process, not just the thread */
}

#endif
