#include "platform/thread.h"

#include <pthread.h>

#include "base/mem.h"
#include "platform/signals.h"

struct thread {
    pthread_t id;
    void (*run)(void *context);
    void *context;
};

static void *begin(void *context)
{
    const struct thread *thread = context;
    platform_block_signals();
    thread->run(thread->context);
    return NULL;
}

void *platform_thread_start(void (*run)(void *context), void *context, const char *name)
{
    struct thread *thread = mem_alloc(sizeof *thread);
    *thread = (struct thread){.run = run, .context = context};
    if (pthread_create(&thread->id, NULL, begin, thread)) {
        mem_free(thread);
        return NULL;
    }
    pthread_setname_np(thread->id, name);
    return thread;
}

void platform_thread_join(void *thread)
{
    struct thread *joined = thread;
    pthread_join(joined->id, NULL);
    mem_free(joined);
}
