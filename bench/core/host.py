"""The time of an epoch on this host: the core, a plain C loop, and Keras, in one run."""

import ctypes
import importlib.util
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.table import table
from bench.core.target import BUILD, HERE, do
from bench.core.workload import digits_plan
from tinydream import _core
from tinydream.network import SGD
from tinydream.plan import Plan
from tinydream.simulator import Simulator

__all__ = ["host", "page"]

ROWS, BATCH, RATE = 1000, 20, 0.05
REPEATS = 15  # of each, in turn; the fastest counts: the rest is other people's work
FLAGS = ("-O3", "-ffp-contract=off")  # as the extension is built
INNER = 5  # epochs timed at once

Epoch = Callable[[], Any]


def host() -> dict[str, Any]:
    """Milliseconds of an epoch of 1,000 rows by each contender; Keras only where it is there."""
    dreamt = digits_plan(SGD(), BATCH)
    stored = replace(dreamt, rows=replace(dreamt.rows, sigma=np.empty(0, np.uint8)))
    x, y = _drawn(dreamt)
    weights = Simulator(dreamt).weights.copy()
    contenders: dict[str, Epoch] = {
        "core, rows dreamt": _core_epoch(dreamt),
        "core, rows as stored": _core_epoch(stored),
        "plain C": _plain_epoch(weights, x, y),
    }
    if importlib.util.find_spec("keras") and importlib.util.find_spec("tensorflow"):
        contenders["Keras"] = _keras_epoch(weights, x, y)
    best = dict.fromkeys(contenders, np.inf)
    for epoch in contenders.values():
        epoch()  # once for caches and compilers
    for _ in range(REPEATS):
        for name, epoch in contenders.items():
            started = time.perf_counter()
            epoch()
            best[name] = min(best[name], (time.perf_counter() - started) / INNER)
    return {"rows": ROWS, "milliseconds": {k: round(1e3 * v, 3) for k, v in best.items()}}


def page(found: dict[str, Any]) -> str:
    """Markdown: times, and how often the core's fits into them."""
    times = found["milliseconds"]
    own = times["core, rows dreamt"]
    rows = [(name, f"{ms:.2f}", f"{ms / own:.2f}") for name, ms in times.items()]
    absent = "" if "Keras" in times else " Keras was not installed (pip install -e '.[keras]')."
    return (
        "## On a host\n\nMilliseconds for an epoch of 1,000 rows, 64-32-10, SGD, batch 20, in one"
        f" run on one machine, the fastest of {REPEATS}; plain C is `bench/core/plain.c` at -O3,"
        " over floats in memory. The core unpacks (and dreams) its rows within its time."
        f"{absent}\n\n" + table(("who", "ms", "of the core's"), rows)
    )


def _drawn(plan: Plan) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    x, y = _core.rows_draw(plan.rows.to_bytes(), 0, 0, ROWS)
    return np.frombuffer(x, np.float32).reshape(ROWS, -1), np.frombuffer(y, np.int32)


def _core_epoch(plan: Plan) -> Epoch:
    simulator = Simulator(plan)
    return lambda: simulator.train(epochs=INNER, epoch_rows=ROWS, rate=RATE)


def _plain_epoch(
    weights: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.int32]
) -> Epoch:
    made = BUILD / "plain.so"
    made.parent.mkdir(parents=True, exist_ok=True)
    source = str(HERE / "plain.c")
    do(["cc", "-std=c99", *FLAGS, "-shared", "-fPIC", source, "-o", str(made), "-lm"])
    call = ctypes.CDLL(str(made)).plain_epoch
    arrays = (weights.copy(), x, y)  # kept by epoch, which hands out where they lie

    def epoch() -> None:
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in arrays]
        for _ in range(INNER):
            call(*pointers, ROWS, BATCH, ctypes.c_float(RATE))

    return epoch


def _keras_epoch(
    weights: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.int32]
) -> Epoch:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import keras
    first, second = keras.layers.Dense(32, "relu"), keras.layers.Dense(10)
    model = keras.Sequential([keras.Input((64,)), first, second])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(RATE), loss)
    w1, b1, w2, b2 = np.split(weights, np.cumsum([2048, 32, 320]))
    model.set_weights([w1.reshape(32, 64).T, b1, w2.reshape(10, 32).T, b2])
    options = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    return lambda: model.fit(x, y, epochs=INNER, **options)
