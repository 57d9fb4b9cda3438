/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "util/log.h"
#include "util/xalloc.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/e2b-test-log.XXXXXX";
static char content[256 << 10];

/* Logs go to a fresh file; what was written comes back without the times. */
static void begin(void)
{
    int fd;

    strcpy(path + strlen(path) - 6, "XXXXXX");
    fd = mkstemp(path);
    if (fd < 0 || log_open(LOG_TO_FILE, "test", path) < 0)
        abort();
    close(fd);
    log_set_level(LOG_LEVEL_INFO);
}

static const char *lines(void)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t size = 0, len = 0;

    content[0] = '\0';
    while (f && getline(&line, &size, f) > 0) {
        const char *text = strchr(line, ' ');

        len += (size_t)snprintf(content + len, sizeof(content) - len, "%s",
                                text ? text + 1 : line);
    }
    free(line);
    if (f)
        (void)fclose(f);
    return content;
}

static void end(void)
{
    log_open(LOG_TO_STDERR, "test", NULL);
    unlink(path);
}

TEST(a_line_has_level_module_and_text)
{
    begin();
    log_warning("http", "host=%s status=%d", "x", 503);
    log_error("fs", "gone");
    CHECK_STR(lines(), "warning http: host=x status=503\nerror fs: gone\n");
    end();
}

TEST(levels_above_the_limit_are_silent)
{
    begin();
    log_debug("fs", "no");
    log_set_level(LOG_LEVEL_DEBUG);
    CHECK(log_enabled(LOG_LEVEL_DEBUG));
    log_debug("fs", "yes");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("fs", "no");
    CHECK_STR(lines(), "debug fs: yes\n");
    log_set_level(LOG_LEVEL_INFO);
    end();
}

TEST(remote_text_stays_on_its_line_and_cannot_steer)
{
    begin();
    log_info("fs", "name=%s", "a\nerror fs: forged\x1b[2J\x7f\xc2\x9b\xc3\xa4\xe2\x80\xae");
    CHECK_STR(
        lines(),
        "info fs: name=a\\nerror fs: forged\\x1b[2J\\x7f\\xc2\\x9b\xc3\xa4\\xe2\\x80\\xae\n");
    end();
}

TEST(secrets_never_appear)
{
    char text[12000];

    log_secret("e2b_0123456789abcdef");
    log_secret("89abcdefghijkl"); /* overlaps with the end of the first */
    log_secret("short");          /* too short to be one */
    log_secret("e2b_0123456789abcdef");
    begin();
    log_info("x", "key=e2b_0123456789abcdef,e2b_0123456789abcdef!");
    log_info("x", "e2b_0123456789abcdefghijkl");
    log_info("x", "short e2b_0123456789abcde");
    CHECK_STR(lines(), "info x: key=[secret],[secret]!\n"
                       "info x: [secret]\n"
                       "info x: short e2b_0123456789abcde\n");
    end();

    /* Wherever a long line is cut, no part of a secret is left at its end. */
    for (size_t at = 8150; at < 8200; at++) {
        begin();
        memset(text, 'x', at);
        strcpy(text + at, "e2b_0123456789abcdef");
        log_info("x", "%s", text);
        CHECK(!strstr(lines(), "e2b_"));
        end();
    }
}

TEST(long_lines_are_cut)
{
    char text[20000];

    memset(text, 'y', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    begin();
    log_info("x", "%s", text);
    CHECK(strlen(lines()) > 3000 && strlen(lines()) < 4100);
    end();
}

static void *chat(void *arg)
{
    for (int i = 0; i < 200; i++) {
        char secret[32];

        (void)snprintf(secret, sizeof(secret), "secret-%s-%04d", (const char *)arg, i);
        log_secret(secret);
        log_info("thread", "%s said %s", (const char *)arg, secret);
    }
    return NULL;
}

TEST(threads_write_whole_lines)
{
    pthread_t a, b;
    int n = 0;

    begin();
    pthread_create(&a, NULL, chat, "A");
    pthread_create(&b, NULL, chat, "B");
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    lines();
    for (char *save, *line = strtok_r(content, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save), n++)
        CHECK(strcmp(line, "info thread: A said [secret]") == 0 ||
              strcmp(line, "info thread: B said [secret]") == 0);
    CHECK_INT(n, 400);
    end();
}

TEST(the_file_is_private_and_errno_is_kept)
{
    struct stat st;

    begin();
    unlink(path);
    REQUIRE(log_open(LOG_TO_FILE, "test", path) == 0);
    errno = ENOTTY;
    log_info("x", "y");
    CHECK_INT(errno, ENOTTY);
    CHECK(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
    CHECK_INT(log_open(LOG_TO_FILE, "test", "/nonexistent/dir/log"), -ENOENT);
    end();
}
