// SPDX-License-Identifier: MIT
#include "td_node.h"

#include "td_port.h"

enum { HELLO = 1, TRAIN, STOP, PULL, STATUS, RESET };
enum { ANSWER = 0x80, METRICS = 0xC1, DONE = 0xC2, ERROR = 0xFF };
enum { TRAIN_BYTES = 34, FRESH = TRAIN_BYTES - 1 };
enum { INFO_BYTES = 25, TEXT_MAX = (TD_PAYLOAD_MAX - INFO_BYTES) / 2, PULL_MAX = (TD_PAYLOAD_MAX - 4) / 4 };

TD_STATIC_ASSERT(sizeof(float) == 4, float_has_four_bytes);

// ---- bytes ----

static uint32_t get_u16(const uint8_t *data)
{
    return (uint32_t)data[0] | (uint32_t)data[1] << 8;
}

static uint32_t get_u32(const uint8_t *data)
{
    return get_u16(data) | get_u16(data + 2) << 16;
}

typedef union {
    float number;
    uint32_t bits;
} word_t;

static float get_f32(const uint8_t *data)
{
    word_t word;
    word.bits = get_u32(data);
    return word.number;
}

static void put_text(td_frame_writer_t *writer, const char *text)
{
    uint8_t size = 0;
    while (size < TEXT_MAX && text[size] != 0)
        size++;
    td_frame_put_u(writer, size, 1);
    for (uint8_t i = 0; i < size; i++)
        td_frame_put_u(writer, (uint8_t)text[i], 1);
}

static uint32_t weights_crc(const td_node_t *node)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < node->plan->parameters; i++) {
        word_t word = {node->train.weights[i]};
        uint8_t bytes[4] = {(uint8_t)word.bits, (uint8_t)(word.bits >> 8), (uint8_t)(word.bits >> 16),
                            (uint8_t)(word.bits >> 24)};
        crc = td_frame_crc32(crc, bytes, 4);
    }
    return crc;
}

// ---- the line out: one frame at a time ----

static int line_is_free(const td_node_t *node)
{
    return node->out_sent == node->out_size;
}

static void flush(td_node_t *node)
{
    if (line_is_free(node))
        return;
    int left = node->out_size - node->out_sent;
    int taken = td_port_write(node->out + node->out_sent, left);
    if (taken > 0)
        node->out_sent = (uint16_t)(node->out_sent + (taken < left ? taken : left));
}

static void begin(td_node_t *node, td_frame_writer_t *writer, uint8_t type, uint8_t sequence)
{
    td_frame_begin(writer, node->out, sizeof node->out, type, sequence);
}

static void end(td_node_t *node, td_frame_writer_t *writer)
{
    int size = td_frame_end(writer);
    node->out_size = (uint16_t)(size > 0 ? size : 0); // our bodies fit; if one did not, nothing is sent
    node->out_sent = 0;
}

int td_node_log(td_node_t *node, const char *text)
{
    uint16_t size = 0;
    if (!line_is_free(node))
        return 0;
    for (; size < TD_FRAME_MAX - 1 && text[size] != 0; size++)
        node->out[size] = (uint8_t)text[size];
    node->out[size] = 0; // so that the host need not wait for the next frame to show it
    node->out_size = (uint16_t)(size + 1);
    node->out_sent = 0;
    return size;
}

// ---- events ----

static void say_metrics(td_node_t *node)
{
    td_frame_writer_t writer;
    const td_metrics_t *metrics = &node->metrics;
    word_t loss = {metrics->loss}, valid_loss = {metrics->valid_loss};
    begin(node, &writer, METRICS, node->event++);
    td_frame_put_u(&writer, metrics->epoch, 4);
    td_frame_put_u(&writer, metrics->step, 4);
    td_frame_put_u(&writer, metrics->rows, 4);
    td_frame_put_u(&writer, metrics->correct, 4);
    td_frame_put_u(&writer, loss.bits, 4);
    td_frame_put_u(&writer, metrics->valid_rows, 4);
    td_frame_put_u(&writer, metrics->valid_correct, 4);
    td_frame_put_u(&writer, valid_loss.bits, 4);
    td_frame_put_u(&writer, metrics->best, 4);
    td_frame_put_u(&writer, (uint32_t)node->metrics_ticks, 4);
    td_frame_put_u(&writer, (uint32_t)(node->metrics_ticks >> 32), 4);
    end(node, &writer);
    node->waiting = 0;
}

