/* What the targets share: the input as a row of decisions, a bound on the memory an input may cost,
 * and the files to begin with.
 *
 * `TARGET --seeds FOLDER` writes these and ends; tests/fuzz/run does so before each run. */
#ifndef FLOTILLA_TESTS_FUZZ_FUZZ_H
#define FLOTILLA_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Of the target: its inputs to begin with, each handed to seed_put(). */
static void seeds(void);

static const char *seed_folder;
static unsigned seed_count;

static inline void seed_put(struct span bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/seed-%u", seed_folder, ++seed_count);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes.ptr, 1, bytes.len, file) != bytes.len || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed assertion is a crash */
    if (*argc != 3 || strcmp((*argv)[1], "--seeds") != 0)
        return 0;
    seed_folder = (*argv)[2];
    seeds();
    exit(0);
}

/* ---- decisions ---- */

struct input {
    const uint8_t *bytes;
    size_t left;
};

static inline uint8_t input_byte(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++;
}

static inline uint16_t input_two(struct input *input)
{
    unsigned high = input_byte(input);
    return (uint16_t)(high << 8 | input_byte(input));
}

/* The first bytes of the input, at most so many, as an input of their own. */
static inline struct input input_part(struct input *input, size_t len)
{
    struct input part = {input->bytes, len < input->left ? len : input->left};
    input->bytes += part.left;
    input->left -= part.left;
    return part;
}

/* ---- memory ---- */

/* clang: sanitizer/allocator_interface.h */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *ptr,
                                                                size_t size),
                                              void (*on_free)(const volatile void *ptr));
size_t __sanitizer_get_allocated_size(const volatile void *ptr);

static struct {
    bool installed;
    bool counting;
    size_t live; /* wraps when what was there before is freed */
    size_t most;
} memory;

static inline void memory_taken(const volatile void *ptr, size_t size)
{
    (void)ptr;
    if (!memory.counting)
        return;
    memory.live += size;
    if (memory.live < SIZE_MAX / 2 && memory.live > memory.most)
        memory.most = memory.live;
}

static inline void memory_given_back(const volatile void *ptr)
{
    if (memory.counting && ptr)
        memory.live -= __sanitizer_get_allocated_size(ptr);
}

static inline void memory_begin(void)
{
    if (!memory.installed)
        ASSERT(__sanitizer_install_malloc_and_free_hooks(memory_taken, memory_given_back) != 0);
    memory.installed = memory.counting = true;
    memory.live = memory.most = 0;
}

/* The most that was held at one time since memory_begin(). */
static inline size_t memory_end(void)
{
    memory.counting = false;
    return memory.most;
}

/* Of what is freed only the newest is kept to find its late uses: the machine's memory is for the
 * run. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=16";
}

#endif
