/* Makes calls that write to a journal fail: put before the C library with LD_PRELOAD.
 *
 * Which calls fail is told by fail_calls(), or in processes that are started later by the variable
 * HANDRAIL_TEST_DISK, as `kind,first,times,error`; `times` 0 is for ever. Only files in a folder
 * `.handrail` count. Of the kinds, `landed` is a write that is made, and fails all the same.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char failing[16];
static long first, times;
static int error;
static atomic_long calls;

void fail_calls(const char *kind, long at, long count, long number) {
    strncpy(failing, kind, sizeof failing - 1);
    first = at, times = count, error = number, calls = 0;
}

long calls_made(void) { return calls; }

__attribute__((constructor)) static void from_environment(void) {
    char kind[16];
    long at, count;
    int number;
    const char *told = getenv("HANDRAIL_TEST_DISK");
    if (told && sscanf(told, "%15[a-z],%ld,%ld,%d", kind, &at, &count, &number) == 4)
        fail_calls(kind, at, count, number);
}

static int fails(const char *kind, int file) {
    char link[32], path[4096];
    if (strcmp(kind, failing)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, "/.handrail/")) return 0;
    long call = ++calls;
    if (call < first || (times && call >= first + times)) return 0;
    errno = error;
    return 1;
}

#define USUAL(name) __typeof__(&name) usual = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int fsync(int file) {
    USUAL(fsync);
    return fails("fsync", file) ? -1 : usual(file);
}

int fdatasync(int file) {
    USUAL(fdatasync);
    return fails("fdatasync", file) ? -1 : usual(file);
}

#define WRITE(name, parameters, arguments)       \
    ssize_t name parameters {                    \
        USUAL(name);                             \
        if (fails("write", file)) return -1;     \
        ssize_t written = usual arguments;       \
        return fails("landed", file) ? -1 : written; \
    }

WRITE(write, (int file, const void *data, size_t size), (file, data, size))
WRITE(pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at))
WRITE(pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at))