static void say_done(td_node_t *node)
{
    td_frame_writer_t writer;
    begin(node, &writer, DONE, node->event++);
    td_frame_put_u(&writer, node->train.epoch, 4);
    td_frame_put_u(&writer, node->train.step, 4);
    td_frame_put_u(&writer, weights_crc(node), 4);
    td_frame_put_u(&writer, (uint16_t)node->error, 2);
    end(node, &writer);
    node->done = 0;
}

static void say_error(td_node_t *node, uint8_t type, uint8_t sequence, int error)
{
    td_frame_writer_t writer;
    begin(node, &writer, ERROR, sequence);
    td_frame_put_u(&writer, (uint16_t)error, 2);
    td_frame_put_u(&writer, type, 1);
    end(node, &writer);
}

// ---- answers ----

static void put_info(td_node_t *node, td_frame_writer_t *writer)
{
    td_frame_put_u(writer, TD_PROTOCOL, 2);
    td_frame_put_u(writer, node->plan->format, 2);
    td_frame_put(writer, node->plan->digest, sizeof node->plan->digest);
    td_frame_put_u(writer, (uint32_t)node->arena_bytes, 4);
    td_frame_put_u(writer, node->plan->parameters, 4);
    td_frame_put_u(writer, TD_PAYLOAD_MAX, 2);
    td_frame_put_u(writer, node->train.running, 1);
    put_text(writer, node->plan->board);
    put_text(writer, td_port_tick_unit());
}

static void put_weights(td_node_t *node, td_frame_writer_t *writer, uint32_t first, uint32_t count)
{
    td_frame_put_u(writer, first, 4);
    for (uint32_t i = 0; i < count; i++) {
        word_t word = {node->train.weights[first + i]};
        td_frame_put_u(writer, word.bits, 4);
    }
}

static void put_state(td_node_t *node, td_frame_writer_t *writer)
{
    td_frame_put_u(writer, node->train.running, 1);
    td_frame_put_u(writer, node->train.epoch, 4);
    td_frame_put_u(writer, node->train.step, 4);
    td_frame_put_u(writer, node->train.running ? 0 : weights_crc(node), 4);
    td_frame_put_u(writer, (uint16_t)node->error, 2);
}

static void answer(td_node_t *node, uint8_t type, uint8_t sequence, const uint8_t *body)
{
    td_frame_writer_t writer;
    begin(node, &writer, (uint8_t)(type + ANSWER), sequence);
    if (type == HELLO)
        put_info(node, &writer);
    else if (type == PULL)
        put_weights(node, &writer, get_u32(body), get_u16(body + 4));
    else if (type == STATUS)
        put_state(node, &writer);
    end(node, &writer);
}

// ---- requests ----

// Everything that a body could get wrong, before anything is done with it.
static int check(const td_node_t *node, uint8_t type, const uint8_t *body, uint16_t size)
{
    static const uint8_t sizes[] = {0, 2, TRAIN_BYTES, 0, 6, 0, 0}; // by type
    if (type < HELLO || type > RESET || size != sizes[type])
        return TD_EMESSAGE;
    if (node->refused && type != HELLO && type != RESET)
        return node->refused;
    if (type == TRAIN && body[FRESH] > 1)
        return TD_EARG;
    if (type == PULL) {
        uint32_t first = get_u32(body), count = get_u16(body + 4), all = node->plan->parameters;
        if (count < 1 || count > PULL_MAX || first >= all || count > all - first)
            return TD_EARG;
    }
    return 0;
}

