"""What is learnt: two sets, a network with windows for each, and the rows it may learn from."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import tinydream as td
from bench.codec.sets import Fold, held_out, load
from tinydream.board import Board
from tinydream.network.layers import AnyLayer

__all__ = ["ALL", "KERAS", "OURS", "TASKS", "Task", "boundless", "fold_of", "network"]

ALL, KERAS = "all rows", "all rows, Keras"
# Representatives, by what the codec is told beside shape and budget.
HAAR: dict[str, Any] = {"domain": "haar", "noise": 1.5}
OURS: dict[str, dict[str, Any]] = {
    "representatives": {},
    "the same, Haar": HAAR,
    "the same, Haar, 1 bit": HAAR | {"bits": 1},
}
QUICK = 10  # times fewer updates, and so many fewer rows


@dataclass(frozen=True)
class Task:
    """A set, and how long everyone learns it.

    shape: of a row as the codec is told it. epochs: over as many rows as there are to train on;
    everyone makes as many updates. rates: of which rows held out of training choose one an arm.
    """

    set: str
    title: str
    shape: tuple[int, ...]
    arms: tuple[str, ...]
    optimizer: td.SGD | td.Adam
    rates: tuple[float, ...]
    epochs: int
    batch: int
    budget: int = 32768
    quick: bool = False

    def updates(self, rows: int) -> int:
        """Of so many rows."""
        return self.epochs * rows // self.batch


SIGNAL = "geotec_har_watch"
ADAM, SGD = td.Adam(), td.SGD()
TASKS = (
    Task(
        SIGNAL,
        "50x6: conv1d 16 5/2, conv1d 16 5/2, global average pool, dense 5",
        (50, 6),
        (*OURS, "random rows, 8 bits", "random rows, 4 bits", ALL, KERAS),
        *(ADAM, (1e-3, 3e-3, 1e-2)),
        *(30, 16),
    ),
    Task(
        "mnist",
        "28x28: conv 8 3x3/2, conv 16 3x3/2, dense 10",
        (28, 28),
        (
            *OURS,
            *(f"{kind}, {bits} bits" for kind in ("random rows", "k-means") for bits in (8, 2)),
            ALL,
        ),
        *(SGD, (0.02, 0.05, 0.1)),
        *(1, 8),
    ),
)


def network(task: Task, classes: int) -> td.Network:
    """The layers that the task's title tells; `same` padding, ReLU between them."""
    body: list[AnyLayer] = []
    filters, size = ((16, 16), 5) if task.set == SIGNAL else ((8, 16), 3)
    for each in filters:
        body += [td.Conv(each, size, 2, "same"), td.Relu()]
    body.append(td.GlobalAveragePool() if task.set == SIGNAL else td.Flatten())
    shape = task.shape if task.set == SIGNAL else (*task.shape, 1)
    layers = [*body, td.Dense(classes), td.Softmax()]
    return td.Network(layers, task.optimizer, shape=shape)


def fold_of(task: Task, held: bool) -> Fold:
    """The set's rows; held: scored on a part of its training rows, test rows left out."""
    fold = held_out(task.set) if held else load(task.set)
    if not task.quick:
        return fold
    few, groups = slice(None, None, QUICK), fold.groups
    groups = None if groups is None else groups[few]
    return replace(fold, X=fold.X[few], y=fold.y[few], groups=groups)


@cache
def boundless(board: str) -> Board:
    """A board with memory for all rows."""
    made = td.load_board(board)
    return replace(made, regions=tuple(replace(r, bytes=2**33) for r in made.regions))
