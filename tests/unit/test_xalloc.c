/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/xalloc.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(copies_are_equal_and_separate)
{
    autofree char *s = xstrdup("abc");
    autofree char *n = xstrndup("abcdef", 3);
    autofree char *m = xmemdup("a\0b", 3);
    autofree char *f = xasprintf("%s-%d", "x", 7);

    CHECK_STR(s, "abc");
    CHECK_STR(n, "abc");
    CHECK(memcmp(m, "a\0b", 3) == 0);
    CHECK_STR(f, "x-7");
    CHECK(xstrdup(NULL) == NULL);
}

TEST(empty_allocations_are_not_NULL)
{
    autofree void *a = xmalloc(0);
    autofree void *b = xcalloc(0, 8);
    autofree void *c = xmemdup(NULL, 0);
    autofree void *d = xreallocarray(NULL, 0, 8);

    CHECK(a && b && c && d);
}

TEST(steal_ptr_leaves_NULL_behind)
{
    autofree char *s = xstrdup("mine");
    autofree char *t = steal_ptr(&s);

    CHECK(s == NULL);
    CHECK_STR(t, "mine");
}

TEST(container_of_finds_the_struct_around_a_member)
{
    struct outer {
        int before;
        int member;
    } o = { 1, 2 };
    int *p = &o.member;

    CHECK(container_of(p, struct outer, member) == &o);
}

/* The count overflows, so every allocator refuses it without touching memory. */
TEST(running_out_of_memory_ends_the_process_with_one_line)
{
    int out[2];
    char text[4000] = "";
    size_t len = 0;
    ssize_t n;
    int status;
    pid_t pid;

    REQUIRE(pipe(out) == 0);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct rlimit none = { 0, 0 };

        setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        dup2(out[1], STDERR_FILENO);
        (void)xreallocarray(NULL, SIZE_MAX / 2, 16);
        _exit(0);
    }
    close(out[1]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    while ((n = read(out[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    CHECK_CONTAINS(text, "out of memory\n");
    close(out[0]);
}
