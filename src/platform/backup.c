#include "platform/backup.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "platform/backup_work.h"
#include "platform/files.h"
#include "platform/paced.h"
#include "platform/signals.h"

enum { CLOSE_WAIT_S = 5 };

struct job_link {
    struct platform_backup_job job;
    struct job_link *next;
};

struct result_link {
    struct platform_backup_result result;
    struct result_link *next;
};

struct platform_backups {
    char *folder;
    char *temporary;
    pthread_t thread;
    int event;
    atomic_bool stop;
    atomic_uint_fast64_t copied;
    pthread_mutex_t mutex; /* over what follows */
    pthread_cond_t wake;
    struct job_link *jobs;
    struct result_link *results;
};

static char *copy_text(const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(mem_alloc(len), text, len);
}

static void add_result(struct platform_backups *backups,
                       const struct platform_backup_result *result)
{
    struct result_link *added = mem_zalloc(sizeof *added);
    added->result = *result;
    pthread_mutex_lock(&backups->mutex);
    struct result_link **end = &backups->results;
    while (*end)
        end = &(*end)->next;
    *end = added;
    pthread_mutex_unlock(&backups->mutex);
    uint64_t one = 1;
    if (write(backups->event, &one, sizeof one) != (ssize_t)sizeof one)
        FATAL("the thread of backups cannot reach the event loop");
}

/* NULL: the end. The link is the caller's. */
static struct job_link *next_job(struct platform_backups *backups)
{
    pthread_mutex_lock(&backups->mutex);
    while (!backups->jobs && !backups->stop)
        pthread_cond_wait(&backups->wake, &backups->mutex);
    struct job_link *job = backups->stop ? NULL : backups->jobs;
    if (job)
        backups->jobs = job->next;
    pthread_mutex_unlock(&backups->mutex);
    return job;
}

static void carry_out(struct platform_backups *backups, const struct platform_backup_job *job)
{
    const struct platform_backup_work work = {.folder = backups->folder,
                                              .temporary = backups->temporary,
                                              .stop = &backups->stop,
                                              .copied = &backups->copied};
    struct platform_backup_result result = {.kind = job->kind, .id = job->id};
    switch (job->kind) {
    case PLATFORM_BACKUP_PREPARE:
        platform_backup_prepare(&work, job, &result);
        break;
    case PLATFORM_BACKUP_COPY:
        platform_backup_copy(&work, job, &result);
        break;
    case PLATFORM_BACKUP_LIST:
        platform_backup_list(&work, &result);
        break;
    }
    add_result(backups, &result);
}

static void *run(void *context)
{
    struct platform_backups *backups = context;
    platform_block_signals();
    platform_lower_priority();
    for (struct job_link *job; (job = next_job(backups)) != NULL;) {
        carry_out(backups, &job->job);
        mem_free(job);
    }
    return NULL;
}

enum err platform_backups_open(const char *folder, const char *temporary,
                               struct platform_backups **opened)
{
    *opened = NULL;
    enum err err = platform_make_folder(folder);
    if (err)
        return err;
    ASSERT(temporary[0] == '.');
    struct platform_backups *backups = mem_zalloc(sizeof *backups);
    backups->folder = copy_text(folder);
    backups->temporary = copy_text(temporary);
    backups->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&backups->mutex, NULL);
    pthread_cond_init(&backups->wake, NULL);
    if (backups->event < 0 || pthread_create(&backups->thread, NULL, run, backups))
        FATAL("the thread of backups cannot be started");
    *opened = backups;
    return ERR_NONE;
}

/* False: a system call of the thread does not return. */
static bool has_ended(struct platform_backups *backups)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_WAIT_S;
    return pthread_timedjoin_np(backups->thread, NULL, &until) == 0;
}

static void free_jobs(struct platform_backups *backups)
{
    while (backups->jobs) {
        struct job_link *job = backups->jobs;
        backups->jobs = job->next;
        if (job->job.kind == PLATFORM_BACKUP_COPY)
            close(job->job.source);
        mem_free(job);
    }
}

void platform_backups_close(struct platform_backups *backups)
{
    if (!backups)
        return;
    pthread_mutex_lock(&backups->mutex);
    backups->stop = true;
    pthread_cond_signal(&backups->wake);
    pthread_mutex_unlock(&backups->mutex);
    if (!has_ended(backups))
        return; /* it may still look at what would be freed; the process ends anyway */
    free_jobs(backups);
    struct platform_backup_result result;
    while (platform_backups_take(backups, &result))
        platform_backup_result_close(&result);
    close(backups->event);
    pthread_mutex_destroy(&backups->mutex);
    pthread_cond_destroy(&backups->wake);
    mem_free(backups->folder);
    mem_free(backups->temporary);
    mem_free(backups);
}

void platform_backups_begin(struct platform_backups *backups, const struct platform_backup_job *job)
{
    struct job_link *added = mem_zalloc(sizeof *added);
    added->job = *job;
    pthread_mutex_lock(&backups->mutex);
    struct job_link **end = &backups->jobs;
    while (*end)
        end = &(*end)->next;
    *end = added;
    if (job->kind == PLATFORM_BACKUP_COPY)
        backups->copied = 0;
    pthread_cond_signal(&backups->wake);
    pthread_mutex_unlock(&backups->mutex);
}

int platform_backups_fd(const struct platform_backups *backups)
{
    return backups->event;
}

bool platform_backups_take(struct platform_backups *backups, struct platform_backup_result *result)
{
    uint64_t count;
    ssize_t ignored = read(backups->event, &count, sizeof count);
    (void)ignored; /* the list says what there is */
    pthread_mutex_lock(&backups->mutex);
    struct result_link *first = backups->results;
    if (first)
        backups->results = first->next;
    pthread_mutex_unlock(&backups->mutex);
    if (!first)
        return false;
    *result = first->result;
    mem_free(first);
    return true;
}

void platform_backup_result_close(struct platform_backup_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        buf_close(&result->files[i].head);
    buf_close(&result->head);
    mem_free(result->files);
    result->files = NULL;
    result->count = 0;
}

uint64_t platform_backups_copied(struct platform_backups *backups)
{
    return backups->copied;
}
