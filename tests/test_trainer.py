"""The trained projection, against the same written in NumPy."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests import oracle
from tinydream import _core
from tinydream.codec.trainer import train_net

F = np.float32


def product(left, right):
    """(m, k) by (k, n), added in ascending order, as float32."""
    total = np.zeros((left.shape[0], right.shape[1]), F)
    for p in range(left.shape[1]):
        total = total + left[:, p : p + 1] * right[p]
    return total


def columns(values):
    return product(np.ones((1, len(values)), F), values)[0]


def uniform(key, first, rows, columns):
    number = oracle.hash32(key + np.arange(first, first + rows * columns, dtype=np.uint32)) >> 8
    limit = np.sqrt(F(6) / F(rows + columns))
    return ((number.astype(np.int32) - (1 << 23)).astype(F) * F(2**-23) * limit).reshape(rows, -1)


def gradients(weights, x, y, kind):
    A, W1, b1, W2, b2 = weights
    p = product(x, A) if A.size else x
    a = np.maximum(product(p, W1) + b1, F(0))
    o = product(a, W2) + b2
    slope = (oracle.softmax_loss if kind == "labels" else oracle.mse_loss)(o, y)[0]
    slope = slope * (F(1) / F(len(x)))
    da = np.where(a > 0, product(slope, W2.T), F(0))
    dA = product(x.T, product(da, W1.T)) if A.size else A
    return dA, product(p.T, da), columns(da), product(a.T, slope), columns(slope)


def slow_train(Z, y, outputs, A, hidden, steps, batch, rate, seed, decay):
    key, order = oracle.base(seed, 1), oracle.base(seed, 2)
    r = A.shape[1] or A.shape[0]
    W1, W2 = uniform(key, 0, r, hidden), uniform(key, r * hidden, hidden, outputs)
    weights = [A, W1, np.zeros(hidden, F), W2, np.zeros(outputs, F)]
    mean, square = ([np.zeros_like(w) for w in weights] for _ in range(2))
    power1 = power2 = F(1)
    for step in range(steps):
        numbers = oracle.hash32(
            order + np.arange(step * batch, (step + 1) * batch, dtype=np.uint32)
        )
        drawn = (numbers.astype(np.uint64) * len(Z)) >> np.uint64(32)
        done = F(step) / F(steps)
        now = F(rate) * (F(1) - done * done * (F(3) - F(2) * done))
        power1, power2 = power1 * F(0.9), power2 * F(0.999)
        alpha = now * np.sqrt(F(1) - power2) / (F(1) - power1)
        kind = "labels" if y.ndim == 1 else "targets"
        for i, slope in enumerate(gradients(weights, Z[drawn], y[drawn], kind)):
            slope = slope + F(decay) * weights[i]
            mean[i] = mean[i] + (slope - mean[i]) * (F(1) - F(0.9))
            square[i] = square[i] + (slope * slope - square[i]) * (F(1) - F(0.999))
            weights[i] = weights[i] - (mean[i] * alpha) / (np.sqrt(square[i]) + F(1e-8))
    return weights


@pytest.mark.parametrize("n, d, r, hidden, batch", [(50, 5, 2, 8, 16), (90, 19, 9, 13, 11)])
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_the_projection_is_the_one_of_the_slow_way(n, d, r, hidden, batch, kind):
    rng = np.random.default_rng(n)
    Z, A = rng.standard_normal((n, d), F), rng.standard_normal((d, r)).astype(F)
    y = rng.integers(0, 3, n).astype(np.int32) if kind == "labels" else Z[:, :3] * F(0.5)
    slow = slow_train(Z, y, 3, A, hidden, 9, batch, 3e-3, 7, 1e-4)
    before = A.copy()
    fast = train_net(
        Z, y, 3 if kind == "labels" else 0, A, hidden, 9, batch, rate=3e-3, seed=7, decay=1e-4
    )
    assert all(map(np.array_equal, fast.weights, slow)) and np.array_equal(A, before)
    outputs = np.maximum(Z @ slow[0] @ slow[1] + slow[2], 0) @ slow[3] + slow[4]
    assert np.allclose(fast.outputs(Z), outputs, atol=1e-5)


@pytest.mark.parametrize("n, d, hidden", [(50, 5, 8), (90, 19, 13)])
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_a_network_without_a_projection_is_the_one_of_the_slow_way(n, d, hidden, kind):
    rng = np.random.default_rng(n)
    Z, none = rng.standard_normal((n, d), F), np.empty((d, 0), F)
    y = rng.integers(0, 3, n).astype(np.int32) if kind == "labels" else Z[:, :3] * F(0.5)
    slow = slow_train(Z, y, 3, none, hidden, 9, 11, 3e-3, 7, 1e-4)
    fast = train_net(Z, y, 3 if kind == "labels" else 0, None, hidden, 9, 11, rate=3e-3, seed=7)
    assert all(map(np.array_equal, fast.weights, slow)) and fast.A.shape == (d, 0)
    outputs = np.maximum(Z @ slow[1] + slow[2], 0) @ slow[3] + slow[4]
    assert np.allclose(fast.outputs(Z), outputs, atol=1e-5)


class Job(ctypes.Structure):
    """kernels.h, project_t."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("rows", "targets", "labels")),
        *((name, ctypes.c_size_t) for name in ("n", "d", "r", "outputs", "hidden", "steps")),
        ("batch", ctypes.c_size_t),
        *((name, ctypes.c_float) for name in ("rate", "decay")),
        ("seed", ctypes.c_uint32),
    ]


