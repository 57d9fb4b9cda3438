/* SPDX-License-Identifier: MIT */
/* out_json: rows as an array of objects (json) or as one object a line (jsonl). */
#include "out_backend.h"

#include "util/jsonw.h"

#include <inttypes.h>

/* One object a line, or indented for people who look at it. */
static bool is_lines(const struct out *out)
{
    return out->format == OUT_JSONL;
}

static bool is_array(const struct out *out)
{
    return !is_lines(out) && !(out->style & OUT_ONE);
}

static void json_begin(struct out *out)
{
    if (is_array(out))
        buf_putc(&out->line, '[');
}

static void begin_member(struct out *out)
{
    struct buf *line = &out->line;

    if (out->col == 0) {
        if (is_array(out))
            buf_puts(line, out->n_rows ? ",\n  " : "\n  ");
        buf_putc(line, '{');
    }
    if (out->col > 0)
        buf_putc(line, ',');
    if (!is_lines(out))
        buf_puts(line, is_array(out) ? "\n    " : "\n  ");
    buf_printf(line, "\"%s\":%s", out->cols[out->col].key, is_lines(out) ? "" : " ");
}

static void put_pairs(struct buf *line, const struct cell *cell)
{
    buf_putc(line, '{');
    for (size_t i = 0; i < cell->n_pairs; i++) {
        if (i > 0)
            buf_putc(line, ',');
        jsonw_str(line, cell->pairs[i].key);
        buf_putc(line, ':');
        jsonw_str(line, cell->pairs[i].value);
    }
    buf_putc(line, '}');
}

static void json_cell(struct out *out, const struct cell *cell)
{
    struct buf *line = &out->line;
    autobuf struct buf text = BUF_INIT;

    begin_member(out);
    switch (cell->kind) {
    case CELL_NULL:
        buf_puts(line, "null");
        return;
    case CELL_STR:
        jsonw_str(line, cell->text);
        return;
    case CELL_TIME:
        cell_text(cell, false, &text);
        jsonw_str(line, buf_str(&text));
        return;
    case CELL_PAIRS:
        put_pairs(line, cell);
        return;
    case CELL_INT:
    case CELL_DOUBLE:
    case CELL_BOOL:
    case CELL_DURATION:
        cell_text(cell, false, line);
        return;
    }
}

static void json_end_row(struct out *out)
{
    buf_puts(&out->line, is_lines(out) ? "}\n" : is_array(out) ? "\n  }" : "\n}\n");
    out_flush_line(out);
}

static void json_end(struct out *out)
{
    if (is_array(out))
        buf_puts(&out->line, out->n_rows ? "\n]\n" : "]\n");
}

const struct out_backend out_json_backend = {
    .begin = json_begin,
    .cell = json_cell,
    .end_row = json_end_row,
    .end = json_end,
};
