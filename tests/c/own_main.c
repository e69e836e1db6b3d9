// SPDX-License-Identifier: MIT
// own_main.c - a firmware with a sensor of its own: two channels, and a row that it learns when it is told to log.
#include "td_node.h"
#include "td_plan.h"
#include "td_port.h"

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4];
static td_node_t node;
static td_channel_t temperature, count;

int main(void)
{
    static const float row[14] = {1.0f}, label[1] = {3.0f};
    uint32_t learnt = 0;
    td_port_init();
    if (td_node_init(&node, &td_plan, arena, sizeof arena) < 0)
        return 1;
    if (td_node_channel(&node, &temperature, "temperature", "C", TD_F32) != 0 || td_node_channel(&node, &count, "count", "", TD_I32) != 0)
        return 1;
    temperature.value.f = 21.5f;
    count.value.i = -7;
    for (;;) {
        td_port_idle(td_node_poll(&node));
        if (node.train.epoch == 2 && learnt == 0) {
            learnt = 1;
            if (td_node_learn(&node, row, label) != 1)
                return 2;
            while (td_node_log(&node, "learnt one") == 0)
                td_node_poll(&node);
        }
    }
}
