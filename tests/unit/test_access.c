/* SPDX-License-Identifier: MIT */
/* How a sandbox is reached, and above all when it must not be touched. */
#include "fake_api.h"

#include "util/error.h"

#define EDGE_GONE \
    "{\"sandboxId\":\"" FAKE_ID "\",\"message\":\"The sandbox was not found\",\"code\":502}"
#define EDGE_PORT                                                     \
    "{\"sandboxId\":\"" FAKE_ID                                       \
    "\",\"message\":\"The sandbox is running but port is not open\"," \
    "\"port\":49983,\"code\":502}"
#define BAD_TOKEN                                                                     \
    "{\"code\":401,\"message\":\"unauthorized access, please provide a valid access " \
    "token\"}\n"

TEST(what_is_not_running_gets_no_data_plane_request)
{
    static const struct {
        const char *state;
        int errnum;
    } cases[] = {
        { "paused", EHOSTDOWN },
        { NULL, ESTALE },
        { "exploding", EBUSY },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].state ? cases[i].state : "gone");
        fake_up();
        FAKE_SET(state, cases[i].state);
        for (int k = 0; k < 5; k++)
            CHECK_INT(fake_stat(), -cases[i].errnum);
        CHECK_CONTAINS(fake.err.msg, "sandbox " FAKE_ID ": stat /x: ");
        CHECK_INT(fake_count(&fake.data), 0);
        CHECK_INT(fake_count(&fake.gets), 1); /* believed for 2 s */
        fake_down();
    }
}

TEST(a_list_that_says_paused_is_enough)
{
    struct e2b_sandbox_list list = { 0 };
    int64_t age = -1;

    fake_up();
    CHECK_INT(fake_stat(), 0);
    FAKE_SET(state, "paused");
    CHECK_INT(fake_wait(e2b_sandbox_list(fake.client, NULL, e2b_sandbox_list_keep, &list)), 0);
    e2b_sandbox_list_clear(&list);
    CHECK_INT(fake_stat(), -EHOSTDOWN);
    CHECK_INT(fake_count(&fake.gets), 1);
    CHECK_INT(fake_count(&fake.data), 1);
    CHECK_INT(e2b_sandbox_known_state(fake.client, FAKE_ID, &age), E2B_STATE_PAUSED);
    CHECK(age >= 0 && age < 20000);
    CHECK_INT(e2b_sandbox_known_state(fake.client, "other", &age), E2B_STATE_UNKNOWN);
    fake_down();
}

TEST(a_list_has_no_token_so_the_first_use_reads_the_sandbox)
{
    struct e2b_sandbox_list list = { 0 };

    fake_up();
    CHECK_INT(fake_wait(e2b_sandbox_list(fake.client, NULL, e2b_sandbox_list_keep, &list)), 0);
    e2b_sandbox_list_clear(&list);
    CHECK_INT(fake_stat(), 0);
    CHECK_INT(fake_stat(), 0);
    CHECK_INT(fake_count(&fake.gets), 1);
    CHECK_INT(fake_count(&fake.data), 2);
    fake_down();
}

TEST(credentials_go_where_they_belong)
{
    fake_up();
    CHECK_INT(fake_stat(), 0);
    REQUIRE(fake_count(&fake.n_heads) == 2);
    CHECK_CONTAINS(fake.heads[0], "X-API-KEY: " FAKE_KEY "\r\n");
    CHECK(!strcasestr(fake.heads[0], "X-Access-Token"));
    CHECK(!strcasestr(fake.heads[0], "Authorization"));
    CHECK(!strcasestr(fake.heads[1], FAKE_KEY));
    CHECK_CONTAINS(fake.heads[1], "X-Access-Token: " FAKE_TOKEN "\r\n");
    CHECK_CONTAINS(fake.heads[1], "E2b-Sandbox-Id: " FAKE_ID "\r\n");
    CHECK_CONTAINS(fake.heads[1], "E2b-Sandbox-Port: 49983\r\n");
    CHECK_CONTAINS(fake.heads[1], "Authorization: Basic dXNlcjo=\r\n");
    CHECK_CONTAINS(fake.heads[1], "Content-Type: application/json\r\n");
    CHECK(!strcasestr(fake.heads[1], "mozilla"));
    fake_down();
}

TEST(the_edge_is_asked_about_and_then_asked_again)
{
    static const char *const bodies[] = { EDGE_GONE, EDGE_PORT };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        CASE("%s", bodies[i]);
        fake_up();
        fake_data((struct fake_answer){ .status = 502, .body = bodies[i] });
        CHECK_INT(fake_stat(), 0);
        CHECK_INT(fake_count(&fake.gets), 2);
        CHECK_INT(fake_count(&fake.data), 2);
        fake_down();
    }
}

