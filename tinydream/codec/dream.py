"""Rows drawn from representatives, as a device draws them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.rows import Rows

__all__ = ["dream", "picks"]


def dream(
    rows: Rows, n: int, seed: int = 0, first_pass: int = 0
) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """The first n rows of the stream from this pass on: inputs (n, r) float32, and labels (n,)
    int32 or targets (n, t) float32."""
    drawn, labels = _core.rows_draw(rows.to_bytes(), seed, first_pass, n)
    x = np.frombuffer(drawn, np.float32).reshape(n, -1)
    if rows.targets:
        return x[:, : -rows.targets], x[:, -rows.targets :]
    return x, np.frombuffer(labels, np.int32)


def picks(rows: Rows, n: int, seed: int = 0, first_pass: int = 0) -> NDArray[np.uint32]:
    """Of which representative each of these rows was drawn, (n,)."""
    return np.frombuffer(_core.rows_picks(rows.to_bytes(), seed, first_pass, n), np.uint32)
