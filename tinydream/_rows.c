// SPDX-License-Identifier: MIT
// _rows.c - rows without a device around them: drawn from the stream, their targets, and projected.
#include "_core.h"

#include <stdlib.h>
#include <string.h>

#include "_planbytes.h"
#include "td_internal.h"

// as many outputs as a network for these rows would have; where they do not tell, any label will do
static uint32_t outputs_of(const td_rows_t *rows)
{
    if (rows->targets != 0)
        return rows->targets;
    return rows->classes != 0 ? rows->classes : 65536;
}

static void draw_all(const td_rows_t *rows, uint32_t seed, uint32_t pass, Py_ssize_t n, float *x,
                     uint32_t *y, uint32_t *picks)
{
    uint32_t order[TD_ORDER], position = 0;
    Py_ssize_t i;
    td_rows_order(seed, pass, order);
    for (i = 0; i < n; i++) {
        td_rows_draw(rows, seed, pass, position, order, x + i * rows->columns, y + i);
        picks[i] = td_rows_pick(rows, order, position);
        if (++position == rows->rows) {
            position = 0;
            td_rows_order(seed, ++pass, order);
        }
    }
}

// rows_draw(rows: bytes, seed, first_pass, n) -> (float32 (n, columns), int32 (n,), uint32 (n,)) as bytes, or int:
// numbers, labels, and of which representative each row was drawn
static PyObject *rows_draw(PyObject *self, PyObject *args)
{
    Py_buffer bytes;
    unsigned int seed, pass;
    Py_ssize_t n;
    plan_bytes_t plan;
    PyObject *x, *y, *picks, *result = NULL;
    int code;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*IIn", &bytes, &seed, &pass, &n))
        return NULL;
    code = n < 0 ? TD_EARG : plan_bytes_parse_rows(&plan, bytes.buf, (size_t)bytes.len);
    PyBuffer_Release(&bytes);
    if (code != 0)
        return PyLong_FromLong(code);
    code = td_rows_check(&plan.plan.rows, outputs_of(&plan.plan.rows));
    if (code != 0) {
        plan_bytes_free(&plan);
        return PyLong_FromLong(code);
    }
    x = PyBytes_FromStringAndSize(NULL, 4 * n * plan.plan.rows.columns);
    y = PyBytes_FromStringAndSize(NULL, 4 * n);
    picks = PyBytes_FromStringAndSize(NULL, 4 * n);
    if (x && y && picks) {
        float *xs = (float *)(void *)PyBytes_AsString(x);
        uint32_t *ys = (uint32_t *)(void *)PyBytes_AsString(y);
        uint32_t *each = (uint32_t *)(void *)PyBytes_AsString(picks);
        Py_BEGIN_ALLOW_THREADS
        draw_all(&plan.plan.rows, seed, pass, n, xs, ys, each);
        Py_END_ALLOW_THREADS
        result = PyTuple_Pack(3, x, y, picks);
    }
    Py_XDECREF(x);
    Py_XDECREF(y);
    Py_XDECREF(picks);
    plan_bytes_free(&plan);
    return result;
}

// rows_target(rows: bytes, index) -> float32 (classes,) as bytes, or int
static PyObject *rows_target(PyObject *self, PyObject *args)
{
    Py_buffer bytes;
    unsigned int index;
    plan_bytes_t plan;
    PyObject *t = NULL;
    int code;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*I", &bytes, &index))
        return NULL;
    code = plan_bytes_parse_rows(&plan, bytes.buf, (size_t)bytes.len);
    PyBuffer_Release(&bytes);
    if (code != 0)
        return PyLong_FromLong(code);
    code = td_rows_check(&plan.plan.rows, outputs_of(&plan.plan.rows));
    if (code == 0 && (plan.plan.rows.soft_bits == 0 || index >= plan.plan.rows.count))
        code = TD_EARG;
    if (code == 0)
        t = PyBytes_FromStringAndSize(NULL, 4 * (Py_ssize_t)plan.plan.rows.classes);
    if (t != NULL)
        td_rows_target(&plan.plan.rows, index, (float *)(void *)PyBytes_AsString(t));
    plan_bytes_free(&plan);
    return code != 0 ? PyLong_FromLong(code) : t;
}

enum { LANES = 8 };

// Eight outputs of one row, in the device's order: the sum over inputs ascending, then the scale.
static void project_lanes(const float *x, size_t inputs, const float *codes, const float *scale, float *z)
{
    float sum[LANES] = {0.0f};
    size_t j, o;
    for (j = 0; j < inputs; j++)
        for (o = 0; o < LANES; o++)
            sum[o] = sum[o] + x[j] * codes[LANES * j + o];
    for (o = 0; o < LANES; o++)
        z[o] = sum[o] * scale[o];
}

// codes (inputs, outputs) lie in blocks of eight outputs, filled with zeros; then as many scales
static float *in_blocks(const float *codes, const float *scale, size_t inputs, size_t outputs)
{
    size_t blocks = (outputs + LANES - 1) / LANES, j, o;
    float *lanes = calloc(blocks * LANES * (inputs + 1), sizeof *lanes);
    if (lanes == NULL)
        return NULL;
    for (o = 0; o < outputs; o++) {
        for (j = 0; j < inputs; j++)
            lanes[(o / LANES * inputs + j) * LANES + o % LANES] = codes[j * outputs + o];
        lanes[blocks * LANES * inputs + o] = scale[o];
    }
    return lanes;
}

static void project_rows(const float *x, size_t n, size_t inputs, const float *lanes, size_t outputs, float *z)
{
    size_t blocks = (outputs + LANES - 1) / LANES, i, k;
    const float *scale = lanes + blocks * LANES * inputs;
    for (i = 0; i < n; i++, x += inputs, z += outputs)
        for (k = 0; k < blocks; k++) {
            size_t left = outputs - k * LANES;
            float some[LANES];
            project_lanes(x, inputs, lanes + k * LANES * inputs, scale + k * LANES, some);
            memcpy(z + k * LANES, some, sizeof *some * (left < LANES ? left : LANES));
        }
}

// project(x: float32 (n, inputs), codes: float32 (inputs, outputs), scale: float32 (outputs,))
//     -> float32 (n, outputs) as bytes: what a device's projection gives before it is clamped
static PyObject *project(PyObject *self, PyObject *args)
{
    Py_buffer x, codes, scale;
    PyObject *z = NULL;
    size_t inputs, outputs, n;
    float *lanes;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*", &x, &codes, &scale))
        return NULL;
    outputs = (size_t)scale.len / 4;
    inputs = outputs ? (size_t)codes.len / 4 / outputs : 0;
    n = inputs ? (size_t)x.len / 4 / inputs : 0;
    lanes = in_blocks(codes.buf, scale.buf, inputs, outputs);
    if (lanes == NULL)
        PyErr_NoMemory();
    else
        z = PyBytes_FromStringAndSize(NULL, 4 * (Py_ssize_t)(n * outputs));
    if (z != NULL) {
        float *zs = (float *)(void *)PyBytes_AsString(z);
        Py_BEGIN_ALLOW_THREADS
        project_rows(x.buf, n, inputs, lanes, outputs, zs);
        Py_END_ALLOW_THREADS
    }
    free(lanes);
    PyBuffer_Release(&x);
    PyBuffer_Release(&codes);
    PyBuffer_Release(&scale);
    return z;
}

PyMethodDef rows_methods[] = {
    {"rows_draw", rows_draw, METH_VARARGS, NULL},
    {"rows_target", rows_target, METH_VARARGS, NULL},
    {"project", project, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};
