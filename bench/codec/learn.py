"""What learns: the network on the C core, and models of other families on the same rows."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinydream as td
from bench.codec.cnn import fit_cnn
from bench.codec.sets import Fold
from tinydream.board import Board
from tinydream.codec import Representatives
from tinydream.errors import FirmwareError

__all__ = [
    "HIDDEN",
    "LEARNERS",
    "RATES",
    "fit_model",
    "score_of",
    "score_outputs",
    "simulator",
    "train",
]

BATCH, HIDDEN = 32, 32
RATES = (1e-3, 3e-3, 1e-2)  # of Adam
LAST, SLOWER = 4, 0.1  # the last quarter of the updates is made at a tenth of the rate
DRAWN = 20_000  # rows that models without a stream learn from


@cache
def _boundless() -> Board:
    """The native board with memory for all rows."""
    board = td.load_board("native")
    return replace(board, regions=tuple(replace(r, bytes=2**33) for r in board.regions))


def simulator(reps: Representatives, fold: Fold, hidden: int = HIDDEN) -> td.Simulator:
    """A device with one hidden layer, to be trained on these rows."""
    outputs = len(reps.classes) or reps.rows.targets
    network = td.Network.mlp([hidden], outputs, td.Adam(), task=fold.task)
    return td.Simulator(td.make_plan(reps, network, board=_boundless(), batch=BATCH))


def train(device: td.Simulator, steps: int, rate: float, seed: int) -> bool:
    """So many updates from the initial weights of `seed`; False when the loss got lost."""
    last = steps // LAST
    try:
        rows = BATCH * (steps - last)
        device.train(epochs=1, epoch_rows=rows, rate=rate, seed=seed, weights_seed=seed)
        rows, rate = BATCH * last, SLOWER * rate
        device.train(epochs=1, epoch_rows=rows, rate=rate, seed=seed + 1000, fresh=False)
    except FirmwareError:
        return False
    return True


def score_of(device: td.Simulator, fold: Fold) -> float:
    """Share of rows classified right, or R2, on the rows that are scored on."""
    return device.score(fold.X_score, fold.y_score)


def score_outputs(found: NDArray[Any], fold: Fold) -> float:
    """The same for class indices (n,), or targets in raw units (n,)."""
    if fold.task == "classification":
        return float(np.mean(found == fold.y_score))
    rest, spread = fold.y_score - found, fold.y_score - fold.y_score.mean()
    return float(1 - rest @ rest / (spread @ spread))


def _linear(reps: Representatives, fold: Fold, strength: float, seed: int) -> Any:
    if fold.task == "regression":
        from sklearn.linear_model import Ridge

        return Ridge(alpha=strength)
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=300)


def _boosting(reps: Representatives, fold: Fold, rate: float, seed: int) -> Any:
    import sklearn.ensemble as ensemble

    kind = "Classifier" if fold.task == "classification" else "Regressor"
    options = {"learning_rate": rate, "max_iter": 60, "random_state": seed}
    return getattr(ensemble, f"HistGradientBoosting{kind}")(**options)


def fit_model(kind: str, reps: Representatives, fold: Fold, knob: float, seed: int) -> float:
    """The score of another family of models, fitted to rows as a device would draw them."""
    if kind.startswith("cnn "):
        return fit_cnn(kind.removeprefix("cnn "), reps, fold, knob, seed)
    x, y = reps.sample(DRAWN, seed)
    X = reps.inputs.apply(fold.X_score)
    made = (_linear if kind == "linear" else _boosting)(reps, fold, knob, seed)
    if fold.task == "regression":
        found = made.fit(x, y[:, 0]).predict(X) * reps.outputs.scale[0] + reps.outputs.shift[0]
    else:
        if len(np.unique(y)) < 2:
            return fold.chance
        found = made.fit(x, y).predict(X)
    return score_outputs(found, fold)


LEARNERS = {  # and their knobs
    "linear": (0.01, 1.0, 100.0),
    "boosting": (0.03, 0.1, 0.3),
    "cnn mnist": (1e-3, 3e-3),  # of images of this set
}
