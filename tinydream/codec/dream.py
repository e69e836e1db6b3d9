"""Rows drawn from representatives, as a device draws them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.rows import Rows

__all__ = ["dream"]


def dream(
    rows: Rows, n: int, seed: int = 0, first_pass: int = 0
) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[np.uint32]]:
    """The first n rows of the stream from this pass on: inputs (n, r) float32, labels (n,) int32 or
    targets (n, t) float32, and of which representative each was drawn (n,)."""
    drawn, labels, picks = _core.rows_draw(rows.to_bytes(), seed, first_pass, n)
    x, pick = np.frombuffer(drawn, np.float32).reshape(n, -1), np.frombuffer(picks, np.uint32)
    if rows.targets:
        return x[:, : -rows.targets], x[:, -rows.targets :], pick
    return x, np.frombuffer(labels, np.int32), pick
