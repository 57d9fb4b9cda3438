/* SPDX-License-Identifier: MIT */
/*
 * out: rows of typed cells to a table, JSON, CSV or ids, on standard output.
 *
 * A command says what it has, never how it looks: it begins with its columns, gives one cell
 * for each column and row in their order, and ends.  Keys of columns never change; times are
 * RFC 3339 in UTC except in tables for people.
 *
 *   table  columns marked OUT_IN_TABLE (all with OUT_VERTICAL), aligned, for people
 *   wide   all columns, aligned
 *   json   one array of objects (one object with OUT_ONE)
 *   jsonl  one object a line
 *   csv    RFC 4180, with a line of keys
 *   id     the OUT_IS_ID column only
 *
 * Remote text is escaped when standard output is a terminal.
 *
 * Threads: one.  Errors: a failed write is kept and reported by out_end.
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <e2b/error.h>
#include <e2b/sandbox.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum out_format { OUT_TABLE, OUT_WIDE, OUT_JSON, OUT_JSONL, OUT_CSV, OUT_ID };

/* The words for them, in that order, NULL-terminated. */
extern const char *const out_formats[];

enum out_show { OUT_IN_TABLE = 1, OUT_IS_ID = 2, OUT_RIGHT = 4 };

struct out_col {
    const char *key;   /* NULL ends a table of columns */
    const char *title; /* of the column in a table */
    unsigned show;
    int width; /* least width, for tables that grow */
};

enum out_style {
    OUT_ONE = 1,      /* exactly one row: a JSON object instead of an array */
    OUT_VERTICAL = 2, /* tables: a line for each cell, "title  value" */
    OUT_PLAIN = 4,    /* tables: no line of titles */
    OUT_GROWING = 8,  /* rows appear at once; json is jsonl */
};

struct out;

/* `file` is borrowed. */
struct out *out_new(FILE *file, enum out_format format, bool is_terminal);
void out_free(struct out *out);
enum out_format out_format_of(const struct out *out);

void out_begin(struct out *out, const struct out_col *cols, unsigned style);
void out_null(struct out *out);
void out_str(struct out *out, const char *text); /* NULL: out_null */
void out_int(struct out *out, int64_t v);
void out_double(struct out *out, double v, int digits);
void out_bool(struct out *out, bool v);
void out_time(struct out *out, struct timespec t);
void out_duration(struct out *out, int64_t seconds); /* a number of seconds; "5m" in tables */
void out_pairs(struct out *out, const struct e2b_pair *v, size_t n);
void out_end_row(struct out *out);
/* 0, or -EPIPE (the reader has gone), or why standard output could not be written. */
int out_end(struct out *out, struct e2b_err *err);
/* Instead of out_end: nothing that is still kept is printed, no titles and no brackets. */
void out_drop(struct out *out);

#endif
