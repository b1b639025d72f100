/* A keyspace that a test owns, as the only database. */
#ifndef FLOTILLA_TESTS_UNIT_SUPPORT_ONLY_H
#define FLOTILLA_TESTS_UNIT_SUPPORT_ONLY_H

#include "keyspace/internal.h"

/* Valid within the block. */
#define ONLY(one) (&(struct databases){.list = {(struct keyspace *)(uintptr_t)(one)}})

/* Frees the other databases that a file has named. */
static inline void only_close(struct databases *only)
{
    for (unsigned i = 1; i < DATABASES_MAX; i++)
        keyspace_free(only->list[i]);
}

#endif
