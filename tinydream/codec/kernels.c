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
             "bit_counts(rows, n, row_bytes, threads, counts)\n\n"
             "Fill counts (row_bytes, 8) int64: how many rows have bit b of byte p set.");

static PyObject *bit_counts(PyObject *self, PyObject *args)
{
    PyObject *rows, *counts;
    Py_ssize_t n, bytes, threads;
    Py_buffer v[2];
    int done;
    (void)self;
    if (!PyArg_ParseTuple(args, "OnnnO", &rows, &n, &bytes, &threads, &counts) ||
        !sizes_good(n, bytes, threads, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n, bytes, 0}, {counts, "counts", 8 * bytes, 8, PyBUF_WRITABLE}};
    if (take_all(want, v, 2) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    done = bits_count(v[0].buf, (size_t)n, (size_t)bytes, (size_t)threads, v[1].buf);
    Py_END_ALLOW_THREADS
    return give_back(v, 2, number_or_memory(done));
}

PyDoc_STRVAR(grow_tree_doc,
             "grow_tree(grid, labels, scale, n, d, classes, wanted, threads, leaf, parent, error) -> leaves\n\n"
             "grid (n, d) uint16, labels (n) int32, scale (d) float64; fills leaf (n) int32,\n"
             "parent (wanted) int32 and error (wanted) float64. See kernels.h, tree_grow.");

static PyObject *grow_tree(PyObject *self, PyObject *args)
{
    PyObject *grid, *labels, *scale, *leaf, *parent, *error, *result = NULL;
    Py_ssize_t n, d, classes, wanted, threads;
    ptrdiff_t leaves = 0;
    Py_buffer v[6];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnnnnOOO", &grid, &labels, &scale, &n, &d, &classes, &wanted, &threads, &leaf,
                          &parent, &error) ||
        !sizes_good(n, d, classes, wanted) || !sizes_good(threads, 1, 1, 1))
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
        tree_job_t job = {.grid = v[0].buf, .labels = v[1].buf, .scale = v[2].buf, .n = (size_t)n, .d = (size_t)d,
                          .classes = (size_t)classes, .wanted = (size_t)wanted, .threads = (size_t)threads};
        Py_BEGIN_ALLOW_THREADS
        leaves = tree_grow(&job, v[3].buf, v[4].buf, v[5].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(leaves);
    }
    return give_back(v, 6, result);
}

PyDoc_STRVAR(move_rows_doc,
             "move_rows(rows, labels, stress, n, d, classes, leaves, passes, threads, leaf)\n\n"
             "Lloyd passes: rows (n, d) and stress (d) float32, labels (n) and leaf (n), in and out, int32.");

