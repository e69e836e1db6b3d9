// SPDX-License-Identifier: MIT
// kernels.c - the codec's hot loops for Python: buffers are checked here, and the GIL is released in each loop.
#include "_core.h"
#include "codec/kernels.h"

// A contiguous buffer of exactly `count` items of `size` bytes, or an exception that names it.
static int take(PyObject *object, Py_buffer *view, const char *name, Py_ssize_t count, Py_ssize_t size, int flags)
{
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | flags) < 0)
        return -1;
    if (view->len % size == 0 && view->len / size == count)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s has %zd bytes; %zd items of %zd bytes are needed", name, view->len, count,
                 size);
    PyBuffer_Release(view);
    return -1;
}

static int in_range(const int32_t *values, Py_ssize_t count, Py_ssize_t limit, const char *name)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (values[i] < 0 || values[i] >= limit) {
            PyErr_Format(PyExc_ValueError, "%s[%zd] is %d; it must be in 0..%zd", name, i, (int)values[i],
                         limit - 1);
            return -1;
        }
    return 0;
}

static int sizes_good(Py_ssize_t a, Py_ssize_t b, Py_ssize_t c, Py_ssize_t d)
{
    const Py_ssize_t most = (Py_ssize_t)INT32_MAX;
    if (a >= 1 && b >= 1 && c >= 1 && d >= 1 && a <= most && b <= most && c <= most && d <= most)
        return 1;
    PyErr_SetString(PyExc_ValueError, "sizes must be in 1..2147483647");
    return 0;
}

typedef struct {
    PyObject *object;
    const char *name;
    Py_ssize_t count, size;
    int flags;
} want_t;

// All buffers of a call or none.
static int take_all(const want_t *want, Py_buffer *views, int count)
{
    for (int i = 0; i < count; i++)
        if (take(want[i].object, &views[i], want[i].name, want[i].count, want[i].size, want[i].flags) < 0) {
            while (i--)
                PyBuffer_Release(&views[i]);
            return -1;
        }
    return 0;
}

static PyObject *give_back(Py_buffer *views, int count, PyObject *result)
{
    while (count--)
        PyBuffer_Release(&views[count]);
    return result;
}

static PyObject *number_or_memory(ptrdiff_t number)
{
    return number < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(number);
}

PyDoc_STRVAR(bit_counts_doc,
             "bit_counts(rows, n, row_bytes, counts)\n\n"
             "Fill counts (row_bytes, 8) int64: how many rows have bit b of byte p set.");

static PyObject *bit_counts(PyObject *self, PyObject *args)
{
    PyObject *rows, *counts;
    Py_ssize_t n, bytes;
    Py_buffer v[2];
    int done;
    (void)self;
    if (!PyArg_ParseTuple(args, "OnnO", &rows, &n, &bytes, &counts) || !sizes_good(n, bytes, 1, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n, bytes, 0}, {counts, "counts", 8 * bytes, 8, PyBUF_WRITABLE}};
    if (take_all(want, v, 2) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    done = bits_count(v[0].buf, (size_t)n, (size_t)bytes, v[1].buf);
    Py_END_ALLOW_THREADS
    return give_back(v, 2, number_or_memory(done));
}

PyDoc_STRVAR(grow_tree_doc,
             "grow_tree(grid, labels, scale, n, d, classes, wanted, leaf, parent, error) -> leaves\n\n"
             "grid (n, d) uint16, labels (n) int32, scale (d) float64; fills leaf (n) int32,\n"
             "parent (wanted) int32 and error (wanted) float64. See kernels.h, tree_grow.");

static PyObject *grow_tree(PyObject *self, PyObject *args)
{
    PyObject *grid, *labels, *scale, *leaf, *parent, *error, *result = NULL;
    Py_ssize_t n, d, classes, wanted;
    ptrdiff_t leaves = 0;
    Py_buffer v[6];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnnnOOO", &grid, &labels, &scale, &n, &d, &classes, &wanted, &leaf, &parent,
                          &error) ||
        !sizes_good(n, d, classes, wanted))
        return NULL;
    if (wanted < classes)
        return PyErr_Format(PyExc_ValueError, "wanted is %zd; it must be at least classes, %zd", wanted, classes);
    want_t want[] = {{grid, "grid", n * d, 2, 0},
                     {labels, "labels", n, 4, 0},
                     {scale, "scale", d, 8, 0},
                     {leaf, "leaf", n, 4, PyBUF_WRITABLE},
                     {parent, "parent", wanted, 4, PyBUF_WRITABLE},
                     {error, "error", wanted, 8, PyBUF_WRITABLE}};
    if (take_all(want, v, 6) < 0)
        return NULL;
    if (in_range(v[1].buf, n, classes, "labels") == 0) {
        Py_BEGIN_ALLOW_THREADS
        leaves = tree_grow(v[0].buf, v[1].buf, v[2].buf, (size_t)n, (size_t)d, (size_t)classes, (size_t)wanted,
                           v[3].buf, v[4].buf, v[5].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(leaves);
    }
    return give_back(v, 6, result);
}

