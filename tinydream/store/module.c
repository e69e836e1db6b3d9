// SPDX-License-Identifier: MIT
// module.c - the store's C for Python: buffers are checked here, and the GIL is released in each loop.
#include <stdlib.h>

#include "_core.h"
#include "store/store.h"

static const char *NAME = "tinydream.store";

static const char *const why[] = {"", "no memory", "the model is damaged", "a block is damaged", "no room"};

static PyObject *fail(int error)
{
    if (error == STORE_ENOMEM)
        return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError, why[error]);
    return NULL;
}

static int take(PyObject *object, Py_buffer *view, size_t bytes, int flags)
{
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | flags) < 0)
        return -1;
    if ((size_t)view->len >= bytes)
        return 0;
    PyErr_Format(PyExc_ValueError, "a buffer has %zd bytes; %zu are needed", view->len, bytes);
    PyBuffer_Release(view);
    return -1;
}

static void destroy(PyObject *capsule)
{
    store_close(PyCapsule_GetPointer(capsule, NAME));
}

PyDoc_STRVAR(open_doc, "store_open(model) -> (handle, planes); raises ValueError when it is damaged");
static PyObject *open_(PyObject *self, PyObject *args)
{
    Py_buffer model;
    int error;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*", &model))
        return NULL;
    store_t *store = store_open(model.buf, (size_t)model.len, &error);
    PyBuffer_Release(&model);
    if (!store)
        return fail(error);
    PyObject *handle = PyCapsule_New(store, NAME, destroy);
    return handle ? Py_BuildValue("Nn", handle, (Py_ssize_t)store->planes) : NULL;
}

PyDoc_STRVAR(encode_doc, "store_encode(handle, planes uint64 (planes, rows), rows) -> bytes");
static PyObject *encode(PyObject *self, PyObject *args)
{
    PyObject *handle, *object, *result = NULL;
    Py_ssize_t rows;
    Py_buffer planes;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOn", &handle, &object, &rows))
        return NULL;
    store_t *store = PyCapsule_GetPointer(handle, NAME);
    if (!store || take(object, &planes, 8 * store->planes * (size_t)rows, 0) < 0)
        return NULL;
    size_t room = store_room(store, (size_t)rows), used = 0;
    uint8_t *block = malloc(room);
    int error = STORE_ENOMEM;
    Py_BEGIN_ALLOW_THREADS
    if (block)
        error = store_encode(store, planes.buf, (size_t)rows, block, room, &used);
    Py_END_ALLOW_THREADS
    result = error ? fail(error) : PyBytes_FromStringAndSize((const char *)block, (Py_ssize_t)used);
    free(block);
    PyBuffer_Release(&planes);
    return result;
}

