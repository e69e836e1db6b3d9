// SPDX-License-Identifier: MIT
// td_node.c - the life of a node: the line, what it tells unasked, and training in between.
#include "td_node_wire.h"

TD_STATIC_ASSERT(sizeof(float) == 4, float_has_four_bytes);

uint32_t td_node_crc(const td_node_t *node)
{
    uint32_t crc = 0;
    for (uint32_t i = 0; i < node->plan->parameters; i++) {
        td_float_t word = {node->train.weights[i]};
        uint8_t bytes[4] = {(uint8_t)word.u, (uint8_t)(word.u >> 8), (uint8_t)(word.u >> 16), (uint8_t)(word.u >> 24)};
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

void td_node_begin(td_node_t *node, td_frame_writer_t *writer, uint8_t type, uint8_t sequence)
{
    td_frame_begin(writer, node->out, sizeof node->out, type, sequence);
}

void td_node_end(td_node_t *node, td_frame_writer_t *writer)
{
    int size = td_frame_end(writer);
    node->out_size = (uint16_t)(size > 0 ? size : 0); // our bodies fit; if one did not, nothing is sent
    node->out_sent = 0;
    node->counters.out++;
}

// An event that the line is too slow for: the host sees that its sequence is missing.
static void drop(td_node_t *node)
{
    node->event++;
    node->counters.dropped++;
}

int td_node_log(td_node_t *node, const char *text)
{
    td_frame_writer_t writer;
    int size = 0;
    if (!line_is_free(node)) {
        drop(node);
        return 0;
    }
    while (size < TD_PAYLOAD_MAX && text[size] != 0)
        size++;
    td_node_begin(node, &writer, TD_LOG, node->event++);
    td_frame_put(&writer, (const uint8_t *)text, (size_t)size);
    td_node_end(node, &writer);
    return size;
}

// ---- events ----

static void put_metrics(td_node_t *node, td_frame_writer_t *writer)
{
    const td_metrics_t *metrics = &node->metrics;
    td_frame_put_u(writer, metrics->epoch, 4);
    td_frame_put_u(writer, metrics->step, 4);
    td_frame_put_u(writer, metrics->rows, 4);
    td_frame_put_u(writer, metrics->correct, 4);
    td_put_f32(writer, metrics->loss);
    td_frame_put_u(writer, metrics->valid_rows, 4);
    td_frame_put_u(writer, metrics->valid_correct, 4);
    td_put_f32(writer, metrics->valid_loss);
    td_frame_put_u(writer, metrics->best, 4);
    td_frame_put_u(writer, (uint32_t)node->metrics_ticks, 4);
    td_frame_put_u(writer, (uint32_t)(node->metrics_ticks >> 32), 4);
}

static void put_evaluation(td_node_t *node, td_frame_writer_t *writer)
{
    td_frame_put_u(writer, node->metrics.valid_rows, 4);
    td_frame_put_u(writer, node->metrics.valid_correct, 4);
    td_put_f32(writer, node->metrics.valid_loss);
}

static void put_values(td_node_t *node, td_frame_writer_t *writer)
{
#if TD_WITH_CHANNELS
    for (const td_channel_t *channel = node->channels; channel; channel = channel->next)
        td_frame_put_u(writer, channel->value.u, 4);
#endif
    (void)node, (void)writer;
}

// where the run is, and how it ended if that is it
static void put_place(td_node_t *node, td_frame_writer_t *writer, int done)
{
    td_frame_put_u(writer, node->train.epoch, 4);
    td_frame_put_u(writer, node->train.step, 4);
    if (!done)
        return;
    td_frame_put_u(writer, td_node_crc(node), 4);
    td_frame_put_u(writer, (uint16_t)node->error, 2);
}

// the first of the events that wait
static void tell(td_node_t *node)
{
    td_frame_writer_t writer;
    uint8_t type = TD_METRICS, bit = TELL_METRICS;
    for (; !(node->tell & bit); bit = (uint8_t)(bit << 1))
        type = (uint8_t)(type == TD_METRICS ? TD_VALUES : type == TD_VALUES ? TD_PAUSED : type == TD_PAUSED ? TD_EVALUATED : TD_DONE);
    td_node_begin(node, &writer, type, node->event++);
    if (type == TD_METRICS)
        put_metrics(node, &writer);
    else if (type == TD_VALUES)
        put_values(node, &writer);
    else if (type == TD_EVALUATED)
        put_evaluation(node, &writer);
    else
        put_place(node, &writer, type == TD_DONE);
    td_node_end(node, &writer);
    node->tell = (uint8_t)(node->tell & ~bit);
    node->yields = !(bit & TELL_LASTING);
}

// ---- channels ----

void td_node_tell(td_node_t *node)
{
#if TD_WITH_CHANNELS
    if (node->channels == NULL)
        return;
    if (node->tell & TELL_VALUES)
        drop(node);
    node->tell |= TELL_VALUES;
#endif
    (void)node;
}

int td_node_channel(td_node_t *node, td_channel_t *channel, const char *name, const char *unit, uint8_t type)
{
#if TD_WITH_CHANNELS
    td_channel_t **last = &node->channels;
    int count = 0;
    for (; *last; last = &(*last)->next)
        count++;
    if (count == CHANNELS_MAX || type > TD_I32 || name == NULL || unit == NULL)
        return TD_EARG;
    channel->name = name;
    channel->unit = unit;
    channel->type = type;
    channel->next = NULL;
    *last = channel;
    return 0;
#else
    (void)node, (void)channel, (void)name, (void)unit, (void)type;
    return TD_EUNSUPPORTED;
#endif
}

// ---- work between two requests ----

static int take_request(td_node_t *node)
{
    uint8_t byte;
    for (int i = 0; i < TD_FRAME_MAX; i++) {
        if (td_port_read(&byte, 1) != 1)
            return 0;
        int result = td_frame_feed(&node->in, byte);
        node->counters.damaged += result < 0;
        if (result == 1) {
            td_node_handle(node);
            return 1;
        }
    }
    return 1; // there may be more to read
}

static void epoch_ended(td_node_t *node, const td_metrics_t *metrics)
{
    uint64_t ticks = node->ticks;
    node->ticks = 0;
    td_node_keep_epoch(node, metrics);
    if (node->train.running && metrics->epoch % node->report != 0)
        return;
    if (node->tell & TELL_METRICS) // the line is slower than epochs are: the older news is lost, and counted
        drop(node);
    node->metrics = *metrics;
    node->metrics_ticks = ticks;
    node->tell |= TELL_METRICS;
    td_node_tell(node);
}

static void train_one(td_node_t *node)
{
    td_metrics_t metrics;
    uint64_t before = td_port_ticks();
    int result = td_train_step(&node->train, &metrics);
    node->ticks += td_port_ticks() - before;
    node->row.taken = 0; // what was there of it is overwritten
    if (result > 0)
        epoch_ended(node, &metrics);
    if (result < 0)
        td_train_stop(&node->train);
    if (!node->train.running) {
        node->error = (int16_t)(result < 0 ? result : 0);
        node->tell |= TELL_DONE;
    } else if (node->steps != 0 && --node->steps == 0) {
        node->paused = 1;
        node->tell |= TELL_PAUSED;
    }
}

static void judge_some(td_node_t *node)
{
    if (td_evaluate(&node->train, &node->metrics) == 0)
        return;
    node->judging = 0;
    node->tell |= TELL_EVALUATED;
}

int td_node_learn(td_node_t *node, const float *raw, const float *target)
{
#if TD_WITH_LEARN
    td_row_t row = {0, 0, 0, 0};
    uint32_t columns = node->plan->inputs.raw_columns;
    int result = node->refused ? node->refused : node->dirty ? TD_EDIRTY : node->judging ? TD_EBUSY : 0;
    node->row.taken = 0;
    while (result == 0 && row.taken < td_row_numbers(node->plan))
        result = td_row_put(&node->train, &row, row.taken < columns ? raw[row.taken] : target[row.taken - columns]);
    if (result == 0)
        result = td_row_learn(&node->train, &row, node->mix, &node->loss);
    node->counters.learnt += result >= 0;
    return result;
#else
    (void)node, (void)raw, (void)target;
    return TD_EUNSUPPORTED;
#endif
}

// ---- the life of a node ----

#ifdef TD_SELF_TEST
// The first steps of a run come to the same weights everywhere, or this chip does not compute as it should.
static int self_test(td_node_t *node)
{
    td_knobs_t knobs = {.epochs = 0xffffffffu, .rate = 1e-3f};
    td_metrics_t metrics;
    int result = td_train_start(&node->train, &knobs);
    for (int i = 0; i < 16 && result >= 0; i++)
        result = td_train_step(&node->train, &metrics);
    result = td_node_crc(node) == TD_SELF_TEST ? 0 : TD_ENUMERIC;
    int again = td_train_init(&node->train, node->plan, node->arena, node->arena_bytes, 0);
    return result ? result : again;
}
#endif

int td_node_init(td_node_t *node, const td_plan_t *plan, void *arena, size_t arena_bytes)
{
    static const td_counters_t none;
    node->plan = plan;
    node->arena = arena;
    node->arena_bytes = arena_bytes;
    node->ticks = 0;
#if TD_WITH_CHANNELS
    node->channels = NULL;
#endif
#if TD_WITH_SAVE
    (void)td_save_open(&node->save, NULL);
    node->save_every = 0;
    node->kept = TD_ENOSTORAGE;
    node->asked = 0;
#endif
    node->counters = none;
    node->out_size = node->out_sent = 0;
    node->session = node->boot = node->steps = 0;
    node->report = 1;
    node->mix = plan->batch;
    node->row.taken = 0;
    node->loss = 0.0f;
    node->result = node->error = 0;
    node->acted_type = node->acted = node->seen = node->event = node->tell = node->yields = 0;
    node->paused = node->dirty = node->judging = node->restart = 0;
    td_frame_reset(&node->in);
    int result = td_train_init(&node->train, plan, arena, arena_bytes, 0);
#ifdef TD_SELF_TEST
    if (result == 0)
        result = self_test(node);
#endif
    node->refused = (int16_t)result;
    if (result < 0)
        node->train.running = 0;
    else if (node->mix > td_late_most(plan))
        node->mix = td_late_most(plan);
    return result;
}

int td_node_poll(td_node_t *node)
{
    int more = 0, keeps = td_node_keeps(node);
    flush(node);
    if (node->restart && line_is_free(node))
        td_port_reset();
    if (line_is_free(node) && node->tell && !node->yields)
        tell(node);
    else if (line_is_free(node))
        node->yields = 0;
    flush(node);
    // while an answer leaves, an end has to be told, weights are being saved or a restart is due, requests wait in the port, where they cannot be lost by us
    if (!keeps && !node->restart && line_is_free(node) && !(node->tell & TELL_LASTING))
        more = take_request(node);
    if (keeps)
        td_node_keep_some(node, line_is_free(node));
    else if (td_node_is_training(node))
        train_one(node);
    else if (node->judging)
        judge_some(node);
    flush(node);
    return more || td_node_keeps(node) || td_node_is_training(node) || node->judging || node->tell || node->restart || !line_is_free(node);
}
