"""What a training run is told (knobs) and what it tells (metrics), on every port."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.errors import InputError

__all__ = ["SCHEDULES", "Evaluation", "Knobs", "Metrics", "with_answers"]

SCHEDULES = {"constant": 0, "step": 1, "cosine": 2}


@dataclass(frozen=True)
class Knobs:
    """Run-time knobs; they are not part of the plan.

    epochs: 1 or more. rate: learning rate of the first epoch. seed: order and deviations of drawn
    rows. weights_seed: initial weights. epoch_rows: rows an epoch, 0 for as many as the
    representatives stand for. schedule: 'constant'; 'step': the rate is multiplied by `factor`
    after each `every` epochs; 'cosine': it falls to rate * factor in half a wave. patience: epochs
    without a lower validation loss that end a run, 0 for none; the plan needs validation rows.
    Raises InputError for a value out of range.
    """

    epochs: int = 20
    rate: float = 3e-3
    seed: int = 0
    weights_seed: int = 0
    epoch_rows: int = 0
    schedule: str = "constant"
    every: int = 10
    factor: float = 0.1
    patience: int = 0

    def __post_init__(self) -> None:
        least = {"epochs": 1, "every": 1}
        for name in ("epochs", "seed", "weights_seed", "epoch_rows", "every", "patience"):
            value, low = getattr(self, name), least.get(name, 0)
            if not low <= value < 2**32:
                raise InputError(f"{name} must lie in {low}..4294967295, not {value}")
        if not 0 < self.rate <= 1e6:
            raise InputError(f"the rate must be above 0 and at most 1000000, not {self.rate}")
        if self.schedule not in SCHEDULES:
            raise InputError(
                f"the schedule is one of {', '.join(SCHEDULES)}, not {self.schedule!r}"
            )
        if not 0 <= self.factor <= 1:
            raise InputError(f"a schedule's factor must lie in 0..1, not {self.factor}")

    def check(self, validation: bool) -> None:
        """Raises InputError when these knobs need validation rows and the plan has none."""
        if self.patience and not validation:
            raise InputError(
                "patience needs validation rows on the device, and the plan has none; plan with"
                " --validation"
            )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Metrics:
    """What one epoch came to.

    step: updates so far. rows: drawn in this epoch, `correct` of them predicted right before
    the update they took part in. loss: their mean. ticks: spent training, in the port's unit.
    valid_rows: the device's validation rows, 0 for none, as they are seen after the epoch. best:
    the epoch with the least valid_loss so far, 0 for none.
    """

    epoch: int
    step: int
    rows: int
    correct: int
    loss: float
    valid_rows: int = 0
    valid_correct: int = 0
    valid_loss: float = 0.0
    best: int = 0
    ticks: int = 0

    @property
    def accuracy(self) -> float:
        return self.correct / self.rows


@dataclass(frozen=True)
class Evaluation:
    """What rows came to: their mean loss, and how many were right (of targets 0)."""

    rows: int
    correct: int
    loss: float


def with_answers(columns: int, targets: int, raw: ArrayLike, y: ArrayLike) -> NDArray[np.float32]:
    """Rows (n, columns) beside their class indices (n,) or targets (n, targets): as a device takes
    them, (n, columns + 1 or targets). InputError for another shape."""
    rows, wanted = np.asarray(raw, np.float32), np.asarray(y, np.float32)
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise InputError(f"rows need {columns} features; the array given has shape {rows.shape}")
    if wanted.ndim == 1:
        wanted = wanted[:, None]
    if wanted.shape != (len(rows), targets or 1):
        what = f"{targets} targets" if targets else "one class"
        raise InputError(f"each row needs {what}; the array given has shape {wanted.shape}")
    return np.hstack([rows, wanted])
