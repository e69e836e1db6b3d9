// SPDX-License-Identifier: MIT
// _simulator.c - the firmware's core as an in-process device, for simulator.py.
//
// A device is a capsule. Errors of the core come back as its negative codes; Python words them.
#include "_core.h"

#include <stdlib.h>
#include <string.h>

#include "_planbytes.h"
#include "td_internal.h"

typedef struct {
    plan_bytes_t plan;
    td_train_t train;
    void *arena;
} device_t;

static const char capsule_name[] = "tinydream.device";

static void device_free(device_t *device)
{
    if (device == NULL)
        return;
    plan_bytes_free(&device->plan);
    free(device->arena);
    free(device);
}

static void capsule_free(PyObject *capsule)
{
    device_free(PyCapsule_GetPointer(capsule, capsule_name));
}

static device_t *device_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, capsule_name);
}

static int device_init(device_t *device, const Py_buffer *bytes, uint32_t seed)
{
    int code = plan_bytes_parse(&device->plan, bytes->buf, (size_t)bytes->len);
    size_t size;
    td_plan_t *plan = &device->plan.plan;
    if (code != 0)
        return code;
    if (td_train_arena_bytes(plan) != 0) // valid as it is: now with as many rows at once as suit a host
        plan->slice = plan->batch < 32 ? plan->batch : 32;
    size = td_train_arena_bytes(&device->plan.plan);
    device->arena = calloc(size / 4 + 1, 4);
    if (device->arena == NULL)
        return TD_EARENA;
    return td_train_init(&device->train, &device->plan.plan, device->arena, size, seed);
}

// sim_new(plan: bytes, seed: int) -> capsule | int
static PyObject *sim_new(PyObject *self, PyObject *args)
{
    Py_buffer bytes;
    unsigned int seed;
    device_t *device;
    int code;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*I", &bytes, &seed))
        return NULL;
    device = calloc(1, sizeof *device);
    code = device == NULL ? TD_EARENA : device_init(device, &bytes, seed);
    PyBuffer_Release(&bytes);
    if (code != 0) {
        device_free(device);
        return PyLong_FromLong(code);
    }
    return PyCapsule_New(device, capsule_name, capsule_free);
}

// sim_init(device, seed: int) -> int: new initial weights
static PyObject *sim_init(PyObject *self, PyObject *args)
{
    PyObject *capsule;
    unsigned int seed;
    device_t *d;
    (void)self;
    if (!PyArg_ParseTuple(args, "OI", &capsule, &seed) || !(d = device_of(capsule)))
        return NULL;
    return PyLong_FromLong(td_train_init(&d->train, &d->plan.plan, d->arena,
                                         td_train_arena_bytes(&d->plan.plan), seed));
}

// sim_start(device, seed, epochs, epoch_rows, rate, schedule, every, factor, patience) -> int
static PyObject *sim_start(PyObject *self, PyObject *args)
{
    PyObject *capsule;
    unsigned int seed, epochs, epoch_rows, every, patience;
    td_knobs_t knobs;
    device_t *d;
    (void)self;
    if (!PyArg_ParseTuple(args, "OIIIfbIfI", &capsule, &seed, &epochs, &epoch_rows, &knobs.rate,
                          &knobs.schedule, &every, &knobs.factor, &patience) ||
        !(d = device_of(capsule)))
        return NULL;
    knobs.seed = seed;
    knobs.epochs = epochs;
    knobs.epoch_rows = epoch_rows;
    knobs.every = every;
    knobs.patience = patience;
    return PyLong_FromLong(td_train_start(&d->train, &knobs));
}

// sim_steps(device, most: int) -> (code, the fields of td_metrics_t, running)
// At most that many steps, fewer when an epoch ends; metrics are valid when code is 1.
static PyObject *sim_steps(PyObject *self, PyObject *args)
{
    PyObject *capsule;
    unsigned int most;
    td_metrics_t m = {0};
    device_t *d;
    int code = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "OI", &capsule, &most) || !(d = device_of(capsule)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    while (code == 0 && most-- > 0)
        code = td_train_step(&d->train, &m);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("iIIIIfIIfIi", code, m.epoch, m.step, m.rows, m.correct, m.loss, m.valid_rows,
                         m.valid_correct, m.valid_loss, m.best, (int)d->train.running);
}