TEST(an_edge_that_goes_on_refusing_is_no_missing_file)
{
    static const struct {
        const char *body;
        int errnum;
    } cases[] = { { EDGE_GONE, EHOSTUNREACH }, { EDGE_PORT, ECONNREFUSED } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].body);
        fake_up();
        for (int k = 0; k < 8; k++)
            fake_data((struct fake_answer){ .status = 502, .body = cases[i].body });
        CHECK_STR(errno_name(-fake_stat()), errno_name(cases[i].errnum));
        CHECK_INT(fake_count(&fake.gets), 2);
        CHECK_INT(fake_count(&fake.data), 3);
        fake_down();
    }
}

struct outcome {
    bool is_done;
    int errnum;
};

static void outcome_entry(void *arg, const struct e2b_entry *entry, const struct e2b_err *err)
{
    struct outcome *o = arg;

    (void)entry;
    o->is_done = true;
    o->errnum = err ? err->errnum : 0;
}

/* The state changes between the first GET and the refusal. */
TEST(a_sandbox_that_paused_or_died_meanwhile_is_left_alone)
{
    static const struct {
        const char *state;
        int errnum;
    } cases[] = { { "paused", EHOSTDOWN }, { NULL, ESTALE } };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CASE("%s", cases[i].state ? cases[i].state : "gone");
        fake_up();
        CHECK_INT(fake_stat(), 0);
        FAKE_SET(state, cases[i].state);
        fake_data((struct fake_answer){ .status = 502, .body = EDGE_GONE });
        CHECK_INT(fake_stat(), -cases[i].errnum);
        CHECK_INT(fake_count(&fake.data), 2);
        CHECK_INT(fake_stat(), -cases[i].errnum);
        CHECK_INT(fake_count(&fake.data), 2);
        CHECK_INT(fake_count(&fake.gets), 2);
        fake_down();
    }
}

TEST(what_must_not_run_twice_is_not_sent_again)
{
    fake_up();
    fake_data((struct fake_answer){ .status = 502, .body = EDGE_PORT });
    CHECK_INT(fake_wait(e2b_file_move(fake.client, FAKE_ID, "/a", "/b", e2b_done_ignore, NULL)),
              -ECONNREFUSED);
    CHECK_INT(fake_count(&fake.data), 1);
    fake_data((struct fake_answer){ .status = 0 });
    CHECK_INT(fake_wait(e2b_file_move(fake.client, FAKE_ID, "/a", "/b", e2b_done_ignore, NULL)),
              -ECONNRESET);
    CHECK_INT(fake_count(&fake.data), 2);
    fake_data((struct fake_answer){ .status = 0 });
    CHECK_INT(fake_stat(), 0); /* reading is tried again */
    CHECK_INT(fake_count(&fake.data), 4);
    fake_down();
}

TEST(a_refused_token_is_read_again_once)
{
    fake_up();
    CHECK_INT(fake_stat(), 0);
    FAKE_SET(token, "another-token-77");
    fake_data((struct fake_answer){ .status = 401, .body = BAD_TOKEN });
    /* Nothing was done, so even this may be sent again. */
    CHECK_INT(fake_wait(e2b_file_move(fake.client, FAKE_ID, "/a", "/b", e2b_done_ignore, NULL)),
              0);
    CHECK_INT(fake_count(&fake.gets), 2);
    CHECK_CONTAINS(fake.heads[fake.n_heads - 1], "X-Access-Token: another-token-77\r\n");
    for (int i = 0; i < 2; i++)
        fake_data((struct fake_answer){ .status = 401, .body = BAD_TOKEN });
    CHECK_INT(fake_stat(), -EACCES);
    CHECK_INT(fake_count(&fake.data), 5);
    fake_down();
}

/* While what is known is between 1 and 2 s old nobody waits for its refresh. */
TEST(a_busy_stream_of_calls_does_not_wait_for_the_refresh)
{
    int before;

    fake_up();
    CHECK_INT(fake_stat(), 0);
    FAKE_SET(hold_gets, true);
    CHECK_SOON(fake_count(&fake.gets) == 2, CHECK_INT(fake_stat(), 0));
    before = fake_count(&fake.data);
    CHECK_INT(fake_stat(), 0); /* the GET hangs, this does not */
    CHECK_INT(fake_count(&fake.data), before + 1);
    CHECK_INT(fake_count(&fake.gets), 2);
    fake_down();
}

