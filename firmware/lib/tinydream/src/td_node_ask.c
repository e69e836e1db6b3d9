// SPDX-License-Identifier: MIT
// td_node_ask.c - what a host may ask, what it may not, and what it is answered (SPEC.md, "Requests").
#include "td_node_wire.h"

enum { RATE = 1, MIX = 2, REPORT = 3, EVERY = 4 }; // knobs of a run that is under way
enum { FRESH = 33 };                    // where train says so

// What stands before a request: it does something, and is not done twice; no run or evaluation may be under way; the
// weights must be whole; it may come although the plan cannot be trained.
enum { ACTS = 1, IDLE = 2, WHOLE = 4, ALWAYS = 8 };

static const struct {
    uint8_t bytes, needs;   // least bytes of a body; what is longer is of a later protocol, and not looked at
} rules[LAST + 1] = {
    [HELLO] = {6, ALWAYS},    [TRAIN] = {34, ACTS | IDLE}, [STOP] = {0, ACTS},
    [PULL] = {6, 0},          [STATUS] = {0, 0},           [RESET] = {0, ACTS | ALWAYS},
    [HEALTH] = {0, ALWAYS},     [PAUSE] = {1, ACTS},         [STEP] = {4, ACTS},
    [KNOB] = {5, ACTS},       [CHANNELS] = {1, 0},         [ROW] = {3, ACTS | WHOLE},
    [EVALUATE] = {0, ACTS | IDLE | WHOLE},                 [PUSH] = {4, ACTS | IDLE},
    [PUSHED] = {4, ACTS | IDLE},                           [ROWS] = {6, 0},
    [SAVE] = {0, ACTS | WHOLE}, [LOAD] = {1, ACTS | IDLE},        [ERASE] = {0, ACTS},
    [FILL] = {4, ACTS | IDLE},  [FILLED] = {12, ACTS | IDLE},
};

// ---- requests that do something ----

static int start(td_node_t *node, const uint8_t *body)
{
    td_knobs_t knobs = {
        .seed = td_get_u32(body + 4),
        .epochs = td_get_u32(body + 8),
        .epoch_rows = td_get_u32(body + 12),
        .rate = td_get_f32(body + 16),
        .schedule = body[20],
        .every = td_get_u32(body + 21),
        .factor = td_get_f32(body + 25),
        .patience = td_get_u32(body + 29),
    };
    if (body[FRESH] > 1)
        return TD_EARG;
    if ((node->dirty & HALF_ROWS) || (node->dirty && !body[FRESH]))
        return TD_EDIRTY;
    // started twice, so that knobs that are refused leave the weights alone
    int result = td_train_start(&node->train, &knobs);
    if (result == 0 && body[FRESH])
        result = td_train_init(&node->train, node->plan, node->arena, node->arena_bytes, td_get_u32(body));
    if (result == 0 && body[FRESH])
        result = td_train_start(&node->train, &knobs);
    if (result == 0)
        node->paused = node->dirty = 0;
    node->ticks = node->steps = 0;
    node->row.taken = 0;
    return result;
}

static int stop(td_node_t *node)
{
    if (node->train.running) {
        td_train_stop(&node->train);
        node->error = 0;
        node->tell |= TELL_DONE;
    }
    node->paused = 0;
    return 0;
}

// A pause, its end, or so many steps and then a pause.
static int pause_or_go(td_node_t *node, int pause, uint32_t steps)
{
    if (!node->train.running)
        return TD_ESTATE;
    node->paused = (uint8_t)pause;
    node->steps = steps;
    return 0;
}

// A device that has never been told to train can be told a rate, and learns rows of the host's from then on.
static int set_rate(td_node_t *node, float rate)
{
    td_knobs_t knobs = {.epochs = 1, .rate = rate};
    if (!(rate > 0.0f && rate <= 1e6f))
        return TD_EARG;
    if (node->train.knobs.epochs == 0) {
        if (td_train_start(&node->train, &knobs) != 0)
            return TD_EARG;
        td_train_stop(&node->train);
    }
    node->train.knobs.rate = node->train.rate = rate;
    return 0;
}

static int set_knob(td_node_t *node, uint8_t knob, const uint8_t *value)
{
    uint32_t number = td_get_u32(value);
    if (knob == RATE)
        return set_rate(node, td_get_f32(value));
    if (knob == EVERY)
        return td_node_keep_knob(node, number);
    if (knob == MIX && number <= td_late_most(node->plan))
        node->mix = number;
    else if (knob == REPORT && number > 0)
        node->report = number;
    else
        return TD_EARG;
    return 0;
}

