// SPDX-License-Identifier: MIT
// td_net.c - the network: forward and backward, layer by layer. The arithmetic: td_kernels.h.
//
// An array of n rows of width w is row-major. Weights of a layer: W row-major, then b. Activations lie
// where the plan places them, drawn rows first, `slice` rows each; ReLU and its like work in place, and the
// backward pass writes each gradient over the activation that it belongs to. A drawn row is the network's
// inputs and, after them, the targets if there are any.
#include "td_internal.h"
#include "td_kernels.h"

uint32_t td_net_outputs(const td_plan_t *plan)
{
    return plan->layers[plan->layers_count - 1].out;
}

#if TD_WITH_WINDOWS
static int is_windowed(const td_layer_t *layer)
{
    return layer->kind >= TD_CONV && layer->kind != TD_LINEAR;
}

// numbers that an output of a convolution is a sum of; pools have no biases
static uint32_t window_terms(const td_plan_t *plan, uint32_t i, uint32_t *biases)
{
    const td_window_t *window = &plan->windows[i / 2];
    uint32_t kind = plan->layers[i].kind, taps = (uint32_t)window->rows * window->columns;
    *biases = kind <= TD_DEPTHWISE || kind == TD_BATCH_NORM ? window->filters : 0;
    if (kind == TD_BATCH_NORM)
        return 3; // mean, variance, scale
    return kind == TD_CONV ? taps * window->channels : taps;
}
#endif

uint32_t td_net_parameters(const td_plan_t *plan, uint32_t i, uint32_t *biases)
{
    const td_layer_t *layer = &plan->layers[i];
    uint32_t terms = layer->in;
    *biases = layer->kind == TD_DENSE ? layer->out : 0;
#if TD_WITH_WINDOWS
    if (is_windowed(layer))
        terms = window_terms(plan, i, biases);
#endif
    return *biases * (terms + 1);
}

uint32_t td_net_moving(const td_plan_t *plan, uint32_t i, uint32_t *skip)
{
    uint32_t biases, all = td_net_parameters(plan, i, &biases);
    *skip = 0;
    if (plan->layers[i].train == TD_TRAIN_ALL)
        return all;
    *skip = plan->layers[i].train == TD_TRAIN_BIAS ? all - biases : all;
    return all - *skip;
}

uint32_t td_net_moving_all(const td_plan_t *plan)
{
    uint32_t i, skip, count = 0;
    for (i = 0; i < plan->layers_count; i++)
        count += td_net_moving(plan, i, &skip);
    return count;
}

// layers that forward and backward see: a softmax or sigmoid at the end belongs to the loss
static uint32_t body_layers(const td_plan_t *plan)
{
    return (plan->layers_count - 1u) | 1u;
}

// numbers from one row of a layer's inputs to the next
static uint32_t stride(const td_plan_t *plan, uint32_t layer)
{
    return layer == 0 ? plan->rows.columns : plan->layers[layer].in;
}

// operation number `layer` over n rows
static td_shape_t shape(const td_plan_t *plan, uint32_t layer, uint32_t n)
{
    const td_layer_t *dense = &plan->layers[layer];
    const td_layer_t *before = layer == 0 ? NULL : dense - 1;
    td_shape_t shape = {dense->in, dense->out, (uint16_t)n, (uint16_t)stride(plan, layer), before};
    return shape;
}

#if TD_WITH_WINDOWS
static td_sweep_t sweep(const td_plan_t *plan, uint32_t layer, const td_shape_t *shape, float *activations)
{
    const td_layer_t *of = &plan->layers[layer];
    td_sweep_t sweep = {*shape, &plan->windows[layer / 2], of->kind, (uint8_t)layer, of->limit, NULL, NULL, NULL};
    sweep.draws = (uint32_t *)(void *)(activations - 2 * (size_t)plan->slice);
    if (TD_WITH_ADD && of->kind == TD_ADD) {
        sweep.beside = &plan->layers[(uint32_t)of->limit + 1];
        sweep.other = activations + (size_t)plan->slice * (sweep.beside - 1)->place;
    }
    return sweep;
}
#endif

