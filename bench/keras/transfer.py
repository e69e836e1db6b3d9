"""A backbone that Keras trained on some people, frozen; its head, on a device, on another one."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinydream as td
from bench.codec.sets import data_folder
from bench.windows.tasks import boundless
from tinydream.network.quiet import import_keras

__all__ = ["PEOPLE", "SETTING", "measure"]

SET, SHAPE, CLASSES = "geotec_har_watch", (50, 6), 5
BACKBONE = 14  # people 1..14
PEOPLE = tuple(range(BACKBONE + 1, 24))
LEARNT, KEPT = 0.5, 0.2  # of a new person's rows, and of the old people's that nobody learns
EPOCHS, KERAS_RATE = 40, 3e-3
BUDGET, BATCH, RATE, UPDATES = 4096, 16, 3e-3, 600
SETTING = [BACKBONE, LEARNT, KEPT, EPOCHS, KERAS_RATE, BUDGET, BATCH, RATE, UPDATES]

Rows = tuple[NDArray[Any], NDArray[Any]]


def measure(person: str, seed: int) -> dict[str, Any]:
    """Accuracy for the new person and the old ones, on rows that nobody learnt from: before, and
    after the head was trained on representatives of the new person's rows, alone or with as many
    of the old people's. The seed draws the backbone's weights, and which rows are learnt."""
    old, old_kept, model = _backbone(seed)
    X, y, who = _table()
    own = np.flatnonzero(who == int(person))
    learnt = np.random.default_rng([seed, int(person)]).permutation(own)
    cut = round(LEARNT * len(own))
    new, new_kept = (X[learnt[:cut]], y[learnt[:cut]]), (X[learnt[cut:]], y[learnt[cut:]])
    often = len(old[0]) // len(new[0])  # as many of the new person's as of the old people's
    both = np.concatenate([old[0], *[new[0]] * often]), np.concatenate([old[1], *[new[1]] * often])
    found: dict[str, Any] = {"rows": len(learnt)}
    for name, rows in {"new": new, "new and old": both}.items():
        device, plan = _device(model, rows, seed)
        before = [device.score(*part) for part in (new_kept, old_kept)]
        frozen = _frozen(plan, device)
        device.train(
            epochs=20, rate=RATE, seed=seed, fresh=False, schedule="cosine", factor=0.02,
            epoch_rows=BATCH * UPDATES // 20,
        )  # fmt: skip
        after = [device.score(*part) for part in (new_kept, old_kept)]
        same = bool(np.array_equal(_frozen(plan, device), frozen))
        found[name] = {"before": before, "after": after, "frozen": same}
    return found


def _device(model: Any, rows: Rows, seed: int) -> tuple[td.Simulator, td.Plan]:
    """A device with the model's weights that trains its head on representatives of these rows."""
    present, y = np.unique(rows[1], return_inverse=True)
    if len(present) < CLASSES:  # a class that a person never showed still has an output
        rows = _with_absent(rows, present)
    codec = td.EntroGeDe(budget_bytes=BUDGET, shape=SHAPE, projection="none").fit(*rows)
    network = td.Network.from_keras(model, codec)
    plan = td.make_plan(codec, network, board=boundless("native"), batch=BATCH)
    device = td.Simulator(plan, seed)
    assert network.weights is not None
    device.push(network.weights)
    return device, plan


def _with_absent(rows: Rows, present: NDArray[Any]) -> Rows:
    """One row of the old people's for each class that is not there."""
    X, y, who = _table()
    absent = [np.flatnonzero((y == k) & (who <= BACKBONE))[0] for k in range(CLASSES)
              if k not in present]  # fmt: skip
    return np.concatenate([rows[0], X[absent]]), np.concatenate([rows[1], y[absent]])


def _frozen(plan: td.Plan, device: td.Simulator) -> NDArray[np.float32]:
    """The weights below the head."""
    return np.array(device.weights[: plan.parameters - plan.operations[-1].parameters])


@lru_cache(maxsize=1)
def _table() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    with np.load(data_folder() / f"{SET}.npz") as file:
        parts = {name: np.concatenate([file[f"{name}_train"], file[f"{name}_test"]])
                 for name in ("x", "y", "subject")}  # fmt: skip
    X, who = parts["x"].reshape(-1, *SHAPE), parts["subject"]
    known = X[who <= BACKBONE]  # axes in units of their own spread: one unit for all columns
    X = (X - known.mean(axis=(0, 1))) / known.std(axis=(0, 1))
    return X.reshape(len(X), -1), parts["y"].astype(np.int64), who


@lru_cache(maxsize=10)
def _backbone(seed: int) -> tuple[Rows, Rows, Any]:
    """Old people's rows that were learnt, those that were not, and the model, all but its head
    frozen."""
    X, y, who = _table()
    some = np.random.default_rng(seed).permutation(np.flatnonzero(who <= BACKBONE))
    cut = round(KEPT * len(some))
    kept, learnt = some[:cut], some[cut:]
    keras = import_keras()
    keras.utils.set_random_seed(seed)
    like = keras.layers
    body: list[Any] = [like.Input((X.shape[1],)), like.Reshape(SHAPE)]
    body += [like.Conv1D(16, 5, 2, activation="relu") for _ in range(2)]
    head = like.Dense(CLASSES, "softmax")
    model = keras.Sequential([*body, like.GlobalAveragePooling1D(), head])
    model.compile(keras.optimizers.Adam(KERAS_RATE), "sparse_categorical_crossentropy")
    model.fit(X[learnt], y[learnt], batch_size=32, epochs=EPOCHS, verbose=0)
    for layer in model.layers:
        layer.trainable = layer is head
    return (X[learnt], y[learnt]), (X[kept], y[kept]), model
