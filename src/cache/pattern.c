/* SPDX-License-Identifier: MIT */
#include "cache/pattern.h"

bool pattern_is_random(const struct pattern *p)
{
    return p->misses > PATTERN_MISSES;
}

void pattern_proved(struct pattern *p)
{
    p->misses = 0;
}

void pattern_note(struct pattern *p, int64_t last)
{
    if (p->n > 0 && p->recent[(p->n - 1) % PATTERN_RECENT] == last)
        return;
    p->recent[p->n++ % PATTERN_RECENT] = last;
}

/* True if a remembered place is at most `most` and at least `least` blocks behind `first`;
 * negative numbers are ahead. */
static bool any_recent(const struct pattern *p, int64_t first, int64_t least, int64_t most)
{
    for (unsigned i = 0; i < p->n && i < PATTERN_RECENT; i++) {
        int64_t behind = first - p->recent[i];

        if (behind >= least && behind <= most)
            return true;
    }
    return false;
}

bool pattern_wants_stream(struct pattern *p, int64_t first, int64_t last, bool is_hole)
{
    bool is_first = p->n == 0;
    bool follows = any_recent(p, first, 1, 1);
    bool is_straggler = any_recent(p, first, -PATTERN_NEAR, 0);

    pattern_note(p, last);
    if (is_first)
        return true;
    if (is_hole)
        return false;
    if (follows) {
        p->misses = 0;
        return true;
    }
    if (is_straggler)
        return false;
    if (!pattern_is_random(p))
        p->misses++;
    return !pattern_is_random(p);
}
