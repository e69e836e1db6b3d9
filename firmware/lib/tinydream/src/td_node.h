// SPDX-License-Identifier: MIT
// td_node.h - a device on a serial line: answers the host's requests and trains in between (SPEC.md, "Bridge").
//
//     static uint32_t arena[TD_ARENA_BYTES / 4];
//     static td_node_t node;
//     td_port_init();
//     td_node_init(&node, &td_plan, arena, sizeof arena);
//     for (;;) td_port_idle(td_node_poll(&node));
//
// Nothing here blocks: bytes are taken and handed over as the port has room (td_port.h).
#ifndef TD_NODE_H
#define TD_NODE_H

#include "td.h"
#include "td_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

// The version of the messages.
#define TD_PROTOCOL 2

// Its fields are td's; a caller only keeps the memory.
typedef struct {
    td_train_t train;
    uint64_t ticks;         // spent in td_train_step since this epoch began
    uint64_t metrics_ticks; // of the epoch that `metrics` are of
    td_metrics_t metrics;   // of the last epoch, until the line is free
    const td_plan_t *plan;
    void *arena;
    size_t arena_bytes;
    td_frame_reader_t in;
    uint8_t out[TD_FRAME_MAX];
    uint16_t out_size, out_sent;
    int16_t refused;        // why the plan cannot be trained; 0: it can
    int16_t error;          // that ended the last run; 0: none
    int16_t result;         // of the last request, for the case that it is repeated
    uint8_t last_type, last_sequence;
    uint8_t event;          // sequence of the next event
    uint8_t waiting;        // metrics are to be said
    uint8_t done, restart;  // to be said, to be done, as soon as the line is free
} td_node_t;

// Plan and arena must outlive the node; the arena is as td_train_init wants it. Weights are drawn from seed 0.
// When the plan cannot be trained that error is returned, and the node is usable all the same: it answers hello
// and reset, and every other request with this error.
int td_node_init(td_node_t *node, const td_plan_t *plan, void *arena, size_t arena_bytes);

// Sends what is waiting, handles at most one request, trains at most one batch. Returns 1 while there is more to
// do, 0 when only a byte from the host can change anything (then the port may sleep).
// Cost: at most TD_FRAME_MAX bytes read, one td_train_step, one CRC-32 over the weights.
int td_node_poll(td_node_t *node);

// Sends a line of text for the host's log between two frames; a zero byte ends it. Returns the bytes that will be
// sent: 0 when the line is busy, less than the text when it is longer than a frame.
int td_node_log(td_node_t *node, const char *text);

#ifdef __cplusplus
}
#endif
#endif
