/* SPDX-License-Identifier: MIT */
/*
 * out_table: rows for people: aligned columns without borders, or a line for each cell.
 *
 * A table's widths are only known at its end, so it keeps the texts of all rows (a fleet of
 * 10,000 is some MB).  A growing one prints at once, with the widths that its columns ask for.
 */
#include "out_backend.h"

#include "text.h"
#include "util/xalloc.h"

#include <assert.h>
#include <string.h>

static const size_t gap = 2;

static void keep(struct out *out, char *text)
{
    if (out->n_cells == out->cap_cells) {
        out->cap_cells = out->cap_cells ? 2 * out->cap_cells : 64;
        out->cells = xreallocarray(out->cells, out->cap_cells, sizeof(*out->cells));
    }
    out->cells[out->n_cells++] = text;
}

static void forget_cells(struct out *out)
{
    for (size_t i = 0; i < out->n_cells; i++)
        free(out->cells[i]);
    out->n_cells = 0;
}

static void pad(struct buf *line, size_t n)
{
    while (n-- > 0)
        buf_putc(line, ' ');
}

static bool has_shown_after(const struct out *out, size_t col)
{
    while (++col < out->n_cols) {
        if (out_shows(out, col))
            return true;
    }
    return false;
}

static void put_row(struct out *out, char *const *texts, const size_t *widths)
{
    for (size_t i = 0; i < out->n_cols; i++) {
        size_t width = texts[i] ? text_width(texts[i]) : 0;
        size_t space = width < widths[i] ? widths[i] - width : 0;
        bool is_right = out->cols[i].show & OUT_RIGHT;

        if (!out_shows(out, i))
            continue;
        pad(&out->line, is_right ? space : 0);
        buf_puts(&out->line, texts[i]);
        if (has_shown_after(out, i))
            pad(&out->line, gap + (is_right ? 0 : space));
    }
    buf_putc(&out->line, '\n');
    out_flush_line(out);
}

static void put_titles(struct out *out, const size_t *widths)
{
    const char **titles = xcalloc(out->n_cols, sizeof(*titles));

    for (size_t i = 0; i < out->n_cols; i++)
        titles[i] = out->cols[i].title;
    put_row(out, (char *const *)titles, widths);
    free(titles);
}

/* Widths of all columns, for the rows that are kept. */
static size_t *measure(const struct out *out)
{
    size_t *widths = xcalloc(out->n_cols, sizeof(*widths));

    assert(out->n_cols > 0);
    for (size_t i = 0; i < out->n_cols; i++) {
        if (!(out->style & OUT_PLAIN))
            widths[i] = text_width(out->cols[i].title);
        if ((out->style & OUT_GROWING) && widths[i] < (size_t)out->cols[i].width)
            widths[i] = (size_t)out->cols[i].width;
    }
    for (size_t i = 0; i < out->n_cells; i++) {
        size_t width = text_width(out->cells[i]), col = i % out->n_cols;

        if (!(out->style & OUT_GROWING) && widths[col] < width)
            widths[col] = width;
    }
    return widths;
}

static void put_vertical(struct out *out)
{
    size_t width = 0;

    assert(out->n_cols > 0);
    for (size_t i = 0; i < out->n_cols; i++) {
        if (out_shows(out, i) && text_width(out->cols[i].title) > width)
            width = text_width(out->cols[i].title);
    }
    for (size_t i = 0; i < out->n_cells; i++) {
        size_t col = i % out->n_cols;

        if (col == 0 && i > 0)
            buf_putc(&out->line, '\n');
        if (!out_shows(out, col))
            continue;
        buf_puts(&out->line, out->cols[col].title);
        pad(&out->line, width - text_width(out->cols[col].title) + gap);
        buf_printf(&out->line, "%s\n", out->cells[i]);
    }
    out_flush_line(out);
}

static void table_cell(struct out *out, const struct cell *cell)
{
    autobuf struct buf text = BUF_INIT, safe = BUF_INIT;

    cell_text(cell, true, &text);
    if (out->is_terminal)
        text_escape(&safe, buf_str(&text), text.len, TEXT_CELL);
    else
        text_one_line(&safe, buf_str(&text), text.len);
    keep(out, buf_steal(&safe));
}

static void table_end_row(struct out *out)
{
    size_t *widths;

    if (!(out->style & OUT_GROWING))
        return;
    widths = measure(out);
    if (out->n_rows == 0 && !(out->style & OUT_PLAIN))
        put_titles(out, widths);
    put_row(out, out->cells, widths);
    free(widths);
    forget_cells(out);
}

static void table_end(struct out *out)
{
    size_t *widths;

    if (out->style & OUT_GROWING)
        return;
    if (out->style & OUT_VERTICAL) {
        put_vertical(out);
    } else {
        widths = measure(out);
        if (!(out->style & OUT_PLAIN))
            put_titles(out, widths);
        for (size_t i = 0; i < out->n_cells; i += out->n_cols)
            put_row(out, out->cells + i, widths);
        free(widths);
    }
    forget_cells(out);
}

const struct out_backend out_table_backend = {
    .cell = table_cell,
    .end_row = table_end_row,
    .end = table_end,
};
