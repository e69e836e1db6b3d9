// SPDX-License-Identifier: MIT
// _planbytes.h - a td_plan_t filled from the plan's canonical bytes (SPEC.md, "Plan").
#ifndef TINYDREAM_PLANBYTES_H
#define TINYDREAM_PLANBYTES_H

#include "td.h"

typedef struct {
    td_plan_t plan;
    uint8_t *bytes;      // a copy of the canonical bytes; byte tables point into it
    float *shift;        // tables of wider numbers are copied, for their alignment
    float *fill, *outputs;
    td_axis_t *axes;
    td_level_t *levels;
    td_layer_t *layers;
    td_window_t *windows;
} plan_bytes_t;

// Fills `out` from canonical bytes; 0, TD_EPLAN, TD_EFORMAT, or TD_EARG when there is no memory.
// What the tables say is checked later, by td_train_init; here it is lengths only.
int plan_bytes_parse(plan_bytes_t *out, const uint8_t *bytes, size_t size);

// The same for one section alone; no other field is set.
int plan_bytes_parse_rows(plan_bytes_t *out, const uint8_t *bytes, size_t size);

void plan_bytes_free(plan_bytes_t *plan);

#endif
