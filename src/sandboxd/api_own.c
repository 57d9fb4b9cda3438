/* SPDX-License-Identifier: MIT */
/* /_sandboxd/: the ledger and the fault switches (design 11). */
#include "api.h"
#include "util/json.h"

void api_ledger_get(struct request *rq)
{
    respond_json(rq, 200, ledger_json());
}

void api_ledger_clear(struct request *rq)
{
    ledger_clear();
    respond(rq, 204, NULL, NULL, 0);
}

void api_faults_get(struct request *rq)
{
    respond_json(rq, 200, faults_json());
}

void api_faults_put(struct request *rq)
{
    autojson json_t *list = NULL;
    struct e2b_err err = { 0 };

    if (jparse(buf_str(&rq->body), rq->body.len, &list, &err) < 0 || faults_set(list, &err) < 0)
        api_error(rq, 400, "%s", err.msg);
    else
        respond(rq, 204, NULL, NULL, 0);
}
