#include "peer/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/assert.h"
#include "base/mem.h"

struct question {
    uint64_t ticket;
    char host[CLUSTER_HOST_MAX + 1];
    uint16_t port;
    struct resolved answer;
};

/* Shared with the thread, under `lock`; freed by whoever of the two leaves last: getaddrinfo()
 * cannot be interrupted and may take minutes. */
struct shared {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    struct question questions[RESOLVER_WAITING_MAX]; /* [0, answered) have their answers */
    size_t count;
    size_t answered;
    bool ends;
    bool thread_runs;
    int fd; /* an eventfd that wakes the loop */
};

struct resolver {
    struct shared *shared;
    struct event *event;
    resolver_done *done;
    void *context;
};

static void free_shared(struct shared *shared)
{
    close(shared->fd);
    pthread_cond_destroy(&shared->asked);
    pthread_mutex_destroy(&shared->lock);
    mem_free(shared);
}

static void look_up(const char *host, uint16_t port, int flags, struct resolved *resolved)
{
    char service[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *list = NULL;
    *resolved = (struct resolved){.count = 0};
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int error = getaddrinfo(host, service, &hints, &list);
    if (error) {
        snprintf(resolved->cause, sizeof resolved->cause, "%.120s", gai_strerror(error));
        return;
    }
    for (const struct addrinfo *at = list; at && resolved->count < RESOLVED_MAX; at = at->ai_next) {
        if (at->ai_addrlen > sizeof *resolved->addresses)
            continue;
        memcpy(&resolved->addresses[resolved->count], at->ai_addr, at->ai_addrlen);
        resolved->lens[resolved->count++] = at->ai_addrlen;
    }
    freeaddrinfo(list);
}

static void wake(const struct shared *shared)
{
    uint64_t one = 1;
    if (write(shared->fd, &one, sizeof one) != (ssize_t)sizeof one)
        FATAL("an eventfd does not take a number");
}

static void *run(void *context)
{
    struct shared *shared = context;
    pthread_mutex_lock(&shared->lock);
    while (!shared->ends) {
        if (shared->answered == shared->count) {
            pthread_cond_wait(&shared->asked, &shared->lock);
            continue;
        }
        struct question question = shared->questions[shared->answered];
        pthread_mutex_unlock(&shared->lock);
        look_up(question.host, question.port, 0, &question.answer);
        pthread_mutex_lock(&shared->lock);
        if (shared->ends)
            break;
        shared->questions[shared->answered++].answer = question.answer;
        wake(shared);
    }
    pthread_mutex_unlock(&shared->lock);
    free_shared(shared);
    return NULL;
}

static bool take_answer(struct shared *shared, struct question *question)
{
    pthread_mutex_lock(&shared->lock);
    bool is_there = shared->answered > 0;
    if (is_there) {
        *question = shared->questions[0];
        shared->count--;
        shared->answered--;
        memmove(shared->questions, shared->questions + 1,
                shared->count * sizeof *shared->questions);
    }
    pthread_mutex_unlock(&shared->lock);
    return is_there;
}

static void on_woken(evutil_socket_t fd, short what, void *context)
{
    (void)what;
    struct resolver *resolver = context;
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0)
        return;
    struct question question;
    while (take_answer(resolver->shared, &question))
        resolver->done(resolver->context, question.ticket, &question.answer);
}

struct resolver *resolver_new(struct event_base *base, resolver_done *done, void *context)
{
    struct resolver *resolver = mem_zalloc(sizeof *resolver);
    struct shared *shared = mem_zalloc(sizeof *shared);
    pthread_mutex_init(&shared->lock, NULL);
    pthread_cond_init(&shared->asked, NULL);
    shared->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shared->fd < 0)
        FATAL("the system gives no descriptor for the resolver");
    *resolver = (struct resolver){.shared = shared, .done = done, .context = context};
    resolver->event = event_new(base, shared->fd, EV_READ | EV_PERSIST, on_woken, resolver);
    event_add(resolver->event, NULL);
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    struct shared *shared = resolver->shared;
    event_free(resolver->event);
    mem_free(resolver);
    pthread_mutex_lock(&shared->lock);
    bool thread_runs = shared->thread_runs;
    shared->ends = true;
    pthread_cond_signal(&shared->asked);
    pthread_mutex_unlock(&shared->lock);
    if (!thread_runs)
        free_shared(shared);
}

static bool begin_thread(struct shared *shared)
{
    pthread_t thread;
    if (shared->thread_runs)
        return true;
    shared->thread_runs = pthread_create(&thread, NULL, run, shared) == 0;
    if (shared->thread_runs)
        pthread_detach(thread);
    return shared->thread_runs;
}

bool resolver_is_address(const char *host, uint16_t port, struct resolved *resolved)
{
    look_up(host, port, AI_NUMERICHOST, resolved);
    return resolved->count > 0;
}

bool resolver_ask(struct resolver *resolver, uint64_t ticket, const char *host, uint16_t port)
{
    struct shared *shared = resolver->shared;
    pthread_mutex_lock(&shared->lock);
    bool fits = shared->count < RESOLVER_WAITING_MAX && begin_thread(shared);
    if (fits) {
        struct question *question = &shared->questions[shared->count++];
        question->ticket = ticket;
        question->port = port;
        snprintf(question->host, sizeof question->host, "%s", host);
        pthread_cond_signal(&shared->asked);
    }
    pthread_mutex_unlock(&shared->lock);
    return fits;
}