// where the inputs of an operation lie, in numbers for each row of a slice
static uint32_t place_before(const td_plan_t *plan, uint32_t layer)
{
    return layer == 0 ? 0 : plan->layers[layer - 2].place;
}

size_t td_net_activations(const td_plan_t *plan)
{
    uint32_t i, most = plan->rows.columns;
    for (i = 0; i < plan->layers_count; i += 2) {
        uint32_t end = plan->layers[i].place + plan->layers[i].out;
        most = end > most ? end : most;
    }
    return (size_t)most * plan->slice;
}

#if TD_WITH_WINDOWS
static void window_forward(const td_sweep_t *over, const float *w, const float *x, float *y)
{
#if TD_WITH_BETWEEN
    if (over->kind >= TD_BATCH_NORM) {
        td_between_forward(over, w, x, y);
        return;
    }
#endif
    td_window_forward(over, w, x, y);
}
#endif

static inline float *forward(const td_plan_t *plan, uint32_t i, const td_shape_t *shape, const float *w, const float *x,
                             float *activations)
{
    float *y = activations + (size_t)plan->slice * plan->layers[i].place;
#if TD_WITH_WINDOWS
    if (is_windowed(&plan->layers[i])) {
        td_sweep_t over = sweep(plan, i, shape, activations);
        window_forward(&over, w, x, y);
        return y;
    }
#endif
    td_fast_forward(shape, w, x, y);
    return y;
}

// Layers from..to-1, the first an operation whose weights are given.
static float *run(const td_plan_t *plan, uint32_t from, uint32_t to, const float *weights, float *activations, uint32_t n)
{
    const td_layer_t *layer = plan->layers + from;
    float *x = activations + (size_t)plan->slice * place_before(plan, from);
    for (; layer < plan->layers + to; layer++) {
        uint32_t i = (uint32_t)(layer - plan->layers), biases;
        td_shape_t dense;
        if (i % 2 != 0) {
            td_activate(layer, x, n * layer->out);
            continue;
        }
        dense = shape(plan, i, n);
        x = forward(plan, i, &dense, weights, x, activations);
        weights += td_net_parameters(plan, i, &biases);
    }
    return x;
}

// Returns the outputs of the last operation, (n, outputs).
float *td_net_forward(const td_plan_t *plan, const float *weights, float *activations, uint32_t n)
{
    return run(plan, 0, body_layers(plan), weights, activations, n);
}

#if TD_WITH_GRADIENTS
#if TD_WITH_WINDOWS
static void window_backward(const td_layer_t *layer, const td_sweep_t *over, const float *w, float *dw, float *x,
                            float *dy)
{
#if TD_WITH_BETWEEN
    if (over->kind >= TD_BATCH_NORM) {
        td_between_backward(over, layer->train, w, dw, x, dy);
        return;
    }
#endif
    if (layer->train == TD_TRAIN_ALL)
        td_window_weights(over, dw, x, dy);
    if (layer->train == TD_TRAIN_BIAS)
        td_window_biases(over, dw, dy);
    if (over->shape.before != NULL)
        td_window_inputs(over, w, x, dy);
}
#endif

static void backward(const td_layer_t *layer, const td_shape_t *dense, const float *w, float *dw, float *x,
                     const float *dy)
{
    if (!TD_WITH_FREEZING || layer->train == TD_TRAIN_ALL) {
        td_fast_backward(dense, w, dw, x, dy);
        return;
    }
    if (layer->train == TD_TRAIN_BIAS)
        td_fast_biases(dense, dw, dy);
    td_fast_inputs(dense, w, x, dy);
}
#endif