// sim_weights(device) -> bytes of float32 (parameters,)
static PyObject *sim_weights(PyObject *self, PyObject *args)
{
    PyObject *capsule;
    device_t *d;
    (void)self;
    if (!PyArg_ParseTuple(args, "O", &capsule) || !(d = device_of(capsule)))
        return NULL;
    return PyBytes_FromStringAndSize((const char *)d->train.weights,
                                     4 * (Py_ssize_t)d->plan.plan.parameters);
}

// sim_set_weights(device, bytes) -> int
static PyObject *sim_set_weights(PyObject *self, PyObject *args)
{
    PyObject *capsule;
    Py_buffer bytes;
    device_t *d;
    int code = TD_EARG;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*", &capsule, &bytes))
        return NULL;
    d = device_of(capsule);
    if (d != NULL && (size_t)bytes.len == 4 * (size_t)d->plan.plan.parameters) {
        memcpy(d->train.weights, bytes.buf, (size_t)bytes.len);
        code = 0;
    }
    PyBuffer_Release(&bytes);
    return d == NULL ? NULL : PyLong_FromLong(code);
}

// sim_predict(device, raw: float32 (n, raw_columns)) -> (int32 (n,), float32 (n, outputs)) as bytes
static PyObject *sim_predict(PyObject *self, PyObject *args)
{
    PyObject *capsule, *labels = NULL, *shares = NULL, *result = NULL;
    Py_buffer raw;
    device_t *d;
    Py_ssize_t n, i, width, classes;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*", &capsule, &raw))
        return NULL;
    if (!(d = device_of(capsule)))
        goto done;
    width = d->plan.plan.inputs.raw_columns;
    classes = (Py_ssize_t)td_net_outputs(&d->plan.plan);
    n = raw.len / (4 * width);
    labels = PyBytes_FromStringAndSize(NULL, 4 * n);
    shares = PyBytes_FromStringAndSize(NULL, 4 * n * classes);
    if (labels && shares) {
        int32_t *y = (int32_t *)(void *)PyBytes_AsString(labels);
        float *p = (float *)(void *)PyBytes_AsString(shares);
        Py_BEGIN_ALLOW_THREADS
        for (i = 0; i < n; i++)
            y[i] = td_predict(&d->train, (const float *)raw.buf + i * width, p + i * classes);
        Py_END_ALLOW_THREADS
        result = PyTuple_Pack(2, labels, shares);
    }
done:
    Py_XDECREF(labels);
    Py_XDECREF(shares);
    PyBuffer_Release(&raw);
    return result;
}

// sim_learn(device, rows: float32 (n, raw_columns + class or targets), drawn) -> (int32 (n,), float32 losses (n,)) as
// bytes; learns up to the first row that is refused, which has its error in place of its result
static PyObject *sim_learn(PyObject *self, PyObject *args)
{
    PyObject *capsule, *results = NULL, *losses = NULL, *result = NULL;
    Py_buffer rows;
    device_t *d;
    unsigned int drawn;
    Py_ssize_t n, i, k, width;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*I", &capsule, &rows, &drawn))
        return NULL;
    if (!(d = device_of(capsule)))
        goto done;
    width = td_row_numbers(&d->plan.plan);
    n = rows.len / (4 * width);
    results = PyBytes_FromStringAndSize(NULL, 4 * n);
    losses = PyBytes_FromStringAndSize(NULL, 4 * n);
    if (results && losses) {
        int32_t *code = (int32_t *)(void *)PyBytes_AsString(results);
        float *loss = (float *)(void *)PyBytes_AsString(losses);
        Py_BEGIN_ALLOW_THREADS
        for (i = 0; i < n; i++) {
            td_row_t row = {0, 0, 0, 0};
            code[i] = i > 0 && code[i - 1] < 0 ? code[i - 1] : 0;
            loss[i] = 0.0f;
            for (k = 0; k < width && code[i] == 0; k++)
                code[i] = td_row_put(&d->train, &row, ((const float *)rows.buf)[i * width + k]);
            if (code[i] == 0)
                code[i] = td_row_learn(&d->train, &row, drawn, &loss[i]);
        }
        Py_END_ALLOW_THREADS
        result = PyTuple_Pack(2, results, losses);
    }
done:
    Py_XDECREF(results);
    Py_XDECREF(losses);
    PyBuffer_Release(&rows);
    return result;
}