@pytest.mark.needs("cc")
def test_a_machine_without_wide_vectors_trains_the_same(tmp_path):
    home = Path(__file__).parent.parent
    core, codec = home / "firmware/lib/tinydream/src", home / "tinydream/codec"
    flags = ["-shared", "-fPIC", "-O1", "-ffp-contract=off", "-Wno-psabi", "-DKERNEL_CLONES="]
    sources = [codec / "project.c", core / "td_math.c"]
    library = tmp_path / "plain.so"
    command = ["cc", "-std=c99", *flags, f"-I{core}", f"-I{codec}", *sources, "-lm", "-o", library]
    subprocess.run(command, check=True)
    rng = np.random.default_rng(4)
    Z, A = rng.standard_normal((90, 21), F), rng.standard_normal((21, 5)).astype(F)
    y = rng.integers(0, 3, 90).astype(np.int32)
    fast = train_net(Z, y, 3, A, 18, 7, 12, rate=3e-3, seed=7)
    weights = np.concatenate([A.ravel(), np.zeros(sum(w.size for w in fast.weights[1:]), F)])
    sizes = (90, 21, 5, 3, 18, 7, 12, 3e-3, 1e-4, 7)
    job = Job(Z.ctypes.data, None, y.ctypes.data, *sizes)
    plain = ctypes.CDLL(str(library)).project_train
    assert plain(ctypes.byref(job), ctypes.c_void_p(weights.ctypes.data)) == 0
    assert np.array_equal(weights, np.concatenate([w.ravel() for w in fast.weights]))


def test_the_projection_finds_the_columns_that_tell():
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((2000, 40), F)
    labels = (Z[:, 5] + Z[:, 17] > 0).astype(np.int32)
    A = train_net(Z, labels, 2, rng.standard_normal((40, 1)).astype(F) * F(0.1), seed=3).A
    assert set(np.argsort(np.abs(A[:, 0]))[-2:].tolist()) == {5, 17}
    one = train_net(Z, Z[:, 8], 0, np.full((40, 1), 0.1, F), seed=3).A
    assert np.abs(one[:, 0]).argmax() == 8


def test_labels_and_buffers_that_do_not_fit_are_refused():
    Z, A = np.zeros((10, 4), F), np.zeros((4, 2), F)
    with pytest.raises(ValueError, match=r"labels\[0\] is 2; it must be in 0..1"):
        train_net(Z, np.full(10, 2), 2, A)
    with pytest.raises(ValueError, match="targets has 36 bytes; 10 items of 4"):
        train_net(Z, np.zeros(9), 0, A)
    with pytest.raises(ValueError, match="sizes must be in 1"):
        train_net(Z, np.zeros(10), 2, A, hidden=0)
    with pytest.raises(ValueError, match="weights has 32 bytes; 53 items of 4"):
        _core.project_train(Z, np.zeros(10, F), A, 10, 4, 3, 1, False, 8, 5, 4, 0.1, 0.0, 0)
