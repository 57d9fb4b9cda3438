/* SPDX-License-Identifier: MIT */
/* out_csv: rows as RFC 4180 with a line of keys, and as bare ids. */
#include "out_backend.h"

#include "text.h"

#include <string.h>

/* Quotes where the format wants it.  On a terminal controls are escaped before. */
static void put_field(struct out *out, const char *text, size_t len)
{
    autobuf struct buf safe = BUF_INIT;

    if (out->is_terminal) {
        text_escape(&safe, text, len, TEXT_CELL);
        text = buf_str(&safe);
        len = safe.len;
    }
    if (!strpbrk(text, ",\"\r\n")) {
        buf_append(&out->line, text, len);
        return;
    }
    buf_putc(&out->line, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            buf_putc(&out->line, '"');
        buf_putc(&out->line, text[i]);
    }
    buf_putc(&out->line, '"');
}

static void csv_begin(struct out *out)
{
    for (size_t i = 0; i < out->n_cols; i++)
        buf_printf(&out->line, "%s%s", i ? "," : "", out->cols[i].key);
    buf_puts(&out->line, "\r\n");
    out_flush_line(out);
}

static void csv_cell(struct out *out, const struct cell *cell)
{
    autobuf struct buf text = BUF_INIT;

    if (out->col > 0)
        buf_putc(&out->line, ',');
    cell_text(cell, false, &text);
    put_field(out, buf_str(&text), text.len);
}

static void csv_end_row(struct out *out)
{
    buf_puts(&out->line, "\r\n");
    out_flush_line(out);
}

static void id_cell(struct out *out, const struct cell *cell)
{
    autobuf struct buf text = BUF_INIT;

    if (!(out->cols[out->col].show & OUT_IS_ID))
        return;
    cell_text(cell, false, &text);
    if (out->is_terminal)
        text_escape(&out->line, buf_str(&text), text.len, TEXT_CELL);
    else
        text_one_line(&out->line, buf_str(&text), text.len);
}

static void id_end_row(struct out *out)
{
    buf_putc(&out->line, '\n');
    out_flush_line(out);
}

const struct out_backend out_csv_backend = {
    .begin = csv_begin,
    .cell = csv_cell,
    .end_row = csv_end_row,
};

const struct out_backend out_id_backend = {
    .cell = id_cell,
    .end_row = id_end_row,
};