// A piece of a row; the last one predicts, judges or learns.
static int take_row(td_node_t *node, const uint8_t *body, uint32_t count)
{
    const td_plan_t *plan = node->plan;
    uint32_t use = body[0], first = td_get_u16(body + 1), all = plan->inputs.raw_columns;
    int result = 0;
    if (use != PREDICT)
        all = td_row_numbers(plan);
    if (use > (TD_WITH_LEARN ? LEARN : PREDICT))
        return use > LEARN ? TD_EARG : TD_EUNSUPPORTED;
    if (first == 0)
        node->row.taken = node->row.column = node->row.input = 0;
    if (first != node->row.taken || count == 0 || count > all - first)
        return TD_EARG;
    if (node->judging || (td_node_is_training(node) && count < all)) // a step would overwrite the first pieces
        return TD_EBUSY;
    for (uint32_t i = 0; i < count && result == 0; i++)
        result = td_row_put(&node->train, &node->row, td_get_f32(body + 3 + 4 * i));
    if (result != 0 || node->row.taken < all)
        return result;
    node->loss = 0.0f;
#if TD_WITH_LEARN
    if (use == LEARN) {
        result = td_row_learn(&node->train, &node->row, node->mix, &node->loss);
        node->counters.learnt += result >= 0;
        return result;
    }
    if (use == JUDGE)
        return td_row_judge(&node->train, &node->row, &node->loss);
#endif
    return td_row_predict(&node->train, &node->row, &node->outputs);
}

// From its first piece on the weights are neither the old nor the new ones; a second copy would cost their RAM again.
static int push(td_node_t *node, const uint8_t *body, uint32_t count)
{
    float *weights = node->train.weights;
    uint32_t first = td_get_u32(body), all = node->plan->parameters;
    if (count < 1 || first >= all || count > all - first)
        return TD_EARG;
    for (uint32_t i = 0; i < count; i++) {
        float value = td_get_f32(body + 4 + 4 * i);
        if (td_update_is_wild(&value, 1))
            return TD_EARG;
    }
    node->dirty |= HALF_WEIGHTS;
    for (uint32_t i = 0; i < count; i++)
        weights[first + i] = td_get_f32(body + 4 + 4 * i) + 0.0f; // there is no -0
    return 0;
}

static int pushed(td_node_t *node, uint32_t crc)
{
    if (td_node_crc(node) != crc)
        return TD_EDIRTY;
    node->dirty &= (uint8_t)~HALF_WEIGHTS;
    return 0;
}

static uint32_t rows_bytes(const td_plan_t *plan)
{
    return (uint32_t)(((uint64_t)plan->rows.count * plan->rows.row_bits + 7) / 8);
}

#if TD_WITH_REFILL
// Other representatives; there is no second place for them either. What the plan points to is not constant where it
// says refill.
static int fill(td_node_t *node, const uint8_t *body, uint32_t count)
{
    uint8_t *bits = (uint8_t *)(uintptr_t)node->plan->rows.bits;
    uint32_t first = td_get_u32(body), all = rows_bytes(node->plan);
    if (!node->plan->refill)
        return TD_EUNSUPPORTED;
    if (count < 1 || first >= all || count > all - first)
        return TD_EARG;
    node->dirty |= HALF_ROWS;
    for (uint32_t i = 0; i < count; i++)
        bits[first + i] = body[4 + i];
    return 0;
}

// They are those that the host meant, and legal ones: from now on this is the plan that it names.
static int filled(td_node_t *node, const uint8_t *body)
{
    td_plan_t *plan = (td_plan_t *)(uintptr_t)node->plan;
    if (!plan->refill)
        return TD_EUNSUPPORTED;
    if (td_frame_crc32(0, plan->rows.bits, rows_bytes(plan)) != td_get_u32(body) || td_rows_check(&plan->rows, td_loss_classes(plan)) != 0)
        return TD_EDIRTY;
    node->dirty &= (uint8_t)~HALF_ROWS;
    for (uint32_t i = 0; i < sizeof plan->digest; i++)
        plan->digest[i] = body[4 + i];
    return 0;
}
#endif

