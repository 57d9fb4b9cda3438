/* SPDX-License-Identifier: MIT */
/* out_backend: what the formats of out.h are made of.  For out*.c only. */
#ifndef CLI_OUT_BACKEND_H
#define CLI_OUT_BACKEND_H

#include "cli/out.h"
#include "util/buf.h"

enum cell_kind {
    CELL_NULL,
    CELL_STR,
    CELL_INT,
    CELL_DOUBLE,
    CELL_BOOL,
    CELL_TIME,
    CELL_DURATION,
    CELL_PAIRS,
};

struct cell {
    enum cell_kind kind;
    const char *text;
    int64_t number; /* INT, BOOL, DURATION */
    double real;
    int digits;
    struct timespec time;
    const struct e2b_pair *pairs;
    size_t n_pairs;
};

/* One per format family.  `begin` and `end` may be NULL. */
struct out_backend {
    void (*begin)(struct out *out);
    void (*cell)(struct out *out, const struct cell *cell);
    void (*end_row)(struct out *out);
    void (*end)(struct out *out);
};

extern const struct out_backend out_table_backend, out_json_backend, out_csv_backend,
    out_id_backend;

struct out {
    FILE *file;
    enum out_format format;
    bool is_terminal;
    const struct out_backend *backend;
    const struct out_col *cols;
    size_t n_cols;
    unsigned style;
    size_t col; /* of the next cell */
    size_t n_rows;
    struct buf line; /* the row that is being made */
    char **cells;    /* table: texts of all rows, n_cols each; owned */
    size_t n_cells, cap_cells;
};

/* True if the column appears in this format. */
bool out_shows(const struct out *out, size_t col);

/* Appends a cell as text: for machines (RFC 3339, seconds), or for people. */
void cell_text(const struct cell *cell, bool for_people, struct buf *text);

/* Writes the line to the file. */
void out_flush_line(struct out *out);

#endif