// arena_bytes(plan: bytes) -> int: what td_train_arena_bytes says, 0 when the plan is not valid
static PyObject *arena_bytes(PyObject *self, PyObject *args)
{
    Py_buffer bytes;
    plan_bytes_t plan;
    size_t size = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*", &bytes))
        return NULL;
    if (plan_bytes_parse(&plan, bytes.buf, (size_t)bytes.len) == 0) {
        size = td_train_arena_bytes(&plan.plan);
        plan_bytes_free(&plan);
    }
    PyBuffer_Release(&bytes);
    return PyLong_FromSize_t(size);
}

// math(name, values: float32) -> bytes of float32: one of the core's own functions, for tests
static PyObject *math(PyObject *self, PyObject *args)
{
    const char *name;
    Py_buffer in;
    PyObject *out = NULL;
    float (*function)(float);
    (void)self;
    if (!PyArg_ParseTuple(args, "sy*", &name, &in))
        return NULL;
    function = strcmp(name, "exp") == 0             ? td_exp
               : strcmp(name, "log") == 0           ? td_log
               : strcmp(name, "tanh") == 0          ? td_tanh
               : strcmp(name, "sigmoid") == 0       ? td_sigmoid
               : strcmp(name, "sqrt") == 0          ? td_sqrt
               : strcmp(name, "sqrt_portable") == 0 ? td_sqrt_portable
                                                    : NULL;
    if (function == NULL)
        PyErr_SetString(PyExc_ValueError, "no such function");
    else
        out = PyBytes_FromStringAndSize(NULL, in.len);
    if (out != NULL) {
        const float *x = in.buf;
        float *y = (float *)(void *)PyBytes_AsString(out);
        Py_ssize_t i;
        for (i = 0; i < in.len / 4; i++)
            y[i] = function(x[i]);
    }
    PyBuffer_Release(&in);
    return out;
}

// loss(kind, delta, out: float32 (outputs,), target: float32, empty for none, label)
// -> (loss, correct, gradient as bytes): one row's loss, for tests
static PyObject *loss(PyObject *self, PyObject *args)
{
    Py_buffer out, target;
    PyObject *gradient, *result = NULL;
    td_layer_t layer = {.kind = TD_DENSE};
    td_plan_t plan = {.layers = &layer, .layers_count = 1};
    unsigned int label;
    uint32_t correct = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "bfy*y*I", &plan.loss, &plan.delta, &out, &target, &label))
        return NULL;
    layer.out = (uint16_t)(out.len / 4);
    gradient = PyBytes_FromStringAndSize(out.buf, out.len);
    if (gradient != NULL) {
        float *row = (float *)(void *)PyBytes_AsString(gradient);
        float value = td_loss(&plan, row, target.len ? target.buf : NULL, label, &correct);
        result = Py_BuildValue("fIN", value, correct, gradient);
    }
    PyBuffer_Release(&out);
    PyBuffer_Release(&target);
    return result;
}

// error_text(code) -> str
static PyObject *error_text(PyObject *self, PyObject *args)
{
    int code;
    (void)self;
    if (!PyArg_ParseTuple(args, "i", &code))
        return NULL;
    return PyUnicode_FromString(td_error_text(code));
}

PyMethodDef simulator_methods[] = {
    {"sim_new", sim_new, METH_VARARGS, NULL},
    {"sim_init", sim_init, METH_VARARGS, NULL},
    {"sim_start", sim_start, METH_VARARGS, NULL},
    {"sim_steps", sim_steps, METH_VARARGS, NULL},
    {"sim_weights", sim_weights, METH_VARARGS, NULL},
    {"sim_set_weights", sim_set_weights, METH_VARARGS, NULL},
    {"sim_predict", sim_predict, METH_VARARGS, NULL},
    {"sim_learn", sim_learn, METH_VARARGS, NULL},
    {"arena_bytes", arena_bytes, METH_VARARGS, NULL},
    {"math", math, METH_VARARGS, NULL},
    {"loss", loss, METH_VARARGS, NULL},
    {"error_text", error_text, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
