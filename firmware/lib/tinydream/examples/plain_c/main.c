// SPDX-License-Identifier: MIT
// main.c - the core without a board, a port or a protocol: trains from the plan beside it, then names three windows.
// CMakeLists.txt builds it; `tinydream generate` writes a td_plan.c of your own. This one is for 64-bit hosts.
#include <stdio.h>

#include "td_plan.h"

static const float windows[3][TD_RAW_COLUMNS] = {
    {512, 515, 509, 511, 514, 510, 512, 513},
    {512, 608, 689, 743, 762, 743, 689, 608},
    {512, 762, 512, 262, 512, 762, 512, 262},
};

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4];
static td_train_t train;

int main(void)
{
    td_knobs_t knobs = {.seed = 1, .epochs = 20, .rate = 0.05f};
    int code = td_train_init(&train, &td_plan, arena, sizeof arena, 1);
    if (code == 0)
        code = td_train_start(&train, &knobs);
    while (code >= 0 && train.running) {
        td_metrics_t metrics;
        code = td_train_step(&train, &metrics);
        if (code == 1)
            printf("epoch %u: loss %.4f\n", (unsigned)metrics.epoch, (double)metrics.loss);
    }
    for (int i = 0; code >= 0 && i < 3; i++) {
        code = td_predict(&train, windows[i], NULL);
        if (code >= 0)
            printf("%s\n", td_plan.class_names[code]);
    }
    if (code < 0)
        fprintf(stderr, "%s\n", td_error_text(code));
    return code < 0;
}
