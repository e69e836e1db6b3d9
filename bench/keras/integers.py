"""A trained network as an int8 .tflite, calibrated on drawn rows and on all training rows."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import tinydream as td
from bench.codec.sets import SHAPES, Fold, load
from bench.windows.tasks import boundless
from tinydream.carry import CALIBRATION
from tinydream.codec import Representatives
from tinydream.keras import open_model, write_model
from tinydream.network.layers import AnyLayer

__all__ = ["SETS", "SETTING", "measure"]

SETS = ("letter", "cwru_bearing48k", "geotec_har_watch", "fsdd_mfcc", "mnist")
BUDGET, BATCH, RATE, EPOCHS = 32768, 32, 3e-3, 20
SETTING = [BUDGET, BATCH, RATE, EPOCHS, CALIBRATION]


def measure(name: str, seed: int) -> dict[str, Any]:
    """Accuracy on the test rows: of the device's network, and of both integer models.

    The seed draws weights, training rows and the rows of calibration.
    """
    fold, reps = load(name), _representatives(name)
    plan = td.make_plan(reps, _network(name, fold), board=boundless("native"), batch=BATCH)
    device = td.Simulator(plan, seed)
    rows = BATCH * (fold.facts.steps // EPOCHS)
    course: dict[str, Any] = {"schedule": "cosine", "factor": 0.02, "epoch_rows": rows}
    device.train(epochs=EPOCHS, rate=RATE, seed=seed, weights_seed=seed, **course)
    test = reps.inputs.apply(fold.X_score)
    drawn = reps.sample(CALIBRATION, seed)[0]
    every = reps.inputs.apply(fold.X)
    scores = {"float32": device.score(fold.X_score, fold.y_score)}
    for kind, samples in {"representatives": drawn, "all rows": every}.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            write_model(path, plan, device.weights, quantise="int8", samples=samples)
            found = open_model(path).predict(test)
            size = path.stat().st_size
        scores[kind] = float(np.mean(found.argmax(axis=1) == fold.y_score))
    return scores | {"rows": len(every), "drawn": len(drawn), "bytes": size}


@lru_cache(maxsize=1)
def _representatives(name: str) -> Representatives:
    fold, shape = load(name), SHAPES.get(name)
    codec = td.EntroGeDe(budget_bytes=BUDGET, shape=shape, projection="none" if shape else "auto")
    return codec.fit(fold.X, fold.y, groups=fold.groups).representatives_


def _network(name: str, fold: Fold) -> td.Network:
    """Two convolutions where rows have a shape, else 32 hidden units."""
    classes, shape = int(fold.y.max()) + 1, SHAPES.get(name)
    if shape is None:
        return td.Network.mlp([32], classes, td.Adam())
    picture = len(shape) == 2 and shape[1] == shape[0]
    body: list[AnyLayer] = []
    for filters in (8, 16) if picture else (16, 16):
        body += [td.Conv(filters, 3 if picture else 5, 2, "same"), td.Relu()]
    like = (*shape, 1) if picture else shape
    return td.Network((*body, td.Flatten(), td.Dense(classes), td.Softmax()), td.Adam(), shape=like)
