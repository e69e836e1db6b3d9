"""The Haar transform that a device inverts when it dreams a row (SPEC.md, "Dreaming")."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["haar", "haar_inverse"]

F64 = NDArray[np.float64]


def haar(rows: ArrayLike, axes: Sequence[tuple[int, bool]]) -> F64:
    """Rows (n, inputs) of the shape that axes tell, (length, transformed) each, as coefficients.

    Pairs become mean (a + b) / 2 and half difference (a - b) / 2, in place, then the means again;
    one without a partner stays. Float64 (n, inputs); O(n * inputs).
    """
    v = _shaped(rows, axes)
    for axis, (length, along) in enumerate(axes, 1):
        line = np.moveaxis(v, axis, 0)  # a view
        for s in _strides(length) if along else ():
            a, b = line[: length - s : 2 * s].copy(), line[s :: 2 * s].copy()
            line[: length - s : 2 * s], line[s :: 2 * s] = (a + b) / 2, (a - b) / 2
    return v.reshape(len(v), -1)


def haar_inverse(rows: ArrayLike, axes: Sequence[tuple[int, bool]]) -> F64:
    """Coefficients (n, inputs) as `haar` gives them back to rows, float64 (n, inputs)."""
    v = _shaped(rows, axes)
    for axis, (length, along) in enumerate(axes, 1):
        line = np.moveaxis(v, axis, 0)
        for s in reversed(_strides(length)) if along else ():
            mean, half = line[: length - s : 2 * s].copy(), line[s :: 2 * s].copy()
            line[: length - s : 2 * s], line[s :: 2 * s] = mean + half, mean - half
    return v.reshape(len(v), -1)


def _shaped(rows: ArrayLike, axes: Sequence[tuple[int, bool]]) -> F64:
    values = np.array(rows, np.float64)  # a copy, to work in
    return values.reshape(len(values), *(length for length, _ in axes))


def _strides(length: int) -> list[int]:
    return [1 << level for level in range((length - 1).bit_length())]
