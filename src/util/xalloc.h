/* SPDX-License-Identifier: MIT */
/*
 * xalloc: allocations that are small and bounded by us, and therefore cannot fail.
 *
 * When memory runs out they print one line and abort (house rule: a path that cannot be
 * tested is worse than a restart).  Whatever the network or a user sizes goes through buf.h,
 * which has a ceiling and reports ENOMEM.
 *
 * Threads: any.
 */
#ifndef UTIL_XALLOC_H
#define UTIL_XALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s); /* NULL stays NULL */
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static inline void autofree_cleanup(void *pp)
{
    free(*(void **)pp);
}

/* A local that is freed when it goes out of scope; hand it out with steal_ptr(). */
#define autofree __attribute__((cleanup(autofree_cleanup)))

/* Gives *pp away and leaves NULL behind. */
#define steal_ptr(pp)                      \
    ({                                     \
        __typeof__(*(pp)) stolen_ = *(pp); \
        *(pp) = NULL;                      \
        stolen_;                           \
    })

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that contains `member` at address `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
