"""Some rows of all planes, looked at once: classes, differences, and how planes go together."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinydream.store.sight import thresholds_of

__all__ = ["CLASSES", "Sample"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Classes = tuple[tuple[int, ...], NDArray[np.uint8]]

CLASSES = 16  # of a quantity
WIDEST = 1 << 44  # numbers that least squares is good for


class Sample:
    """Planes (p, s) of integers, runs of `step` rows, that stand for `scale` times as many."""

    def __init__(self, planes: NDArray[np.uint64], step: int, scale: float) -> None:
        self.step, self.scale = step, scale
        self.rows = [planes.view(np.int64)]  # as they are, and one, two, three rows before
        for back in (1, 2, 3):
            moved = np.zeros_like(self.rows[0])
            moved[:, back:] = self.rows[0][:, :-back]
            for k in range(back):
                moved[:, k::step] = 0
            self.rows.append(moved)
        self._classes: dict[tuple[str, int], Classes] = {}

    @cached_property
    def numbers(self) -> tuple[F64, F64, F64]:
        """For least squares: (3, p, s) numbers and those of the two rows before, outliers cut off,
        less their middle; the middles (p,); and which planes are narrow enough."""
        x = self.rows[0].view(np.uint64).astype(np.float64)
        ordered = np.sort(x[:, :: max(1, x.shape[1] // 512)], axis=1)
        at = ordered.shape[1]
        low, middle, high = (ordered[:, int(at * q)] for q in (0.01, 0.5, 0.99))
        narrow = self.rows[0].view(np.uint64).max(axis=1) < WIDEST
        reach = 2 * (high - low)[:, None]
        x -= middle[:, None]
        np.clip(x, (low - middle)[:, None] - reach, (high - middle)[:, None] + reach, out=x)
        lags = np.zeros((3, *x.shape))
        lags[0] = x
        for back in (1, 2):
            lags[back, :, back:] = x[:, :-back]
            for k in range(back):
                lags[back, :, k :: self.step] = 0
        return lags, middle, narrow

    @cached_property
    def alike(self) -> F64:
        """(p, p) size of the correlation of two planes."""
        x = self.numbers[0][0]
        size = np.sqrt(np.einsum("ij,ij->i", x, x))
        size[size == 0] = np.inf
        return np.asarray(np.abs(x @ x.T / size[:, None] / size))

    def near(self, plane: int, most: int) -> list[int]:
        """Earlier planes, those most like this one first."""
        order = np.argsort(-self.alike[plane, :plane], kind="stable")
        return [int(k) for k in order[:most]]

    def classes(self, kind: str, plane: int) -> Classes:
        """Limits and classes (s,) of a plane's numbers (value), of those a row before (last), of
        their change (change), of the change of the two rows before (unrest)."""
        found = self._classes.get((kind, plane))
        if found is None:
            self._classes[kind, plane] = found = self._classify(kind, plane)
        return found

    def _classify(self, kind: str, plane: int) -> Classes:
        if kind == "last":
            limits, found = self.classes("value", plane)
            moved = np.zeros_like(found)
            moved[1:] = found[:-1]
            moved[:: self.step] = 0
            return limits, moved
        a, b, c, d = (rows[plane] for rows in self.rows)
        if kind == "value":
            return classify(a.view(np.uint64))
        if kind == "change":
            return classify(np.abs(a - b).view(np.uint64))
        return classify((np.abs(b - c) + np.abs(c - d)).view(np.uint64))


def classify(q: NDArray[np.uint64]) -> Classes:
    limits = thresholds_of(q, CLASSES)
    return limits, np.searchsorted(np.array(limits, np.uint64), q, "right").astype(np.uint8)
