// SPDX-License-Identifier: MIT
// td_plan.h - a stand-in for the generated header: as much of a plan as the bridge looks at.
#ifndef TD_PLAN_H
#define TD_PLAN_H

#include "td.h"

#ifndef FAKE_PARAMETERS
#define FAKE_PARAMETERS 150
#endif
#define TD_ARENA_BYTES (4 * FAKE_PARAMETERS)
#define TD_NODE_BYTES sizeof(td_node_t) // the generated one is a number

extern const td_plan_t td_plan;

#endif