#if TD_WITH_DESCENT
static int descend(const td_layer_t *layer, const td_shape_t *dense, float *w, float *x, const float *dy,
                   float rate)
{
    float *bias = w + (size_t)dense->out * dense->in;
    uint32_t o;
    if (td_update_is_wild(dy, dense->out) || (dense->before != NULL && td_update_is_wild(x, dense->in)))
        return TD_ENUMERIC;
    if (!TD_WITH_FREEZING || layer->train == TD_TRAIN_ALL) {
        td_fast_descend(dense, w, x, dy, rate);
        return 0;
    }
    td_fast_inputs(dense, w, x, dy);
    for (o = 0; layer->train == TD_TRAIN_BIAS && o < dense->out; o++)
        bias[o] -= rate * dy[o];
    return 0;
}
#endif

// the lowest layer that training moves: where a backward pass may end
static TD_APART uint32_t first_moving(const td_plan_t *plan)
{
    uint32_t i = 0, skip;
    while (td_net_moving(plan, i, &skip) == 0)
        i += 2;
    return i;
}

// parameters, and those that training moves, of the layers below one
static TD_APART uint32_t parameters_below(const td_plan_t *plan, uint32_t layer)
{
    uint32_t i, sum = 0, biases;
    for (i = 0; i < layer; i += 2)
        sum += td_net_parameters(plan, i, &biases);
    return sum;
}

static uint32_t moving_below(const td_plan_t *plan, uint32_t layer)
{
    uint32_t i, sum = 0, skip;
    for (i = 0; i < layer; i += 2)
        sum += td_net_moving(plan, i, &skip);
    return sum;
}

uint32_t td_net_last(const td_plan_t *plan)
{
    return body_layers(plan) - 1;
}

#if TD_WITH_AGAIN
// What operation i reads, and before it, back to the nearest outputs that were kept, is computed again; at the end of
// such a stretch all of it, for its whole backward pass. (Chen and others, "Training deep nets with sublinear memory
// cost", 2016.)
static TD_APART void compute_again(const td_train_t *train, uint32_t i, uint32_t n)
{
    const td_plan_t *plan = train->plan;
    uint32_t first = i;
    if (plan->layers[i].again)
        return; // its own inputs are there since its outputs are
    while (first > 0 && plan->layers[first - 2].again)
        first -= 2;
    if (first < i)
        run(plan, first, i, train->weights + parameters_below(plan, first), train->activations, n);
}
#endif

int td_net_backward(const td_train_t *train, uint32_t i, uint32_t n)
{
    const td_plan_t *plan = train->plan;
    uint32_t is_first = i == first_moving(plan), below = parameters_below(plan, i);
    uint32_t moving = TD_WITH_FREEZING ? moving_below(plan, i) : below;
    td_shape_t dense = shape(plan, i, n);
    float *x = train->activations + (size_t)plan->slice * place_before(plan, i);
    float *dy = train->activations + (size_t)plan->slice * plan->layers[i].place;
    if (is_first)
        dense.before = NULL; // nothing below it moves: x needs no gradient
#if TD_WITH_AGAIN
    compute_again(train, i, n);
#endif
#if TD_WITH_WINDOWS && TD_WITH_GRADIENTS
    if (is_windowed(&plan->layers[i])) {
        td_sweep_t over = sweep(plan, i, &dense, train->activations);
        window_backward(&plan->layers[i], &over, train->weights + below, td_gradients(train) + moving, x, dy);
#if TD_WITH_ADD
        if (dense.before != NULL)
            td_add_from_above(train, i, n, x);
#endif
        return dense.before == NULL;
    }
#endif
#if TD_WITH_LATE
    if (plan->layers[i].train == TD_TRAIN_LATE) {
        td_late_keep(train, &dense, x, dy);
        td_fast_inputs(&dense, train->weights + below, x, dy);
        return 0;
    }
#endif
#if TD_WITH_DESCENT
    if (td_gradients(train) == NULL && descend(&plan->layers[i], &dense, train->weights + below, x, dy, train->rate) != 0)
        return TD_ENUMERIC;
#endif
#if TD_WITH_GRADIENTS
    if (!TD_WITH_DESCENT || td_gradients(train) != NULL)
        backward(&plan->layers[i], &dense, train->weights + below, td_gradients(train) + moving, x, dy);
#endif
#if TD_WITH_ADD
    if (dense.before != NULL)
        td_add_from_above(train, i, n, x);
#endif
    (void)moving; // of gradients only
    return dense.before == NULL;
}

