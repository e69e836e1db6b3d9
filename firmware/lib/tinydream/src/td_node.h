// SPDX-License-Identifier: MIT
// td_node.h - a device on a serial line: answers the host's requests and trains in between (SPEC.md, "Bridge").
//
//     static uint32_t arena[TD_ARENA_BYTES / 4];
//     static td_node_t node;
//     td_port_init();
//     td_node_init(&node, &td_plan, arena, sizeof arena);
//     for (;;) td_port_idle(td_node_poll(&node));
//
// A number of the firmware's own is told with each epoch, after one line:
//
//     static td_channel_t temperature;
//     td_node_channel(&node, &temperature, "temperature", "C", TD_F32);   // then: temperature.value.f = 21.5f;
//
// Nothing here blocks: bytes are taken and handed over as the port has room (td_port.h).
#ifndef TD_NODE_H
#define TD_NODE_H

#include "td.h"
#include "td_frame.h"
#include "td_save.h"

#ifdef __cplusplus
extern "C" {
#endif

// The version of the messages.
#define TD_PROTOCOL 3

enum { TD_F32 = 0, TD_U32 = 1, TD_I32 = 2 };

// A number that the firmware has to tell. `value` is the caller's to set, the rest is td's.
typedef struct td_channel {
    union {
        float f;
        uint32_t u;
        int32_t i;
    } value;
    uint8_t type;           // TD_F32, ...
    const char *name, *unit;
    struct td_channel *next;
} td_channel_t;

// What has come and gone since the start.
typedef struct {
    uint32_t in, damaged;   // good frames; pieces of the line that were neither frame nor empty
    uint32_t out, dropped;  // frames; events that the line was too slow for
    uint32_t learnt;        // rows of a host's or of the firmware's own
} td_counters_t;

// Its fields are td's; a caller only keeps the memory.
typedef struct {
    td_train_t train;
    uint64_t ticks;         // spent in td_train_step since this epoch began
    uint64_t metrics_ticks; // of the epoch that `metrics` are of
    td_metrics_t metrics;   // of the last epoch, until the line is free; or of an evaluation
    const td_plan_t *plan;
    void *arena;
    size_t arena_bytes;
#if TD_WITH_CHANNELS
    td_channel_t *channels;
#endif
    td_frame_reader_t in;
    uint8_t out[TD_FRAME_MAX];
    uint16_t out_size, out_sent;
    td_counters_t counters;
    uint32_t session, boot; // of the last hello, and of the first; 0: none yet
    uint32_t steps;         // until a pause; 0: as many as there are
    uint32_t report;        // metrics of each `report`th epoch are told
    uint32_t mix;           // drawn rows with each row that is learnt
#if TD_WITH_SAVE
    td_save_t save;
    uint32_t save_every;    // epochs; see td_save_due
    int16_t kept;           // what the last look at the storage, or the last save, came to
    uint8_t asked;          // a host waits for the end of a save
#endif
    td_row_t row;           // of a host's, as far as it has come
    const float *outputs;   // of the last row that was predicted
    float loss;             // of the last row that was judged or learnt
    int32_t result;         // of the last request that did something, for the case that it is repeated
    int16_t refused;        // why the plan cannot be trained; 0: it can
    int16_t error;          // that ended the last run; 0: none
    uint8_t acted_type, acted; // the last request that did something
    uint8_t seen;           // highest sequence of a request
    uint8_t event;          // sequence of the next event
    uint8_t tell;           // events that wait for the line, a bit each
    uint8_t yields;         // metrics have just been told: the host has a turn
    uint8_t paused, dirty, judging, restart;
} td_node_t;

// TD_SELF_TEST, where it is defined, is the CRC-32 of the weights after 16 steps from seed 0 at rate 1e-3, validation
// included: td_node_init takes them, and a chip that comes to other weights is refused with TD_ENUMERIC.
//
// Plan and arena must outlive the node; the arena is as td_train_init wants it. Weights are drawn from seed 0.
// When the plan cannot be trained that error is returned, and the node is usable all the same: it answers hello,
// info and reset, and every other request with this error.
int td_node_init(td_node_t *node, const td_plan_t *plan, void *arena, size_t arena_bytes);

// What becomes at boot of weights that were saved: they wait for a load; they are loaded; the run that was under way
// goes on, too.
enum { TD_BOOT_IDLE = 0, TD_BOOT_PREDICT = 1, TD_BOOT_TRAIN = 2 };

// Where the node keeps weights from now on, after td_node_init; NULL: nowhere. Returns 0 or why nothing was loaded
// (td_save_load): the weights are then the initial ones, and a host is told of those of another plan.
#if TD_WITH_SAVE
int td_node_keep(td_node_t *node, const td_storage_t *storage, int boot);
#endif

// Sends what is waiting, handles at most one request, trains at most one batch. Returns 1 while there is more to
// do, 0 when only a byte from the host can change anything (then the port may sleep). While weights are being saved
// training stands still, and requests wait in the port.
// Cost: at most TD_FRAME_MAX bytes read, one td_train_step or td_save_step, one CRC-32 over the weights.
int td_node_poll(td_node_t *node);

// Sends a line of text for the host's log; a zero byte ends it. Returns the bytes that will be sent: 0 when the line
// is busy (and the host will see that something was dropped), less than the text when it is longer than a frame.
int td_node_log(td_node_t *node, const char *text);

// Learns one row from the firmware's own sensor, at once, with as many drawn rows as the host has set (a batch's, at
// first): raw units in, then its class, or its targets. Returns 1 when it was predicted right before, 0 when not or
// for targets, or an error of td_row_put or td_row_learn; TD_EDIRTY while weights are half pushed.
int td_node_learn(td_node_t *node, const float *raw, const float *target);

// Adds a channel, which must outlive the node; name and unit as well. TD_EARG when there are as many as one frame
// holds, TD_EUNSUPPORTED where channels are left out. td_node_tell tells all channels without an epoch's end.
int td_node_channel(td_node_t *node, td_channel_t *channel, const char *name, const char *unit, uint8_t type);
void td_node_tell(td_node_t *node);

#ifdef __cplusplus
}
#endif
#endif