PyDoc_STRVAR(move_rows_doc,
             "move_rows(rows, labels, n, d, classes, leaves, leaf) -> moved\n\n"
             "One Lloyd pass: rows (n, d) float32, labels (n) int32, leaf (n) int32 in and out.");

static PyObject *move_rows(PyObject *self, PyObject *args)
{
    PyObject *rows, *labels, *leaf, *result = NULL;
    Py_ssize_t n, d, classes, leaves;
    ptrdiff_t moved = 0;
    Py_buffer v[3];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOnnnnO", &rows, &labels, &n, &d, &classes, &leaves, &leaf) ||
        !sizes_good(n, d, classes, leaves))
        return NULL;
    want_t want[] = {{rows, "rows", n * d, 4, 0}, {labels, "labels", n, 4, 0}, {leaf, "leaf", n, 4, PyBUF_WRITABLE}};
    if (take_all(want, v, 3) < 0)
        return NULL;
    if (in_range(v[1].buf, n, classes, "labels") == 0 && in_range(v[2].buf, n, leaves, "leaf") == 0) {
        Py_BEGIN_ALLOW_THREADS
        moved = lloyd_pass(v[0].buf, v[1].buf, (size_t)n, (size_t)d, (size_t)classes, (size_t)leaves, v[2].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(moved);
    }
    return give_back(v, 3, result);
}

PyDoc_STRVAR(sum_leaves_doc,
             "sum_leaves(rows, leaf, n, d, leaves, sums, counts)\n\n"
             "Fill sums (leaves, d) float64 and counts (leaves) int64 from rows (n, d) float32.");

static PyObject *sum_leaves(PyObject *self, PyObject *args)
{
    PyObject *rows, *leaf, *sums, *counts, *result = NULL;
    Py_ssize_t n, d, leaves;
    Py_buffer v[4];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOnnnOO", &rows, &leaf, &n, &d, &leaves, &sums, &counts) ||
        !sizes_good(n, d, leaves, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n * d, 4, 0},
                     {leaf, "leaf", n, 4, 0},
                     {sums, "sums", leaves * d, 8, PyBUF_WRITABLE},
                     {counts, "counts", leaves, 8, PyBUF_WRITABLE}};
    if (take_all(want, v, 4) < 0)
        return NULL;
    if (in_range(v[1].buf, n, leaves, "leaf") == 0) {
        Py_BEGIN_ALLOW_THREADS
        leaf_sums(v[0].buf, v[1].buf, (size_t)n, (size_t)d, (size_t)leaves, v[2].buf, v[3].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(0);
    }
    return give_back(v, 4, result);
}

PyDoc_STRVAR(project_train_doc,
             "project_train(rows, truth, weights, n, d, r, outputs, labelled, hidden, steps, batch, rate, decay, seed)\n\n"
             "rows (n, d) float32; truth labels (n) int32 if labelled, else targets (n, outputs) float32;\n"
             "weights float32 in and out. See kernels.h, project_train.");

static PyObject *project_train_(PyObject *self, PyObject *args)
{
    PyObject *rows, *truth, *weights, *result = NULL;
    Py_ssize_t n, d, r, outputs, hidden, steps, batch;
    int labelled, failed;
    project_t job = {0};
    unsigned int seed;
    Py_buffer v[3];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnnnpnnnffI", &rows, &truth, &weights, &n, &d, &r, &outputs, &labelled, &hidden, &steps,
                          &batch, &job.rate, &job.decay, &seed) ||
        !sizes_good(n, d, r, outputs) || !sizes_good(hidden, steps, batch, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n * d, 4, 0},
                     {truth, labelled ? "labels" : "targets", labelled ? n : n * outputs, 4, 0},
                     {weights, "weights", (d + hidden) * r + (hidden + 1) * outputs + hidden, 4, PyBUF_WRITABLE}};
    if (take_all(want, v, 3) < 0)
        return NULL;
    if (!labelled || in_range(v[1].buf, n, outputs, "labels") == 0) {
        job.rows = v[0].buf;
        job.labels = labelled ? v[1].buf : NULL;
        job.targets = labelled ? NULL : v[1].buf;
        job.n = (size_t)n, job.d = (size_t)d, job.r = (size_t)r, job.outputs = (size_t)outputs;
        job.hidden = (size_t)hidden, job.steps = (size_t)steps, job.batch = (size_t)batch;
        job.seed = seed;
        Py_BEGIN_ALLOW_THREADS
        failed = project_train(&job, v[2].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(failed);
    }
    return give_back(v, 3, result);
}

PyMethodDef kernels_methods[] = {{"bit_counts", bit_counts, METH_VARARGS, bit_counts_doc},
                                 {"grow_tree", grow_tree, METH_VARARGS, grow_tree_doc},
                                 {"move_rows", move_rows, METH_VARARGS, move_rows_doc},
                                 {"sum_leaves", sum_leaves, METH_VARARGS, sum_leaves_doc},
                                 {"project_train", project_train_, METH_VARARGS, project_train_doc},
                                 {NULL, NULL, 0, NULL}};