static int check_activation(const td_layer_t *layer)
{
    int linear = TD_WITH_WINDOWS && layer->kind == TD_LINEAR;
    if (layer->out != layer->in || layer->kind < TD_RELU || (layer->kind > TD_SIGMOID && !linear))
        return TD_EPLAN;
    if (layer->kind == TD_LEAKY_RELU && !(layer->limit >= 0.0f && layer->limit <= 1.0f))
        return TD_EPLAN;
    return td_activate(layer, NULL, 0);
}

// an operation's outputs lie in reach, and not where its inputs do
static int check_place(const td_plan_t *plan, uint32_t i)
{
    uint32_t x = place_before(plan, i), y = plan->layers[i].place;
    if (y > 0x0fffffffu / plan->slice || (y < x + stride(plan, i) && x < y + plan->layers[i].out))
        return TD_EPLAN;
    return 0;
}

static int check_operation(const td_plan_t *plan, uint32_t i)
{
#if TD_WITH_WINDOWS
    int code = 0;
    if (is_windowed(&plan->layers[i]))
        code = plan->windows ? td_window_check(plan, i) : TD_EPLAN;
    else if (plan->layers[i].kind != TD_DENSE)
        code = TD_EPLAN;
    return code != 0 ? code : check_place(plan, i);
#else
    if (plan->layers[i].kind != TD_DENSE)
        return plan->windows ? TD_ENOKERNEL : TD_EPLAN;
    return check_place(plan, i);
#endif
}

// of operations, the last one's outputs apart, which the loss reads at once
static int check_again(const td_plan_t *plan, uint32_t i)
{
    uint32_t again = plan->layers[i].again;
    if (again > 1 || (again && (i % 2 != 0 || i == td_net_last(plan))))
        return TD_EPLAN;
    return again && !TD_WITH_AGAIN ? TD_ENOKERNEL : 0;
}

static int is_built(const td_layer_t *layer)
{
    return layer->train == TD_TRAIN_ALL || (layer->train == TD_TRAIN_LATE ? TD_WITH_LATE : TD_WITH_FREEZING);
}

// operations and activations by turns, the first an operation, then a head for classes; each width fits the next
int td_net_check(const td_plan_t *plan)
{
    uint64_t parameters = 0;
    uint32_t i, biases, width = plan->inputs.outputs, last = plan->layers_count;
    if (plan->layers == NULL || last == 0)
        return TD_EPLAN;
    for (i = 0; i < last; i++) {
        const td_layer_t *layer = &plan->layers[i];
        int code = 0, head = i == body_layers(plan);
        if (layer->in != width || layer->out == 0 || (!head && layer->kind == TD_SOFTMAX))
            return TD_EPLAN;
        if (layer->train > (i == td_net_last(plan) ? TD_TRAIN_LATE : TD_TRAIN_NONE))
            return TD_EPLAN;
        if ((code = check_again(plan, i)) != 0)
            return code;
        code = i % 2 != 0 ? check_activation(layer) : check_operation(plan, i);
        if (code == 0)
            parameters += td_net_parameters(plan, i, &biases);
        if (code == 0 && biases != 0 && !is_built(layer))
            return TD_ENOKERNEL;
        if (code != 0 && !(head && code == TD_ENOKERNEL))
            return code;
        width = layer->out;
    }
    if (parameters != plan->parameters || parameters >= 0x10000000u)
        return TD_EPLAN;
    return td_net_moving_all(plan) != 0 ? 0 : TD_EPLAN;
}