TEST(nothing_is_touched_after_its_end_until_somebody_says_that_it_runs)
{
    int before;

    fake_up();
    FAKE_SET(ends_in, 0.6);
    CHECK_INT(fake_stat(), 0);
    before = fake_count(&fake.data);
    FAKE_SET(state, "paused"); /* as it ends */
    /* Until the end it is believed to run, and then it is not touched any more. */
    CHECK_SOON(fake_stat() == -EHOSTDOWN, before = fake_count(&fake.data));
    CHECK_INT(fake_count(&fake.data), before);
    CHECK_INT(fake_count(&fake.gets), 2);
    fake_down();
}

/* A request that arrives just after the end would wake it, for five minutes at least. */
TEST(what_traffic_would_wake_is_left_alone_shortly_before_its_end)
{
    fake_up();
    FAKE_SET(wakes, true);
    FAKE_SET(ends_in, 1.2);
    CHECK_INT(fake_stat(), -EHOSTDOWN);
    CHECK_CONTAINS(fake.err.msg, "about to be paused");
    CHECK_INT(fake_count(&fake.data), 0);
    fake_down();
    fake_up();
    FAKE_SET(wakes, true);
    FAKE_SET(ends_in, 60);
    CHECK_INT(fake_stat(), 0);
    fake_down();
}

TEST(a_stalled_control_plane_costs_one_deadline)
{
    int64_t start = test_now_ms();

    fake_up();
    FAKE_SET(hold_gets, true);
    CHECK_INT(fake_stat(), -ETIMEDOUT);
    CHECK(test_now_ms() - start < 4000);
    CHECK_INT(fake_count(&fake.data), 0);
    fake_down();
}

TEST(a_stalled_sandbox_costs_one_deadline)
{
    int64_t start = test_now_ms();

    fake_up();
    fake_data((struct fake_answer){ .status = -1 });
    CHECK_INT(fake_stat(), -ETIMEDOUT);
    CHECK(test_now_ms() - start < 4000);
    fake_down();
}

TEST(cancelling_while_the_sandbox_is_read_ends_at_once)
{
    struct outcome o = { 0 };
    struct e2b_call *call;
    int64_t start;

    fake_up();
    FAKE_SET(hold_gets, true);
    call = e2b_file_stat(fake.client, FAKE_ID, "/x", outcome_entry, &o);
    CHECK_SOON(fake_count(&fake.gets) == 1, loop_turn(fake.loop, 10));
    start = test_now_ms();
    e2b_call_cancel(call);
    CHECK(!o.is_done);
    CHECK_SOON(o.is_done, loop_turn(fake.loop, 10));
    CHECK_INT(o.errnum, ECANCELED);
    CHECK(test_now_ms() - start < 500);
    fake_down();
}

TEST(a_killed_sandbox_is_gone_at_once)
{
    fake_up();
    CHECK_INT(fake_stat(), 0);
    fake_control((struct fake_answer){ .status = 204 });
    CHECK_INT(fake_wait(e2b_sandbox_kill(fake.client, FAKE_ID, e2b_done_ignore, NULL)), 0);
    CHECK_INT(fake_stat(), -ESTALE);
    CHECK_INT(fake_count(&fake.data), 1);
    fake_down();
}

TEST(secrets_that_a_server_repeats_are_not_passed_on)
{
    fake_up();
    fake_data((struct fake_answer){ .status = 500,
                                    .body = "{\"code\":\"internal\",\"message\":\"" FAKE_TOKEN
                                            " and " FAKE_KEY " are bad\"}" });
    CHECK_INT(fake_stat(), -EIO);
    CHECK(!strstr(fake.err.msg, FAKE_TOKEN));
    CHECK(!strstr(fake.err.msg, FAKE_KEY));
    CHECK_CONTAINS(fake.err.msg, "are bad");
    fake_down();
}

TEST(redirects_are_not_followed)
{
    struct e2b_sandbox s = { 0 };
    char location[128];

    fake_up();
    (void)snprintf(location, sizeof(location), "Location: http://127.0.0.1:%d/elsewhere\r\n",
                   fake.server.port);
    fake_data((struct fake_answer){ .status = 307, .headers = location, .body = "" });
    CHECK_INT(fake_stat(), -EPROTO);
    CHECK_INT(fake_count(&fake.data), 1);
    fake_control((struct fake_answer){ .status = 302, .headers = location, .body = "" });
    CHECK_INT(fake_wait(e2b_sandbox_get(fake.client, "i2", e2b_sandbox_keep, &s)), -EPROTO);
    CHECK_INT(fake_count(&fake.data), 1);
    fake_down();
}