static PyObject *move_rows(PyObject *self, PyObject *args)
{
    PyObject *rows, *labels, *stress, *leaf, *result = NULL;
    Py_ssize_t n, d, classes, leaves, passes, threads;
    Py_buffer v[4];
    int done;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnnnnnO", &rows, &labels, &stress, &n, &d, &classes, &leaves, &passes, &threads,
                          &leaf) ||
        !sizes_good(n, d, classes, leaves) || !sizes_good(passes, threads, 1, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n * d, 4, 0},
                     {labels, "labels", n, 4, 0},
                     {stress, "stress", d, 4, 0},
                     {leaf, "leaf", n, 4, PyBUF_WRITABLE}};
    if (take_all(want, v, 4) < 0)
        return NULL;
    if (in_range(v[1].buf, n, classes, "labels") == 0 && in_range(v[3].buf, n, leaves, "leaf") == 0) {
        lloyd_job_t job = {.rows = v[0].buf, .labels = v[1].buf, .stress = v[2].buf, .n = (size_t)n, .d = (size_t)d,
                           .classes = (size_t)classes, .leaves = (size_t)leaves, .passes = (size_t)passes,
                           .threads = (size_t)threads};
        Py_BEGIN_ALLOW_THREADS
        done = lloyd(&job, v[3].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(done);
    }
    return give_back(v, 4, result);
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

PyDoc_STRVAR(merge_leaves_doc,
             "merge_leaves(parent, sums, counts, all, d, leaves, root, cut_sums, cut_counts)\n\n"
             "parent (all) int32, sums (all, d) float64 and counts (all) int64 of the uncut leaves; fills root (all)\n"
             "int32, cut_sums (leaves, d) float64 and cut_counts (leaves) int64. See kernels.h, leaf_merge.");

// Each leaf that is cut off has a parent that is older.
static int parents_good(const int32_t *parent, Py_ssize_t all, Py_ssize_t leaves)
{
    for (Py_ssize_t i = leaves; i < all; i++)
        if (parent[i] < 0 || parent[i] >= i) {
            PyErr_Format(PyExc_ValueError, "parent[%zd] is %d; it must be in 0..%zd", i, (int)parent[i], i - 1);
            return 0;
        }
    return 1;
}

static PyObject *merge_leaves(PyObject *self, PyObject *args)
{
    PyObject *o[6], *result = NULL;
    Py_ssize_t all, d, leaves;
    Py_buffer v[6];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnnOOO", &o[0], &o[1], &o[2], &all, &d, &leaves, &o[3], &o[4], &o[5]) ||
        !sizes_good(all, d, leaves, 1))
        return NULL;
    if (leaves > all)
        return PyErr_Format(PyExc_ValueError, "leaves is %zd; there are %zd", leaves, all);
    want_t want[] = {{o[0], "parent", all, 4, 0},
                     {o[1], "sums", all * d, 8, 0},
                     {o[2], "counts", all, 8, 0},
                     {o[3], "root", all, 4, PyBUF_WRITABLE},
                     {o[4], "cut_sums", leaves * d, 8, PyBUF_WRITABLE},
                     {o[5], "cut_counts", leaves, 8, PyBUF_WRITABLE}};
    if (take_all(want, v, 6) < 0)
        return NULL;
    if (parents_good(v[0].buf, all, leaves)) {
        merge_t job = {v[0].buf, v[1].buf, v[2].buf, (size_t)all, (size_t)d, (size_t)leaves};
        Py_BEGIN_ALLOW_THREADS
        leaf_merge(&job, v[3].buf, v[4].buf, v[5].buf);
        Py_END_ALLOW_THREADS
        result = number_or_memory(0);
    }
    return give_back(v, 6, result);
}

PyDoc_STRVAR(measure_columns_doc,
             "measure_columns(rows, about, n, d, low, high, sum, square, missing)\n\n"
             "rows (n, d) and about (d) float32; fills low and high (d) float32, sum and square of x - about (d)\n"
             "float64, missing (d) int64.");

static PyObject *measure_columns_(PyObject *self, PyObject *args)
{
    PyObject *o[7];
    Py_ssize_t n, d;
    Py_buffer v[7];
    int done;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOnnOOOOO", &o[0], &o[1], &n, &d, &o[2], &o[3], &o[4], &o[5], &o[6]) ||
        !sizes_good(n, d, 1, 1))
        return NULL;
    want_t want[] = {{o[0], "rows", n * d, 4, 0},
                     {o[1], "about", d, 4, 0},
                     {o[2], "low", d, 4, PyBUF_WRITABLE},
                     {o[3], "high", d, 4, PyBUF_WRITABLE},
                     {o[4], "sum", d, 8, PyBUF_WRITABLE},
                     {o[5], "square", d, 8, PyBUF_WRITABLE},
                     {o[6], "missing", d, 8, PyBUF_WRITABLE}};
    if (take_all(want, v, 7) < 0)
        return NULL;
    column_stats_t stats = {v[2].buf, v[3].buf, v[4].buf, v[5].buf, v[6].buf};
    Py_BEGIN_ALLOW_THREADS
    done = measure_columns(v[0].buf, v[1].buf, (size_t)n, (size_t)d, &stats);
    Py_END_ALLOW_THREADS
    return give_back(v, 7, number_or_memory(done));
}

