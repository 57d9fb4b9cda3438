/* SPDX-License-Identifier: MIT */
/*
 * test: the harness of the unit tests.  Each test_<module>.c is one program and includes this.
 *
 *     TEST(a_full_buffer_refuses_more)
 *     {
 *         for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
 *             CASE("max %zu", cases[i].max);
 *             CHECK_INT(buf_puts(&b, "x"), -EFBIG);
 *         }
 *     }
 *
 * Prints "ok N - name" or "not ok N - name" with what failed behind it, and at last
 * "N passed, N failed"; exits 1 if one failed.  An argument runs only the tests whose names
 * contain it.  A failed CHECK lets the test go on, a failed REQUIRE returns from it.
 * Nothing here waits for a fixed time: CHECK_SOON repeats a step until a condition holds.
 *
 * Threads: checks belong to the thread that runs the tests.
 */
#ifndef TEST_H
#define TEST_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEST_MAX = 400, TEST_SOON_MS = 20000 };

static struct {
    struct {
        const char *name;
        void (*fn)(void);
    } list[TEST_MAX];
    int n;
    int number; /* of the running test, from 1 */
    const char *name;
    bool failed;
    char context[256]; /* of the running case */
} test_state;

static inline void test_register(const char *name, void (*fn)(void))
{
    if (test_state.n == TEST_MAX)
        abort();
    test_state.list[test_state.n].name = name;
    test_state.list[test_state.n++].fn = fn;
}

#define TEST(name)                                                 \
    static void name(void);                                        \
    __attribute__((constructor)) static void register_##name(void) \
    {                                                              \
        test_register(#name, name);                                \
    }                                                              \
    static void name(void)

static inline void test_print_name(const char *verdict)
{
    printf("%s %d - ", verdict, test_state.number);
    for (const char *p = test_state.name; *p; p++)
        putchar(*p == '_' ? ' ' : *p);
    putchar('\n');
}

__attribute__((format(printf, 1, 2))) static inline void test_case(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(test_state.context, sizeof(test_state.context), fmt, ap);
    va_end(ap);
}

/* Names the case that the following checks are about. */
#define CASE(...) test_case(__VA_ARGS__)

__attribute__((format(printf, 3, 4))) static inline void test_fail(const char *file, int line,
                                                                   const char *fmt, ...)
{
    va_list ap;

    if (!test_state.failed)
        test_print_name("not ok");
    test_state.failed = true;
    printf("# %s:%d: ", file, line);
    if (test_state.context[0])
        printf("[%s] ", test_state.context);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static inline bool test_str_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static inline int64_t test_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define CHECK(cond)                                     \
    do {                                                \
        if (!(cond))                                    \
            test_fail(__FILE__, __LINE__, "%s", #cond); \
    } while (0)

#define REQUIRE(cond)                                   \
    do {                                                \
        if (!(cond)) {                                  \
            test_fail(__FILE__, __LINE__, "%s", #cond); \
            return;                                     \
        }                                               \
    } while (0)

#define CHECK_INT(actual, expected)                                                            \
    do {                                                                                       \
        int64_t a_ = (int64_t)(actual), e_ = (int64_t)(expected);                              \
        if (a_ != e_)                                                                          \
            test_fail(__FILE__, __LINE__, "%s is %" PRId64 ", expected %" PRId64, #actual, a_, \
                      e_);                                                                     \
    } while (0)

#define CHECK_STR(actual, expected)                                                 \
    do {                                                                            \
        const char *a_ = (actual), *e_ = (expected);                                \
        if (!test_str_equal(a_, e_))                                                \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual, \
                      a_ ? a_ : "(null)", e_ ? e_ : "(null)");                      \
    } while (0)

#define CHECK_CONTAINS(actual, part)                                               \
    do {                                                                           \
        const char *a_ = (actual), *p_ = (part);                                   \
        if (!a_ || !strstr(a_, p_))                                                \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", without \"%s\"", #actual, \
                      a_ ? a_ : "(null)", p_);                                     \
    } while (0)

/* Repeats `step` until `cond` holds; fails when that takes longer than any machine should. */
#define CHECK_SOON(cond, step)                                     \
    do {                                                           \
        int64_t end_ = test_now_ms() + TEST_SOON_MS;               \
        while (!(cond) && test_now_ms() < end_) {                  \
            step;                                                  \
        }                                                          \
        if (!(cond))                                               \
            test_fail(__FILE__, __LINE__, "still not: %s", #cond); \
    } while (0)

/* Sanitizers end the program where malloc would say NULL; tests of that want the NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < test_state.n; i++) {
        if (argc > 1 && !strstr(test_state.list[i].name, argv[1]))
            continue;
        test_state.number++;
        test_state.name = test_state.list[i].name;
        test_state.failed = false;
        test_state.context[0] = '\0';
        test_state.list[i].fn();
        if (test_state.failed) {
            failed++;
            continue;
        }
        test_print_name("ok");
        passed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}

#endif
