"""Operations (dense, convolutions, pools, ...) in NumPy, from SPEC.md alone, for tests/oracle.py.

Rows are (n, numbers). Vectorised over rows, channels and filters that do not depend on each other.
"""

import itertools

import numpy as np

F = np.float32


def hash32(x):
    x = np.asarray(x, np.uint32).copy()
    with np.errstate(over="ignore"):
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x7FEB352D)
        x ^= x >> np.uint32(15)
        x *= np.uint32(0x846CA68B)
        x ^= x >> np.uint32(16)
    return x


def sizes(layer):
    """Shapes of a layer's W and b; of length 0 where it has none."""
    if layer.kind == "dense":
        return (layer.outputs, layer.inputs), (layer.outputs,)
    v = layer.window
    if layer.kind == "conv":
        return (v.filters, v.rows, v.columns, v.channels), (v.filters,)
    if layer.kind == "depthwise":
        return (v.rows, v.columns, v.channels), (v.channels,)
    if layer.kind == "batch_norm":
        return (3, v.channels), (v.channels,)
    return (0,), (0,)


def root(variance):
    return F(1) / np.sqrt(variance + F(0.001))


def dropped(layer, number, keys, x):
    """x (n, numbers) of rows with these keys, less what chance takes; a key of 0 keeps all."""
    out = x.copy()
    for row, key in enumerate(map(int, keys)):
        if key:
            base = hash32((~key + number) & 0xFFFFFFFF)
            h = hash32(base + np.arange(x.shape[1], dtype=np.uint32))
            kept = (h >> np.uint32(8)) >= np.uint32(F(layer.limit) * F(2**24))
            out[row] = np.where(kept, x[row] * (F(1) / (F(1) - F(layer.limit))), F(0))
    return out


def windows(v):
    """Each output (r, c) in order, and the taps (i, j) and inputs (p, q) of its window inside."""
    for r, c in itertools.product(range(v.out_height), range(v.out_width)):
        taps = []
        for i, j in itertools.product(range(v.rows), range(v.columns)):
            p, q = r * v.down + i - v.top, c * v.right + j - v.left
            if 0 <= p < v.height and 0 <= q < v.width:
                taps.append((i, j, p, q))
        yield r, c, taps


def forward(layer, w, b, x):
    """Inputs (n, in) to outputs (n, out)."""
    if layer.kind == "dense":
        acc = np.repeat(b[None], len(x), 0)
        for j in range(w.shape[1]):
            acc = acc + w[:, j][None] * x[:, j][:, None]
        return acc
    v = layer.window
    if layer.kind == "batch_norm":
        x = x.reshape(len(x), -1, v.channels)
        return ((x - w[0]) * (root(w[1]) * w[2]) + b).reshape(len(x), -1)
    x = x.reshape(-1, v.height, v.width, v.channels)
    y = np.zeros((len(x), v.out_height, v.out_width, v.filters), F)
    for r, c, taps in windows(v):
        if layer.kind == "max_pool":
            y[:, r, c] = np.max([x[:, p, q] for _, _, p, q in taps], 0)
            continue
        acc = y[:, r, c] + b if len(b) else y[:, r, c]
        for i, j, p, q in taps:
            if layer.kind == "conv":
                for k in range(v.channels):
                    acc = acc + w[:, i, j, k][None] * x[:, p, q, k, None]
            else:
                acc = acc + (w[i, j][None] * x[:, p, q] if len(b) else x[:, p, q])
        y[:, r, c] = acc * (F(1) / F(len(taps))) if layer.kind == "average_pool" else acc
    return y.reshape(len(x), -1)


def dense_backward(w, grads, a, d):
    """As backward."""
    for row in range(len(a)):
        some = d[row] != 0  # where it is 0 the row adds nothing, whatever the activations
        grads[0][some] = grads[0][some] + d[row][some, None] * a[row][None]
        grads[1] = grads[1] + d[row]
    acc = np.zeros_like(a)
    for o in range(d.shape[1]):
        acc = acc + w[o][None] * d[:, o][:, None]
    return acc


def norm_backward(w, grads, x, d):
    """As backward, of (places, channels); grads[0] adds what the statistics want to know, too."""
    for one, e in zip(x, d, strict=True):
        apart = one - w[0]
        grads[0] = grads[0] + [apart, apart * apart, e * (apart * root(w[1]))]
        grads[1] = grads[1] + e
    return d * (root(w[1]) * w[2])


def follow(layer, w, grad, rows):
    """Mean and variance of a batch norm, once they have followed a batch's sums."""
    v, keep = layer.window, F(layer.limit)
    share = F(1) / F(rows * v.height * v.width)
    apart = grad[0] * share
    variance = np.maximum(grad[1] * share - apart * apart, F(0))
    return w[0] + apart * (F(1) - keep), w[1] + (variance - w[1]) * (F(1) - keep)


def backward(layer, w, grads, x, d):
    """Adds to grads [dW, db]; returns what comes to the inputs, before their activation's slope."""
    if layer.kind == "dense":
        return dense_backward(w, grads, x, d)
    v = layer.window
    if layer.kind == "batch_norm":
        return norm_backward(
            w, grads, x.reshape(-1, v.channels), d.reshape(-1, v.channels)
        ).reshape(len(x), -1)
    x = x.reshape(-1, v.height, v.width, v.channels)
    d = d.reshape(-1, v.out_height, v.out_width, v.filters)
    s = np.zeros_like(x)
    for row, (r, c, taps) in itertools.product(range(len(x)), windows(v)):
        e = d[row, r, c]
        some = e != 0
        if len(grads[1]):
            grads[1] = grads[1] + e
        if layer.kind == "max_pool":
            values = np.array([x[row, p, q] for _, _, p, q in taps])
            for k, best in enumerate(values.argmax(0)):  # the first of several
                s[row, taps[best][2], taps[best][3], k] = e[k]
            continue
        for i, j, p, q in taps:
            if layer.kind == "conv":
                grads[0][some, i, j] += e[some, None] * x[row, p, q][None]
                for o in range(v.filters):
                    s[row, p, q] = s[row, p, q] + w[o, i, j] * e[o]
            elif layer.kind == "depthwise":
                grads[0][i, j, some] += e[some] * x[row, p, q, some]
                s[row, p, q] = s[row, p, q] + w[i, j] * e
            else:
                s[row, p, q] = s[row, p, q] + e * (F(1) / F(len(taps)))
    return s.reshape(len(x), -1)
