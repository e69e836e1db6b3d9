// SPDX-License-Identifier: MIT
// td_node_wire.h - what the three files of the node offer each other; not for callers.
#ifndef TD_NODE_WIRE_H
#define TD_NODE_WIRE_H

#include "td_internal.h"
#include "td_node.h"
#include "td_port.h"

// types of requests, by the number of SPEC.md
enum {
    HELLO = 1, TRAIN, STOP, PULL, STATUS, RESET, HEALTH, PAUSE, STEP, KNOB, CHANNELS, ROW, EVALUATE, PUSH, PUSHED, ROWS,
    SAVE, LOAD, ERASE, FILL, FILLED, LAST = FILLED
};
enum { HALF_WEIGHTS = 1, HALF_ROWS = 2 }; // what is half pushed
enum { PREDICT = 0, JUDGE = 1, LEARN = 2 }; // what a row is for
enum { PULL_MAX = (TD_PAYLOAD_MAX - 4) / 4 };

enum { TD_ANSWER = 0x80, TD_LOG = 0xC7, TD_ERROR = 0xFF };

// Events that wait, in the order in which they are told; their types. Metrics and values may be lost, the others not.
enum { TELL_METRICS = 1, TELL_VALUES = 2, TELL_PAUSED = 4, TELL_EVALUATED = 8, TELL_DONE = 16 };
enum { TELL_LASTING = TELL_PAUSED | TELL_EVALUATED | TELL_DONE };
enum { TD_METRICS = 0xC1, TD_DONE = 0xC2, TD_PAUSED = 0xC3, TD_EVALUATED = 0xC4, TD_VALUES = 0xC5 };

enum { CHANNELS_MAX = TD_PAYLOAD_MAX / 4 };

static inline uint32_t td_get_u16(const uint8_t *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8;
}

static inline uint32_t td_get_u32(const uint8_t *data)
{
    return td_get_u16(data) | td_get_u16(data + 2) << 16;
}

static inline float td_get_f32(const uint8_t *data)
{
    td_float_t word;
    word.u = td_get_u32(data);
    return word.f;
}

static inline void td_put_f32(td_frame_writer_t *writer, float value)
{
    td_float_t word;
    word.f = value;
    td_frame_put_u(writer, word.u, 4);
}

static inline int td_node_is_training(const td_node_t *node)
{
    return node->train.running && !node->paused;
}

// td_node.c
void td_node_begin(td_node_t *node, td_frame_writer_t *writer, uint8_t type, uint8_t sequence);
void td_node_end(td_node_t *node, td_frame_writer_t *writer);
uint32_t td_node_crc(const td_node_t *node);

// td_node_ask.c: the request that has just been read
void td_node_handle(td_node_t *node);

// td_node_keep.c: a request about the storage, whose answer follows when it is done; what an epoch's end asks for;
// whether that is still under way, and a piece of it; what there is
enum { TD_KEEP_SAVE, TD_KEEP_LOAD, TD_KEEP_ERASE };
#if TD_WITH_SAVE
int td_node_keep_ask(td_node_t *node, int what, int run);
void td_node_keep_epoch(td_node_t *node, const td_metrics_t *metrics);
int td_node_keeps(const td_node_t *node);
void td_node_keep_some(td_node_t *node, int line_is_free);
void td_node_keep_info(const td_node_t *node, td_frame_writer_t *writer);
int td_node_keep_knob(td_node_t *node, uint32_t every);
#else
static inline int td_node_keep_ask(td_node_t *node, int what, int run)
{
    (void)node, (void)what, (void)run;
    return TD_ENOSTORAGE;
}
static inline void td_node_keep_epoch(td_node_t *node, const td_metrics_t *metrics)
{
    (void)node, (void)metrics;
}
static inline int td_node_keeps(const td_node_t *node)
{
    (void)node;
    return 0;
}
static inline void td_node_keep_some(td_node_t *node, int line_is_free)
{
    (void)node, (void)line_is_free;
}
static inline void td_node_keep_info(const td_node_t *node, td_frame_writer_t *writer)
{
    (void)node;
    td_frame_put_u(writer, (uint16_t)TD_ENOSTORAGE, 2);
    for (int i = 0; i < 17; i++)
        td_frame_put_u(writer, 0, 1);
}
static inline int td_node_keep_knob(td_node_t *node, uint32_t every)
{
    (void)node;
    return every == 0 ? 0 : TD_ENOSTORAGE;
}
#endif

// td_node_answer.c: the answer to a request that was good, with its body; or why it was not
void td_node_answer(td_node_t *node, uint8_t type, uint8_t sequence, const uint8_t *body);
void td_node_refuse(td_node_t *node, uint8_t type, uint8_t sequence, int error);

#endif
