/* SPDX-License-Identifier: MIT */
/*
 * What cppcheck, which reads no system headers, has to know of macros that look like
 * statements or declarations.  Never compiled.
 */
#define json_array_foreach(a, i, v) for ((i) = 0, (v) = json_array_get(a, i); v; i++)
#define LIST_HEAD(name, type) struct name { struct type *lh_first; }
#define LIST_ENTRY(type) struct { struct type *le_next, **le_prev; }
#define LIST_FOREACH(v, h, f) for ((v) = (h)->lh_first; v; (v) = (v)->f.le_next)
#define TAILQ_HEAD(name, type) struct name { struct type *tqh_first, **tqh_last; }
#define TAILQ_ENTRY(type) struct { struct type *tqe_next, **tqe_prev; }
#define TAILQ_FOREACH(v, h, f) for ((v) = (h)->tqh_first; v; (v) = (v)->f.tqe_next)
#define STAILQ_HEAD(name, type) struct name { struct type *stqh_first, **stqh_last; }
#define STAILQ_ENTRY(type) struct { struct type *stqe_next; }
#define STAILQ_FOREACH(v, h, f) for ((v) = (h)->stqh_first; v; (v) = (v)->f.stqe_next)
#define json_object_foreach(o, k, v) for ((k) = "", (v) = json_object_get(o, k); v;)
#define HASH_ITER(hh, head, el, tmp) for ((el) = (head), (tmp) = (head); el; (el) = (tmp))
