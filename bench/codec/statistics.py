"""Paired differences over seeds: their mean, and a 95 % interval after Student."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Difference", "paired", "spread"]

# the 97.5 % point of Student's t with 1, 2, ... degrees of freedom
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179)
NORMAL = 1.96


@dataclass(frozen=True)
class Difference:
    """mean of a - b over seeds; low, high: where the true mean lies with 95 % confidence."""

    mean: float
    low: float
    high: float

    @property
    def below(self) -> bool:
        """a is significantly worse."""
        return self.high < 0

    @property
    def above(self) -> bool:
        """a is significantly better."""
        return self.low > 0


def paired(a: Sequence[float], b: Sequence[float]) -> Difference:
    """a, b: scores of the same seeds, two or more."""
    apart = np.asarray(a, float) - np.asarray(b, float)
    reach = spread(apart.tolist())
    mean = float(apart.mean())
    return Difference(mean, mean - reach, mean + reach)


def spread(values: Sequence[float]) -> float:
    """Half the width of the 95 % interval of their mean."""
    count = len(values)
    if count < 2:
        raise ValueError("an interval needs two seeds or more")
    student = STUDENT[count - 2] if count - 2 < len(STUDENT) else NORMAL + 2.5 / (count - 1)
    return student * float(np.std(values, ddof=1)) / math.sqrt(count)
