"""One cell: an arm's rows, a rate and a seed; the share of rows that were classified right."""

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinydream as td
from bench.codec.pack import LEVELS, Space, pack
from bench.codec.peers import CHOOSERS
from bench.codec.sets import Fold
from bench.windows.tasks import ALL, KERAS, OURS, Task, boundless, fold_of, network
from tinydream.codec import Representatives, all_rows
from tinydream.codec.scale import apply_inputs, fit_inputs
from tinydream.errors import FirmwareError
from tinydream.inputs import Outputs

__all__ = ["measure"]

LAST = 0.02  # the rate falls along half a wave to this share of it
CHOOSER = {"random rows": "random", "k-means": "k-means"}
AT_ONCE = 50  # updates a call of Keras: the same weights, sooner


def measure(task: Task, arm: str, rate: float, seed: int, held: bool) -> dict[str, Any]:
    """Score, rows and bytes; a run whose numbers ran away scores 0.

    held: scored on training rows held out, which choose the rate; otherwise on the test rows.
    """
    fold = fold_of(task, held)
    if arm == KERAS:
        score = _keras_score(task, fold, held, rate, seed)
        return {"score": score, "rows": len(fold.X), "bytes": 4 * fold.X.size, "told": ""}
    reps, told = _rows(task, arm, held, seed)
    made = network(task, len(reps.classes))
    plan = td.make_plan(reps, made, board=boundless("qemu_netduinoplus2"), batch=task.batch)
    device, score = td.Simulator(plan, seed), 0.0
    epochs = max(task.epochs, 20)  # the schedule's steps
    rows = task.batch * (task.updates(len(fold.X)) // epochs)
    course: dict[str, Any] = {"schedule": "cosine", "factor": LAST, "epoch_rows": rows}
    try:
        device.train(epochs=epochs, rate=rate, seed=seed, weights_seed=seed, **course)
        score = device.score(fold.X_score, fold.y_score)
    except FirmwareError:
        pass
    return {"score": score, "rows": reps.rows.count, "bytes": reps.nbytes, "told": told}


@lru_cache(maxsize=2)
def _space(task: Task, held: bool) -> Space:
    """Training rows with all of their columns, as inputs; the same ones for everyone but ours."""
    fold = fold_of(task, held)
    inputs = fit_inputs(fold.X, task.budget, keep_all=True)
    Z = apply_inputs(inputs, fold.X)
    classes = np.arange(int(fold.y.max()) + 1)
    return Space(inputs, Outputs(), classes, Z, fold.y, np.ones(Z.shape[1]))


@lru_cache(maxsize=8)
def _rows(task: Task, arm: str, held: bool, seed: int) -> tuple[Representatives, str]:
    """What an arm learns from, and what is to be told of it."""
    if arm in OURS:
        return _ours(task, arm, held)
    if arm == ALL:
        return _all(task, held), ""
    kind, _, bits = arm.partition(", ")
    space = _space(task, held)
    width = space.width(int(bits.split()[0]), task.budget)
    room = space.room(width, task.budget, 1 if kind == "random rows" else LEVELS, sigma=False)
    return pack(space, CHOOSERS[CHOOSER[kind]](space, room, seed), width), ""


@cache
def _ours(task: Task, arm: str, held: bool) -> tuple[Representatives, str]:
    """The codec with the task's shape; the bits and deviations that it took by its own trials."""
    fold = fold_of(task, held)
    codec = td.EntroGeDe(
        budget_bytes=task.budget, shape=task.shape, projection="none", **OURS[arm]
    ).fit(fold.X, fold.y, groups=fold.groups)
    reps, place = codec.representatives_, codec.chosen_
    model = codec.trials_[place].model if place is not None else None
    told = f"{reps.rows.width.mean():.0f} bits"
    if model is not None:
        told += f", noise {model.noise:g}" + (", Haar" if model.axes else "")
        told += f", spread by {model.spread}" if model.spread != "none" else ""
        told += f", {model.rank} factors" if model.rank else ""
    return reps, told


@cache
def _all(task: Task, held: bool) -> Representatives:
    space, fold = _space(task, held), fold_of(task, held)
    few = pack(space, CHOOSERS["stratified"](space, len(space.classes), 0), np.array([8], np.uint8))
    return all_rows(few, fold.X, fold.y)


def _keras_score(task: Task, fold: Fold, held: bool, rate: float, seed: int) -> float:
    """The network of signals in Keras: all rows in float32, the same schedule and batches."""
    keras, space = _keras(), _space(task, held)
    keras.utils.set_random_seed(seed)
    like = keras.layers
    convolution = {"strides": 2, "padding": "same", "activation": "relu"}
    model = keras.Sequential(
        [
            like.Input(task.shape),
            like.Conv1D(16, 5, **convolution),
            like.Conv1D(16, 5, **convolution),
            like.GlobalAveragePooling1D(),
            like.Dense(len(space.classes)),
        ]
    )
    fall = keras.optimizers.schedules.CosineDecay(rate, task.updates(len(fold.X)), LAST)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(fall), loss, steps_per_execution=AT_ONCE)
    x = space.Z.reshape(-1, *task.shape)
    model.fit(x, space.label, batch_size=task.batch, epochs=task.epochs, verbose=0)
    scored: NDArray[np.float32] = apply_inputs(space.inputs, fold.X_score)
    found = model.predict(scored.reshape(-1, *task.shape), 512, verbose=0)
    return float(np.mean(found.argmax(axis=1) == fold.y_score))


@cache
def _keras() -> Any:
    """Keras on one thread and the CPU."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras
