"""All that a page can show; what is absent is None or empty, and its section stays away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.board import Board
from tinydream.codec import Representatives
from tinydream.plan import Plan
from tinydream.report.elf import Linked
from tinydream.report.report import Report
from tinydream.training import Metrics

__all__ = ["Entropy", "Evidence", "Heldout", "Likeness"]


@dataclass(frozen=True, eq=False)
class Entropy:
    """How much each bit of each column tells on training rows: 0 is constant, 1 a coin.

    bits: (d,) how many a column's integers need; values: (d, most) float32, most significant
    bit first, NaN behind a column's last bit.
    """

    bits: NDArray[np.int64]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Heldout:
    """Held-out rows, as they are and as predicted: class indices (n,), or numbers (n, targets)."""

    truth: NDArray[Any]
    predicted: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Likeness:
    """What rows are like by what a projection makes of them.

    matrix: (r + 1, d), network inputs and a 1 to scaled inputs. low, high: (d,) of these.
    """

    matrix: NDArray[np.float64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of(cls, z: NDArray[np.float32], scaled: NDArray[np.float32]) -> "Likeness":
        """The least-squares fit over rows (n, r) and (n, d)."""
        ones = np.column_stack([z, np.ones(len(z))])
        matrix = np.linalg.lstsq(ones, scaled.astype(np.float64), rcond=None)[0]
        return cls(matrix, scaled.min(axis=0), scaled.max(axis=0))

    def scaled(self, z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Network inputs (n, r) as the scaled inputs (n, d) of rows like them."""
        made = np.column_stack([z, np.ones(len(z))]) @ self.matrix
        return np.asarray(made.clip(self.low, self.high), np.float32)


@dataclass(frozen=True, eq=False)
class Evidence:
    """A report and what stands behind it.

    facts: compress.json. epochs: metrics of the training that `report` is about; tick_unit: of
    their ticks. likeness: where there is a projection. linked_note: why `linked` is None, in one
    sentence; observed: bytes of RAM that the device told. commands: what one types to get there;
    provenance: further facts, text by name.
    Neither holds a path, a user or a date.
    """

    report: Report
    plan: Plan | None = None
    board: Board | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    entropy: Entropy | None = None
    epochs: tuple[Metrics, ...] = ()
    tick_unit: str = ""
    heldout: Heldout | None = None
    likeness: Likeness | None = None
    linked: Linked | None = None
    linked_note: str = "not built"
    observed: Mapping[str, int] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; none in a regression."""
        return self.plan.classes if self.plan else ()

    @property
    def regression(self) -> bool:
        """Whether numbers are predicted, so that a score is R2 and not a share of rows."""
        return self.plan is not None and not self.plan.classes

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of what is predicted, one or more."""
        return self.plan.targets if self.plan else ()

    @property
    def representatives(self) -> Representatives | None:
        """The plan's representatives; their classes are class indices."""
        if self.plan is None:
            return None
        classes = np.arange(len(self.plan.classes))
        return Representatives(self.plan.inputs, self.plan.rows, classes, self.plan.outputs)
