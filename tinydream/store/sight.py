"""Planes of integers as a decoder sees them: any number by reference, guesses, classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.store.model import Context, Model, Ref, Tap

__all__ = ["Sight", "thresholds_of"]

U16 = NDArray[np.uint16]
U64 = NDArray[np.uint64]

HERE = Ref(0, 0)


class Sight:
    """Some planes of (p, s), one after the other.

    step: rows a block; what a reference finds before a block, or before the first plane, is 0.
    """

    def __init__(self, planes: U64, step: int, which: Sequence[int]) -> None:
        self.planes, self.step, self.which = planes, step, np.array(which, np.intp)
        self._found: dict[Ref, U64] = {}

    def at(self, ref: Ref) -> U64:
        """(n,) the number that `ref` means, for each number of the plane."""
        found = self._found.get(ref)
        if found is None:
            self._found[ref] = found = self._look(ref)
        return found

    def _look(self, ref: Ref) -> U64:
        where = self.which - ref.plane
        if len(where) == 1 and where[0] >= 0:
            plane = self.planes[where[0] :][:1]
        else:
            plane = self.planes[np.maximum(where, 0)]
            plane[where < 0] = 0
        if not ref.row:
            return plane.reshape(-1)
        moved = np.empty_like(plane)
        moved[..., ref.row :] = plane[..., : -ref.row]
        for k in range(ref.row):
            moved[..., k :: self.step] = 0
        return moved.reshape(-1)

    def guess(self, taps: Sequence[Tap], shift: int, bias: int) -> NDArray[np.int64]:
        total = np.full(len(self.at(HERE)), bias, np.int64)
        for tap in taps:
            there = self.at(tap.ref).view(np.int64)
            total += there if tap.weight == 1 else there * np.int64(tap.weight)
        return total >> shift if shift else total

    def codes(self, model: Model) -> U64:
        """(n,) what becomes tokens."""
        values = self.at(HERE)
        if model.mode == "direct":
            return values
        apart = values.view(np.int64) - self.guess(model.taps, model.shift, model.bias)
        return np.asarray((apart << 1) ^ (apart >> 63)).view(np.uint64)

    def quantity(self, context: Context, model: Model) -> U64:
        if context.kind == "value":
            return self.at(context.refs[0])
        if context.kind == "guess":
            guess = self.guess(model.taps, model.shift, model.bias)
            return np.maximum(guess, 0).view(np.uint64)
        a, b, c = (self.at(ref).view(np.int64) for ref in context.refs)
        return np.asarray(np.abs(a - b) + np.abs(b - c)).view(np.uint64)

    def classes(self, model: Model) -> NDArray[np.uint8]:
        """(n,) the class of each number."""
        if model.context.kind == "none":
            return np.zeros(len(self.at(HERE)), np.uint8)
        q = self.quantity(model.context, model)
        limits = np.array(model.context.thresholds, np.uint64)
        top = int(q.max()) if len(q) else 0
        if top < min(1 << 16, 4 * len(q)):
            return _below(limits, np.arange(top + 1, dtype=np.uint64))[q]
        return _below(limits, q)


def _below(limits: U64, q: U64) -> NDArray[np.uint8]:
    return np.searchsorted(limits, q, "right").astype(np.uint8)


def thresholds_of(q: NDArray[Any], most: int) -> tuple[int, ...]:
    """Limits of at most `most` classes, about as large as each other; one a value where few."""
    ordered = np.sort(q[:: max(1, len(q) // 4096)])
    first = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    if len(first) >= most:
        cuts = ordered[np.arange(1, most) * len(ordered) // most]
        return tuple(v for v in dict.fromkeys(cuts.tolist()) if v > ordered[0])
    return tuple(ordered[first].tolist())