PyDoc_STRVAR(decode_doc, "store_decode(handle, block, rows, planes uint64 (planes, rows), out)");
static PyObject *decode(PyObject *self, PyObject *args)
{
    PyObject *handle, *object;
    Py_ssize_t rows;
    Py_buffer block, planes;
    int error;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*nO", &handle, &block, &rows, &object))
        return NULL;
    store_t *store = PyCapsule_GetPointer(handle, NAME);
    if (!store || take(object, &planes, 8 * store->planes * (size_t)rows, PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(&block);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    error = store_decode(store, block.buf, (size_t)block.len, (size_t)rows, planes.buf, NULL);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&block);
    PyBuffer_Release(&planes);
    if (error)
        return fail(error);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(sizes_doc, "store_sizes(handle, planes uint64 (planes, rows), rows, bits float64 (planes))");
static PyObject *sizes(PyObject *self, PyObject *args)
{
    PyObject *handle;
    Py_ssize_t rows;
    Py_buffer planes, bits;
    int error = -1;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*nw*", &handle, &planes, &rows, &bits))
        return NULL;
    store_t *store = PyCapsule_GetPointer(handle, NAME);
    if (store && (size_t)planes.len >= 8 * store->planes * (size_t)rows && (size_t)bits.len >= 8 * store->planes)
        error = store_sizes(store, planes.buf, (size_t)rows, bits.buf);
    PyBuffer_Release(&planes);
    PyBuffer_Release(&bits);
    if (error > 0)
        return fail(error);
    if (error < 0) {
        if (store)
            PyErr_SetString(PyExc_ValueError, "buffers are too small");
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tokens_doc, "store_tokens(codes, scale, price, base uint64, bits uint8, of uint16) -> (bits, tokens)");
static PyObject *tokens(PyObject *self, PyObject *args)
{
    Py_buffer v[4];
    double scale, price, cost;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*ddw*w*w*", &v[0], &scale, &price, &v[1], &v[2], &v[3]))
        return NULL;
    size_t n = (size_t)v[0].len / 8, most = (size_t)v[2].len;
    Py_BEGIN_ALLOW_THREADS
    cost = store_fit_tokens(v[0].buf, n, scale, price, &most, v[1].buf, v[2].buf, v[3].buf);
    Py_END_ALLOW_THREADS
    for (int k = 0; k < 4; k++)
        PyBuffer_Release(&v[k]);
    return cost < 0 ? PyErr_NoMemory() : Py_BuildValue("dn", cost, (Py_ssize_t)most);
}

PyDoc_STRVAR(rough_doc, "store_rough(codes uint64) -> bits");
static PyObject *rough(PyObject *self, PyObject *args)
{
    Py_buffer v;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*", &v))
        return NULL;
    double bits = store_rough(v.buf, (size_t)v.len / 8);
    PyBuffer_Release(&v);
    return PyFloat_FromDouble(bits);
}

PyDoc_STRVAR(rank_doc, "store_rank(tokens, kinds, classes uint8 (c, n), most, scale, cost (c))");
static PyObject *rank(PyObject *self, PyObject *args)
{
    Py_buffer v[3];
    Py_ssize_t kinds, most;
    double scale;
    int error;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*ny*ndw*", &v[0], &kinds, &v[1], &most, &scale, &v[2]))
        return NULL;
    size_t n = (size_t)v[0].len / 2;
    Py_BEGIN_ALLOW_THREADS
    error = store_rank(v[0].buf, n, (size_t)kinds, v[1].buf, (size_t)v[2].len / 8, (size_t)most, scale, v[2].buf);
    Py_END_ALLOW_THREADS
    for (int k = 0; k < 3; k++)
        PyBuffer_Release(&v[k]);
    if (error)
        return fail(error);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(tables_doc, "store_tables(tokens, class uint8, kinds, classes, map uint8, frequency uint16) -> tables");
static PyObject *tables(PyObject *self, PyObject *args)
{
    Py_buffer v[4];
    Py_ssize_t kinds, classes;
    size_t count = 0;
    int error;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nnw*w*", &v[0], &v[1], &kinds, &classes, &v[2], &v[3]))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    error = store_fit_tables(v[0].buf, v[1].buf, (size_t)v[0].len / 2, (size_t)kinds, (size_t)classes, v[2].buf,
                             v[3].buf, &count);
    Py_END_ALLOW_THREADS
    for (int k = 0; k < 4; k++)
        PyBuffer_Release(&v[k]);
    return error ? fail(error) : PyLong_FromSize_t(count);
}

PyDoc_STRVAR(pack_doc, "store_pack(columns, words, raw, row_bytes, rows, planes) -> (plane, row) uint32 of exceptions");
static PyObject *pack(PyObject *self, PyObject *args)
{
    Py_buffer v[4];
    Py_ssize_t row_bytes, rows;
    size_t found;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*nnw*", &v[0], &v[1], &v[2], &row_bytes, &rows, &v[3]))
        return NULL;
    size_t count = (size_t)v[0].len / sizeof(store_column_t), most = count * (size_t)rows;
    uint32_t *exceptions = malloc(8 * most + 8);
    PyObject *result = NULL;
    if (!exceptions) {
        PyErr_NoMemory();
    } else if ((size_t)v[2].len < (size_t)(row_bytes * rows) || (size_t)v[3].len < 8 * most) {
        PyErr_SetString(PyExc_ValueError, "buffers are too small");
    } else {
        Py_BEGIN_ALLOW_THREADS
        found = store_pack(v[0].buf, count, v[1].buf, v[2].buf, (size_t)row_bytes, (size_t)rows, v[3].buf, exceptions,
                           most);
        Py_END_ALLOW_THREADS
        result = PyBytes_FromStringAndSize((const char *)exceptions, (Py_ssize_t)(8 * found));
    }
    free(exceptions);
    for (int k = 0; k < 4; k++)
        PyBuffer_Release(&v[k]);
    return result;
}

typedef struct {
    Py_ssize_t parts;
    Py_buffer *view;
    uint8_t **raw;
    size_t *width;
} parts_t;

static void release_parts(parts_t *p)
{
    while (p->parts--)
        PyBuffer_Release(&p->view[p->parts]);
    free(p->view);
    free(p->raw);
    free(p->width);
}

static int take_parts(parts_t *p, PyObject *given, Py_ssize_t rows)
{
    Py_ssize_t count = PyTuple_Size(given);
    *p = (parts_t){0, calloc((size_t)count + 1, sizeof *p->view), calloc((size_t)count + 1, sizeof *p->raw),
                   calloc((size_t)count + 1, sizeof *p->width)};
    if (!p->view || !p->raw || !p->width) {
        PyErr_NoMemory();
        return -1;
    }
    for (; p->parts < count; p->parts++) {
        Py_buffer *view = &p->view[p->parts];
        if (take(PyTuple_GetItem(given, p->parts), view, 0, PyBUF_WRITABLE) < 0)
            return -1;
        p->raw[p->parts] = view->buf;
        p->width[p->parts] = rows ? (size_t)(view->len / rows) : 0;
    }
    return 0;
}

static int fits(const store_column_t *columns, size_t count, const parts_t *p)
{
    for (size_t k = 0; k < count; k++) {
        size_t width = columns[k].part < p->parts ? p->width[columns[k].part] : 0;
        if (columns[k].size > width || columns[k].offset > width - columns[k].size)
            return 0;
    }
    return 1;
}

PyDoc_STRVAR(rows_doc, "store_rows(handle, columns, words, block, rows, parts): bytes of each part, written");
static PyObject *rows_(PyObject *self, PyObject *args)
{
    PyObject *handle, *given;
    Py_ssize_t rows;
    Py_buffer v[3];
    parts_t parts;
    (void)self;
    if (!PyArg_ParseTuple(args, "Oy*y*y*nO!", &handle, &v[0], &v[1], &v[2], &rows, &PyTuple_Type, &given))
        return NULL;
    store_t *store = PyCapsule_GetPointer(handle, NAME);
    int error = -1;
    if (store && take_parts(&parts, given, rows) == 0) {
        store_rows_t to = {v[0].buf, v[1].buf, parts.raw, parts.width};
        if (store->planes == (size_t)v[0].len / sizeof *to.columns && fits(to.columns, store->planes, &parts)) {
            Py_BEGIN_ALLOW_THREADS
            error = store_decode(store, v[2].buf, (size_t)v[2].len, (size_t)rows, NULL, &to);
            Py_END_ALLOW_THREADS
        } else {
            PyErr_SetString(PyExc_ValueError, "buffers are too small");
        }
    }
    if (store)
        release_parts(&parts);
    for (int k = 0; k < 3; k++)
        PyBuffer_Release(&v[k]);
    if (error > 0)
        return fail(error);
    return error ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(decimals_doc, "store_decimals(raw, offset, step, size, n, missing, most) -> decimals, or -1");
static PyObject *decimals(PyObject *self, PyObject *args)
{
    Py_buffer v;
    Py_ssize_t offset, step, n;
    unsigned long long missing;
    int size, most, found = -2;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*nninKi", &v, &offset, &step, &size, &n, &missing, &most))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if ((size == 4 || size == 8) && n > 0 && offset + (n - 1) * step + size <= v.len && most <= 12)
        found = store_decimals((const uint8_t *)v.buf + offset, (size_t)step, (unsigned)size, (size_t)n, missing, most);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&v);
    if (found == -2)
        PyErr_SetString(PyExc_ValueError, "sizes do not fit the buffer");
    return found == -2 ? NULL : PyLong_FromLong(found);
}

PyMethodDef store_methods[] = {{"store_open", open_, METH_VARARGS, open_doc},
                               {"store_encode", encode, METH_VARARGS, encode_doc},
                               {"store_decode", decode, METH_VARARGS, decode_doc},
                               {"store_sizes", sizes, METH_VARARGS, sizes_doc},
                               {"store_tokens", tokens, METH_VARARGS, tokens_doc},
                               {"store_rough", rough, METH_VARARGS, rough_doc},
                               {"store_rank", rank, METH_VARARGS, rank_doc},
                               {"store_tables", tables, METH_VARARGS, tables_doc},
                               {"store_pack", pack, METH_VARARGS, pack_doc},
                               {"store_rows", rows_, METH_VARARGS, rows_doc},
                               {"store_decimals", decimals, METH_VARARGS, decimals_doc},
                               {NULL, NULL, 0, NULL}};
