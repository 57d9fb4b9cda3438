/* SPDX-License-Identifier: MIT */
#include "out.h"

#include "out_backend.h"
#include "text.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/xalloc.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *const out_formats[] = { "table", "wide", "json", "jsonl", "csv", "id", NULL };

static const struct out_backend *const backends[] = {
    [OUT_TABLE] = &out_table_backend, [OUT_WIDE] = &out_table_backend,
    [OUT_JSON] = &out_json_backend,   [OUT_JSONL] = &out_json_backend,
    [OUT_CSV] = &out_csv_backend,     [OUT_ID] = &out_id_backend,
};

struct out *out_new(FILE *file, enum out_format format, bool is_terminal)
{
    struct out *out = xcalloc(1, sizeof(*out));

    *out = (struct out){
        .file = file,
        .format = format,
        .is_terminal = is_terminal,
        .backend = backends[format],
    };
    return out;
}

void out_free(struct out *out)
{
    if (!out)
        return;
    for (size_t i = 0; i < out->n_cells; i++)
        free(out->cells[i]);
    free(out->cells);
    buf_clear(&out->line);
    free(out);
}

enum out_format out_format_of(const struct out *out)
{
    return out->format;
}

bool out_shows(const struct out *out, size_t col)
{
    return out->format != OUT_TABLE || (out->style & OUT_VERTICAL) ||
           (out->cols[col].show & OUT_IN_TABLE);
}

void out_flush_line(struct out *out)
{
    if (out->line.len > 0)
        (void)fwrite(out->line.data, 1, out->line.len, out->file);
    buf_reset(&out->line);
}

void out_begin(struct out *out, const struct out_col *cols, unsigned style)
{
    assert(!out->cols && cols[0].key);
    out->cols = cols;
    out->style = style;
    /* An array that never ends can't be read by anybody. */
    if ((style & OUT_GROWING) && out->format == OUT_JSON)
        out->format = OUT_JSONL;
    while (cols[out->n_cols].key)
        out->n_cols++;
    if (out->backend->begin)
        out->backend->begin(out);
}

static void put(struct out *out, const struct cell *cell)
{
    assert(out->col < out->n_cols);
    out->backend->cell(out, cell);
    out->col++;
}

void out_null(struct out *out)
{
    put(out, &(struct cell){ .kind = CELL_NULL });
}

void out_str(struct out *out, const char *text)
{
    put(out, &(struct cell){ .kind = text ? CELL_STR : CELL_NULL, .text = text });
}

void out_int(struct out *out, int64_t v)
{
    put(out, &(struct cell){ .kind = CELL_INT, .number = v });
}

void out_double(struct out *out, double v, int digits)
{
    put(out, &(struct cell){ .kind = CELL_DOUBLE, .real = v, .digits = digits });
}

void out_bool(struct out *out, bool v)
{
    put(out, &(struct cell){ .kind = CELL_BOOL, .number = v });
}

void out_time(struct out *out, struct timespec t)
{
    put(out, &(struct cell){ .kind = CELL_TIME, .time = t });
}

void out_duration(struct out *out, int64_t seconds)
{
    put(out, &(struct cell){ .kind = CELL_DURATION, .number = seconds });
}

void out_pairs(struct out *out, const struct e2b_pair *v, size_t n)
{
    put(out, &(struct cell){ .kind = CELL_PAIRS, .pairs = v, .n_pairs = n });
}

void out_end_row(struct out *out)
{
    assert(out->col == out->n_cols);
    out->backend->end_row(out);
    out->col = 0;
    out->n_rows++;
    if (out->style & OUT_GROWING)
        (void)fflush(out->file);
}

int out_end(struct out *out, struct e2b_err *err)
{
    assert(out->col == 0);
    if (out->cols && out->backend->end)
        out->backend->end(out);
    out_flush_line(out);
    out->cols = NULL;
    out->n_cols = out->n_rows = 0;
    errno = 0;
    if (fflush(out->file) != 0 || ferror(out->file)) {
        int errnum = errno ? errno : EIO;

        return e2b_fail(err, errnum, "standard output: %s", strerror(errnum));
    }
    return 0;
}

void out_drop(struct out *out)
{
    for (size_t i = 0; i < out->n_cells; i++)
        free(out->cells[i]);
    buf_reset(&out->line);
    out->cols = NULL;
    out->n_cells = out->n_cols = out->n_rows = out->col = 0;
}

void cell_text(const struct cell *cell, bool for_people, struct buf *text)
{
    char time[RFC3339_MAX], duration[TEXT_DURATION_MAX];

    switch (cell->kind) {
    case CELL_NULL:
        buf_puts(text, for_people ? "-" : "");
        break;
    case CELL_STR:
        buf_puts(text, cell->text);
        break;
    case CELL_INT:
        buf_printf(text, "%" PRId64, cell->number);
        break;
    case CELL_DOUBLE:
        if (for_people)
            buf_printf(text, "%.*f", cell->digits, cell->real);
        else
            jsonw_double(text, cell->real, cell->digits);
        break;
    case CELL_BOOL:
        buf_puts(text, cell->number ? "true" : "false");
        break;
    case CELL_TIME:
        /* Whole seconds: what people compare with a clock, and what tools parse everywhere. */
        buf_puts(text, rfc3339_format(cell->time, 0, time));
        break;
    case CELL_DURATION:
        if (for_people)
            buf_puts(text, text_duration(cell->number, duration));
        else
            buf_printf(text, "%" PRId64, cell->number);
        break;
    case CELL_PAIRS:
        for (size_t i = 0; i < cell->n_pairs; i++)
            buf_printf(text, "%s%s=%s", i ? "," : "", cell->pairs[i].key, cell->pairs[i].value);
        if (for_people && cell->n_pairs == 0)
            buf_putc(text, '-');
        break;
    }
}
