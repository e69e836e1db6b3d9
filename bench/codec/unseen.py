"""A class, person or batch that the codec has not seen: held out of compression, then appended."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.codec.pack import LEVELS
from bench.codec.sets import Fold
from tinydream.codec import Representatives
from tinydream.codec.quantise import fit_levels, pack_rows, quantise, unpack_rows
from tinydream.codec.scale import apply_inputs

__all__ = ["NEW_ROWS", "scene", "with_rows"]

NEW_ROWS = 100  # labelled on the device


def scene(fold: Fold, seed: int) -> tuple[Fold, Fold, NDArray[Any], NDArray[np.int32]]:
    """What the codec sees, what is scored, and the new rows X (at most 100, d) and y.

    With groups one of them is new: half of its rows may be learned from, the other half is
    scored. Without, one class is new, and all rows that the fold scores are. Seeds take turns.
    """
    generator = np.random.default_rng([seed, 3])
    if fold.groups is None:
        held = fold.y == seed % (int(fold.y.max()) + 1)
    else:
        names = np.unique(fold.groups)
        held = fold.groups == names[seed % len(names)]
    rows = generator.permutation(np.flatnonzero(held))
    groups = None if fold.groups is None else fold.groups[~held]
    # class indices of what the codec sees may have a gap: it sorts its labels itself
    known = replace(fold, name=f"{fold.name} without {seed}", X=fold.X[~held], y=fold.y[~held])
    known = replace(known, groups=groups)
    scored = fold
    if fold.groups is not None:
        half = rows[len(rows) // 2 :]
        rows = rows[: len(rows) // 2]
        scored = replace(fold, X_score=fold.X[half], y_score=fold.y[half])
    rows = rows[:NEW_ROWS]
    return known, scored, fold.X[rows], fold.y[rows]


def with_rows(
    reps: Representatives, X: NDArray[Any], y: NDArray[np.int32], fold: Fold
) -> Representatives:
    """The representatives, and rows X (m, d) of classes y (m,) on the same grid.

    Together the new rows weigh as much as an equal share of the rows of `fold` would.
    """
    rows = reps.rows
    q, label = unpack_rows(rows)
    q_new = quantise(
        apply_inputs(reps.inputs, X).astype(np.float64), rows.low, rows.step, rows.width
    )
    classes = np.arange(int(fold.y.max()) + 1)
    label = np.concatenate([reps.classes[label], y]).astype(np.int32)
    share = max(1, round(rows.rows / len(classes) / len(X)))
    count = np.concatenate([reps.weight, np.full(len(X), share)])
    weight, level = fit_levels(count, LEVELS + 1)
    order = np.argsort(level, kind="stable")
    bits = (len(classes) - 1).bit_length()
    packed = replace(
        rows,
        label_bits=bits,
        classes=0,  # labels in place of shares, and no spread of their own
        soft_bits=0,
        spread=np.empty(0, np.uint8),
        spread_bits=0,
        levels=tuple(zip(weight.tolist(), np.bincount(level).tolist(), strict=True)),
        bits=pack_rows(np.concatenate([q, q_new])[order], label[order], rows.width, bits),
    )
    return Representatives(reps.inputs, packed, classes, reps.outputs)
