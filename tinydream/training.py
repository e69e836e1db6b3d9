"""What a training run is told (knobs) and what it tells (metrics), on every port."""

from dataclasses import asdict, dataclass
from typing import Any

from tinydream.errors import InputError

__all__ = ["Knobs", "Metrics"]


@dataclass(frozen=True)
class Knobs:
    """Run-time knobs; they are not part of the plan.

    epochs: 1 or more. rate: learning rate. seed: order and deviations of drawn rows.
    weights_seed: initial weights. epoch_rows: rows an epoch, 0 for as many as the
    representatives stand for. Raises InputError for a value out of range.
    """

    epochs: int = 20
    rate: float = 3e-3
    seed: int = 0
    weights_seed: int = 0
    epoch_rows: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("seed", 0), ("weights_seed", 0), ("epoch_rows", 0)):
            value = getattr(self, name)
            if not least <= value < 2**32:
                raise InputError(f"{name} must lie in {least}..4294967295, not {value}")
        if not 0 < self.rate < float("inf"):
            raise InputError(f"the rate must be a finite number above 0, not {self.rate}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Metrics:
    """What one epoch came to.

    step: updates so far. rows: drawn in this epoch, `correct` of them predicted right before
    the update they took part in. loss: their mean. ticks: spent training, in the port's unit.
    """

    epoch: int
    step: int
    rows: int
    correct: int
    loss: float
    ticks: int = 0

    @property
    def accuracy(self) -> float:
        return self.correct / self.rows