PyDoc_STRVAR(to_lattice_doc,
             "to_lattice(rows, low, factor, n, d, grid)\n\n"
             "rows (n, d) float32, low and factor (d) float64; fills grid (n, d) uint16, which all numbers must fit.");

static PyObject *to_lattice_(PyObject *self, PyObject *args)
{
    PyObject *rows, *low, *factor, *grid;
    Py_ssize_t n, d;
    Py_buffer v[4];
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnO", &rows, &low, &factor, &n, &d, &grid) || !sizes_good(n, d, 1, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n * d, 4, 0},
                     {low, "low", d, 8, 0},
                     {factor, "factor", d, 8, 0},
                     {grid, "grid", n * d, 2, PyBUF_WRITABLE}};
    if (take_all(want, v, 4) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    to_lattice(v[0].buf, v[1].buf, v[2].buf, (size_t)n, (size_t)d, v[3].buf);
    Py_END_ALLOW_THREADS
    return give_back(v, 4, number_or_memory(0));
}

PyDoc_STRVAR(fit_grid_doc,
             "fit_grid(values, weight, width, m, r, low, step)\n\n"
             "values (m, r) and weight (m) float64, width (r) uint8 in 1..16; fills low (r) int8 and step (r) uint8.");

static PyObject *fit_grid(PyObject *self, PyObject *args)
{
    PyObject *values, *weight, *width, *low, *step;
    Py_ssize_t m, r;
    Py_buffer v[5];
    int done;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOnnOO", &values, &weight, &width, &m, &r, &low, &step) || !sizes_good(m, r, 1, 1))
        return NULL;
    want_t want[] = {{values, "values", m * r, 8, 0},
                     {weight, "weight", m, 8, 0},
                     {width, "width", r, 1, 0},
                     {low, "low", r, 1, PyBUF_WRITABLE},
                     {step, "step", r, 1, PyBUF_WRITABLE}};
    if (take_all(want, v, 5) < 0)
        return NULL;
    for (Py_ssize_t j = 0; j < r; j++) {
        int bits = ((const uint8_t *)v[2].buf)[j];
        if (bits < 1 || bits > 16)
            return give_back(v, 5, PyErr_Format(PyExc_ValueError, "width[%zd] is %d; it must be in 1..16", j, bits));
    }
    Py_BEGIN_ALLOW_THREADS
    done = grid_fit(v[0].buf, v[1].buf, v[2].buf, (size_t)m, (size_t)r, v[3].buf, v[4].buf);
    Py_END_ALLOW_THREADS
    return give_back(v, 5, number_or_memory(done));
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
        !sizes_good(n, d, r + 1, outputs) || !sizes_good(hidden, steps, batch, 1))
        return NULL;
    want_t want[] = {{rows, "rows", n * d, 4, 0},
                     {truth, labelled ? "labels" : "targets", labelled ? n : n * outputs, 4, 0},
                     {weights, "weights", d * r + (r ? r : d) * hidden + (hidden + 1) * outputs + hidden, 4,
                      PyBUF_WRITABLE}};
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
                                 {"fit_grid", fit_grid, METH_VARARGS, fit_grid_doc},
                                 {"grow_tree", grow_tree, METH_VARARGS, grow_tree_doc},
                                 {"measure_columns", measure_columns_, METH_VARARGS, measure_columns_doc},
                                 {"merge_leaves", merge_leaves, METH_VARARGS, merge_leaves_doc},
                                 {"move_rows", move_rows, METH_VARARGS, move_rows_doc},
                                 {"sum_leaves", sum_leaves, METH_VARARGS, sum_leaves_doc},
                                 {"project_train", project_train_, METH_VARARGS, project_train_doc},
                                 {"to_lattice", to_lattice_, METH_VARARGS, to_lattice_doc},
                                 {NULL, NULL, 0, NULL}};