static int start(td_node_t *node, const uint8_t *body)
{
    if (node->train.running)
        return TD_EBUSY;
    td_knobs_t knobs = {
        .seed = get_u32(body + 4),
        .epochs = get_u32(body + 8),
        .epoch_rows = get_u32(body + 12),
        .rate = get_f32(body + 16),
        .schedule = body[20],
        .every = get_u32(body + 21),
        .factor = get_f32(body + 25),
        .patience = get_u32(body + 29),
    };
    // started twice, so that knobs that are refused leave the weights alone
    int result = td_train_start(&node->train, &knobs);
    if (result == 0 && body[FRESH])
        result = td_train_init(&node->train, node->plan, node->arena, node->arena_bytes, get_u32(body));
    if (result == 0 && body[FRESH])
        result = td_train_start(&node->train, &knobs);
    node->ticks = 0;
    return result;
}

// What a request changes; a repeated one does not come here.
static int act(td_node_t *node, uint8_t type, const uint8_t *body)
{
    if (type == TRAIN)
        return start(node, body);
    if (type == STOP && node->train.running) {
        td_train_stop(&node->train);
        node->done = 1;
    }
    if (type == RESET)
        node->restart = 1;
    return 0;
}

static void handle(td_node_t *node)
{
    const uint8_t type = node->in.data[0], sequence = node->in.data[1], *body = node->in.data + 2;
    int repeated = type == node->last_type && sequence == node->last_sequence;
    int result = check(node, type, body, node->in.body_size);
    if (result == 0)
        result = repeated ? node->result : act(node, type, body);
    node->last_type = type;
    node->last_sequence = sequence;
    node->result = (int16_t)result;
    if (result < 0)
        say_error(node, type, sequence, result);
    else
        answer(node, type, sequence, body);
}

static int take_request(td_node_t *node)
{
    uint8_t byte;
    for (int i = 0; i < TD_FRAME_MAX; i++) {
        if (td_port_read(&byte, 1) != 1)
            return 0;
        if (td_frame_feed(&node->in, byte) == 1) {
            handle(node);
            return 1;
        }
    }
    return 1; // there may be more to read
}

// ---- the life of a node ----

static void train_one(td_node_t *node)
{
    td_metrics_t metrics;
    uint64_t before = td_port_ticks();
    int result = td_train_step(&node->train, &metrics);
    node->ticks += td_port_ticks() - before;
    if (result > 0) {
        if (node->waiting) // the line is slower than epochs are: the older news is lost, and counted
            node->event++;
        node->metrics = metrics;
        node->metrics_ticks = node->ticks;
        node->waiting = 1;
        node->ticks = 0;
    }
    if (result < 0)
        td_train_stop(&node->train);
    if (!node->train.running) {
        node->error = (int16_t)(result < 0 ? result : 0);
        node->done = 1;
    }
}

int td_node_init(td_node_t *node, const td_plan_t *plan, void *arena, size_t arena_bytes)
{
    node->plan = plan;
    node->arena = arena;
    node->arena_bytes = arena_bytes;
    node->ticks = 0;
    node->out_size = node->out_sent = 0;
    node->error = node->result = 0;
    node->last_type = node->last_sequence = 0;
    node->event = node->waiting = node->done = node->restart = 0;
    td_frame_reset(&node->in);
    int result = td_train_init(&node->train, plan, arena, arena_bytes, 0);
    node->refused = (int16_t)result;
    if (result < 0)
        node->train.running = 0;
    return result;
}

int td_node_poll(td_node_t *node)
{
    int more = 0;
    flush(node);
    if (node->restart && line_is_free(node))
        td_port_reset();
    if (node->waiting && line_is_free(node))
        say_metrics(node);
    flush(node);
    if (node->done && !node->waiting && line_is_free(node))
        say_done(node);
    if (line_is_free(node)) // else requests wait in the port, where they cannot be lost by us
        more = take_request(node);
    if (node->train.running)
        train_one(node);
    flush(node);
    return more || node->train.running || node->waiting || node->done || node->restart || !line_is_free(node);
}