// What a request changes; a repeated one does not come here.
static int act(td_node_t *node, uint8_t type, const uint8_t *body, uint32_t size)
{
    switch (type) {
    case TRAIN: return start(node, body);
    case STOP: return stop(node);
    case RESET: node->restart = 1; return 0;
    case PAUSE: return body[0] > 1 ? TD_EARG : pause_or_go(node, body[0], 0);
    case STEP: return td_get_u32(body) == 0 ? TD_EARG : pause_or_go(node, 0, td_get_u32(body));
    case KNOB: return set_knob(node, body[0], body + 1);
    case ROW: return take_row(node, body, (size - 3) / 4);
    case EVALUATE:
        if (node->plan->valid_count == 0)
            return TD_EARG;
        node->judging = 1;
        node->row.taken = 0;
        return 0;
    case PUSH: return TD_WITH_PUSH ? push(node, body, (size - 4) / 4) : TD_EUNSUPPORTED;
    case PUSHED: return TD_WITH_PUSH ? pushed(node, td_get_u32(body)) : TD_EUNSUPPORTED;
    case SAVE: return td_node_keep_ask(node, TD_KEEP_SAVE, 0);
#if TD_WITH_REFILL
    case FILL: return fill(node, body, size - 4);
    case FILLED: return filled(node, body);
#endif
    case LOAD: return body[0] > 1 ? TD_EARG : (node->dirty & HALF_ROWS) ? TD_EDIRTY : td_node_keep_ask(node, TD_KEEP_LOAD, body[0]);
    default: return td_node_keep_ask(node, TD_KEEP_ERASE, 0);
    }
}

// ---- the door ----

// a range of what there is, as much as a frame holds
static int check_range(const uint8_t *body, uint32_t most, uint32_t all)
{
    uint32_t first = td_get_u32(body), count = td_get_u16(body + 4);
    return count < 1 || count > most || first >= all || count > all - first ? TD_EARG : 0;
}

// Everything that a body could get wrong, before anything is done with it.
static int check(const td_node_t *node, uint8_t type, const uint8_t *body, uint32_t size)
{
    if (type < HELLO || type > (TD_WITH_REFILL ? LAST : ERASE))
        return TD_EUNSUPPORTED;
    if (size < rules[type].bytes)
        return TD_EMESSAGE;
    if (type == HELLO)
        return td_get_u32(body + 2) == 0 ? TD_EARG : 0;
    if (node->session == 0)
        return TD_EHELLO;
    if (node->refused && !(rules[type].needs & ALWAYS))
        return node->refused;
    if (type == PULL)
        return check_range(body, PULL_MAX, node->plan->parameters);
    if (type == ROWS)
        return check_range(body, TD_PAYLOAD_MAX - 4, rows_bytes(node->plan));
    return 0;
}

// What stands in the way of doing something now.
static int check_state(const td_node_t *node, uint8_t type)
{
    if ((rules[type].needs & IDLE) && (node->train.running || node->judging))
        return TD_EBUSY;
    return (rules[type].needs & WHOLE) && node->dirty ? TD_EDIRTY : 0;
}

// A host of its own session begins to count anew; one that has only been away goes on.
static void greet(td_node_t *node, uint32_t session, uint8_t sequence)
{
    if (node->boot == 0)
        node->boot = session;
    if (node->session == session)
        return;
    node->session = session;
    node->seen = sequence;
    node->acted_type = 0;
}

// Does a request that does something, once. Returns 0 for one that is older than what was done last.
static int do_once(td_node_t *node, uint8_t type, uint8_t sequence, const uint8_t *body, uint32_t size)
{
    int again = type == node->acted_type && sequence == node->acted;
    // what is only read is read anew: nothing but a frame is kept of an answer
    if (again && !(type == ROW && body[0] == PREDICT && td_get_u16(body + 1) == 0))
        return 1;
    if (!again && (uint8_t)(sequence - node->seen - 1) >= 128)
        return 0;
    int result = check_state(node, type);
    node->result = result ? result : act(node, type, body, size);
    node->acted_type = type;
    node->acted = sequence;
    return 1;
}

void td_node_handle(td_node_t *node)
{
    const uint8_t type = node->in.data[0], sequence = node->in.data[1], *body = node->in.data + 2;
    const uint32_t size = node->in.body_size;
    int result = check(node, type, body, size);
    node->counters.in++;
    if (result == 0 && type == HELLO) {
        greet(node, td_get_u32(body + 2), sequence);
    } else if (result == 0 && (rules[type].needs & ACTS)) {
        if (!do_once(node, type, sequence, body, size))
            return;
        result = node->result;
    }
    if (type != HELLO && (uint8_t)(sequence - node->seen) <= 128)
        node->seen = sequence;
    if (result < 0)
        td_node_refuse(node, type, sequence, result);
    else if (!td_node_keeps(node)) // a save is answered when it is done
        td_node_answer(node, type, sequence, body);
}
