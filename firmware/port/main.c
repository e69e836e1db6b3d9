// SPDX-License-Identifier: MIT
// main.c - the firmware: one plan, one arena, one node, on whatever port is linked.
#include "td_node.h"
#include "td_plan.h"
#include "td_port.h"

static uint32_t arena[(TD_ARENA_BYTES + 3) / 4]; // words, for the alignment
static td_node_t node;
TD_STATIC_ASSERT(sizeof(td_node_t) <= TD_NODE_BYTES, node); // less, where kernels are left out

void td_main_setup(void)
{
    td_port_init();
    // an error is not lost: the node answers hello, and every other request with that error
    td_node_init(&node, &td_plan, arena, sizeof arena);
#if TD_WITH_SAVE
    td_node_keep(&node, td_port_storage(), TD_BOOT);
#endif
}

void td_main_loop(void)
{
    td_port_idle(td_node_poll(&node));
}

#ifndef ARDUINO // its cores have a main of their own
int main(void)
{
    td_main_setup();
    for (;;)
        td_main_loop();
}
#endif
