"""Weights of rows, as how often each row is there."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.errors import DataError

__all__ = ["repeats"]

MOST = 4  # times as many rows as there are, when weights are no whole numbers or too large


def repeats(sample_weight: ArrayLike, n: int) -> NDArray[np.int64]:
    """Indices of n rows, each as often as it weighs.

    Whole weights that add up to at most 4 n are taken as they are; others are brought to 4 n rows
    in proportion, by systematic sampling. Raises DataError for weights that are not n finite
    numbers of 0 or more, some above 0.
    """
    weight = np.asarray(sample_weight, np.float64)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise DataError(
            f"sample_weight has shape {weight.shape}; {n} finite numbers of 0 or more are needed,"
            " one a row"
        )
    total = float(weight.sum())
    if not total > 0:
        raise DataError("sample_weight is zero everywhere; no row is left to learn from")
    whole = bool((weight % 1 == 0).all()) and total <= MOST * n
    ends = np.cumsum(weight) * (1.0 if whole else MOST * n / total)
    upto = np.rint(ends).astype(np.int64)
    return np.repeat(np.arange(n), upto - np.concatenate([[0], upto[:-1]]))
