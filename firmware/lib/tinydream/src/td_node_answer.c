// SPDX-License-Identifier: MIT
// td_node_answer.c - the bodies of a node's answers (SPEC.md, "Requests").
#include "td_node_wire.h"

enum { HELLO_BYTES = 36, TEXT_MAX = (TD_PAYLOAD_MAX - HELLO_BYTES) / 2 };

static void put_text(td_frame_writer_t *writer, const char *text, int most)
{
    int size = 0;
    while (size < most && text[size] != 0)
        size++;
    td_frame_put_u(writer, (uint32_t)size, 1);
    td_frame_put(writer, (const uint8_t *)text, (size_t)size);
}

static uint8_t state_of(const td_node_t *node)
{
    return (uint8_t)(node->judging ? 3 : !node->train.running ? 0 : node->paused ? 2 : 1);
}

static void put_hello(td_node_t *node, td_frame_writer_t *writer)
{
    td_frame_put_u(writer, TD_PROTOCOL, 2);
    td_frame_put_u(writer, node->plan->format, 2);
    td_frame_put(writer, node->plan->digest, sizeof node->plan->digest);
    td_frame_put_u(writer, (uint32_t)node->arena_bytes, 4);
    td_frame_put_u(writer, node->plan->parameters, 4);
    td_frame_put_u(writer, TD_PAYLOAD_MAX, 2);
    td_frame_put_u(writer, (uint32_t)td_port_room(), 2);
    td_frame_put_u(writer, node->boot, 4);
    td_frame_put_u(writer, TD_WITH_LEARN | TD_WITH_PUSH << 1 | TD_WITH_CHANNELS << 2 | TD_WITH_VALIDATION << 3 | (uint32_t)(TD_WITH_REFILL && node->plan->refill) << 4, 4);
    td_frame_put_u(writer, state_of(node), 1);
    put_text(writer, node->plan->board, TEXT_MAX);
    put_text(writer, td_port_tick_unit(), TEXT_MAX);
}

static void put_health(td_node_t *node, td_frame_writer_t *writer)
{
    static const uint8_t kernels[] = {
        TD_WITH_SGD, TD_WITH_ADAM, TD_WITH_CROSS_ENTROPY, TD_WITH_MSE, TD_WITH_BCE, TD_WITH_HUBER, TD_WITH_RELU6,
        TD_WITH_LEAKY_RELU, TD_WITH_TANH, TD_WITH_SIGMOID, TD_WITH_GRADIENTS, TD_WITH_DESCENT, TD_WITH_FREEZING,
        TD_WITH_VALIDATION, TD_WITH_DEVIATION, TD_WITH_FACTORS, TD_WITH_TRANSFORM, TD_WITH_MOMENTUM, TD_WITH_CLIP,
        TD_WITH_DECAY, TD_WITH_SOFT, TD_WITH_SPREAD, TD_WITH_GRIDS, TD_WITH_PROJECTION, TD_WITH_EXPANSION};
    uint64_t ticks = td_port_ticks();
    uint32_t bits = 0;
    for (uint32_t i = 0; i < sizeof kernels; i++)
        bits |= (uint32_t)kernels[i] << i;
    td_frame_put_u(writer, (uint32_t)ticks, 4);
    td_frame_put_u(writer, (uint32_t)(ticks >> 32), 4);
    td_frame_put_u(writer, sizeof *node, 4);
    td_frame_put_u(writer, bits, 4);
    td_frame_put_u(writer, TD_TILE, 1);
    td_frame_put_u(writer, node->counters.in, 4);
    td_frame_put_u(writer, node->counters.damaged, 4);
    td_frame_put_u(writer, node->counters.out, 4);
    td_frame_put_u(writer, node->counters.dropped, 4);
    td_frame_put_u(writer, node->counters.learnt, 4);
    td_node_keep_info(node, writer);
    td_frame_put_u(writer, td_port_stack(), 4);
}

static void put_weights(td_node_t *node, td_frame_writer_t *writer, uint32_t first, uint32_t count)
{
    td_frame_put_u(writer, first, 4);
    for (uint32_t i = 0; i < count; i++)
        td_put_f32(writer, node->train.weights[first + i]);
}

static void put_state(td_node_t *node, td_frame_writer_t *writer)
{
    int still = !node->train.running;
    td_frame_put_u(writer, state_of(node), 1);
    td_frame_put_u(writer, node->train.epoch, 4);
    td_frame_put_u(writer, node->train.step, 4);
    td_frame_put_u(writer, still && !node->dirty ? td_node_crc(node) : 0, 4);
    td_frame_put_u(writer, (uint16_t)(still && node->dirty ? TD_EDIRTY : node->error), 2);
}

static void put_channels(td_node_t *node, td_frame_writer_t *writer, uint32_t first)
{
    uint32_t count = 0;
#if TD_WITH_CHANNELS
    const td_channel_t *channel = node->channels, *wanted = NULL;
    for (; channel; channel = channel->next)
        wanted = count++ == first ? channel : wanted;
    td_frame_put_u(writer, count, 1);
    if (wanted) {
        td_frame_put_u(writer, wanted->type, 1);
        put_text(writer, wanted->name, TEXT_MAX);
        put_text(writer, wanted->unit, TEXT_MAX);
    }
#else
    td_frame_put_u(writer, count, 1);
#endif
    (void)node, (void)first;
}

// of a prediction the outputs lie where they were computed
static void put_row(td_node_t *node, td_frame_writer_t *writer, const uint8_t *body)
{
    uint32_t count = body[0] == PREDICT && node->row.taken == node->plan->inputs.raw_columns ? td_net_outputs(node->plan) : 0;
    td_frame_put_u(writer, (uint32_t)node->result, 4);
    td_put_f32(writer, node->loss);
    for (uint32_t i = 0; i < count && i < TD_PAYLOAD_MAX / 4 - 2; i++)
        td_put_f32(writer, node->outputs[i]);
}

void td_node_answer(td_node_t *node, uint8_t type, uint8_t sequence, const uint8_t *body)
{
    td_frame_writer_t writer;
    td_node_begin(node, &writer, (uint8_t)(type + TD_ANSWER), sequence);
    switch (type) {
    case HELLO: put_hello(node, &writer); break;
    case PULL: put_weights(node, &writer, td_get_u32(body), td_get_u16(body + 4)); break;
    case STATUS: put_state(node, &writer); break;
    case HEALTH: put_health(node, &writer); break;
    case CHANNELS: put_channels(node, &writer, body[0]); break;
    case FILL:
    case PUSH: td_frame_put_u(&writer, td_get_u32(body), 4); break;
    case ROW: put_row(node, &writer, body); break;
    case ROWS:
        td_frame_put_u(&writer, td_get_u32(body), 4);
        td_frame_put(&writer, node->plan->rows.bits + td_get_u32(body), td_get_u16(body + 4));
        break;
    default: break;
    }
    td_node_end(node, &writer);
}

void td_node_refuse(td_node_t *node, uint8_t type, uint8_t sequence, int error)
{
    td_frame_writer_t writer;
    td_node_begin(node, &writer, TD_ERROR, sequence);
    td_frame_put_u(&writer, (uint16_t)error, 2);
    td_frame_put_u(&writer, type, 1);
    td_node_end(node, &writer);
}
