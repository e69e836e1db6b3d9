"""What each column of a table is, and how it is put into numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinydream.data.check import blocks, float_for
from tinydream.errors import DataError

__all__ = ["CODINGS", "Column", "choose_codings", "drop_unseen", "left_out", "notes_on"]

CODINGS = ("auto", "codes", "one-hot")
# Categories that "auto" makes one-hot. On validation rows of adult at 2 and 8 KiB, codes gave
# .834 and .845, one-hot up to 5 categories .836 and .838, up to 16 .826 and .831: many inputs
# leave room for few representatives. (kddcup99: the same within .003.)
FEWEST_HOT, MOST_HOT = 3, 5
MOST_CODES = 255  # an expanded column's inputs are counted in a byte
MOST_NAMES = 5  # told in a note


@dataclass(frozen=True)
class Column:
    """A feature as it stands in a table.

    kind: "number", "boolean" (0 or 1), or "category": X holds its place in `categories`.
    coding: "number"; categories are "codes" (one input) or "one-hot" (an input each).
    """

    name: str
    kind: Literal["number", "category", "boolean"] = "number"
    categories: tuple[str, ...] = ()
    coding: Literal["number", "codes", "one-hot"] = "number"


def choose_codings(columns: Sequence[Column], categories: str) -> tuple[Column, ...]:
    """The columns with a coding each.

    categories: "codes", "one-hot", or "auto": one-hot for 3..5 categories, codes otherwise.
    Raises DataError for another word, and for one-hot of more than 255 categories.
    """
    if categories not in CODINGS:
        raise DataError(f"categories is {categories!r}; it is one of {', '.join(CODINGS)}")
    made = []
    for column in columns:
        count = len(column.categories)
        hot = FEWEST_HOT <= count <= MOST_HOT if categories == "auto" else count >= 2
        if categories == "codes" or not hot:
            coding: Literal["codes", "one-hot"] = "codes"
        elif count <= MOST_CODES:
            coding = "one-hot"
        else:
            raise DataError(
                f"column {column.name!r} has {count} categories; one-hot takes at most"
                f" {MOST_CODES}: use categories='codes', or remove the column"
            )
        made.append(replace(column, coding=coding) if column.kind == "category" else column)
    return tuple(made)


def drop_unseen(
    X: NDArray[Any], X_test: NDArray[Any], columns: Sequence[Column], recode: bool
) -> tuple[NDArray[Any], tuple[Column, ...], tuple[str, ...]]:
    """Make held-out categories that no training row has missing: (X_test, columns, notes).

    recode: the remaining categories are counted anew, in X as well, which is changed in place.
    """
    made, notes = list(columns), []
    for j, column in enumerate(columns):
        if column.kind != "category":
            continue
        size = len(column.categories)
        seen = _places(X[:, j], size)
        held = X_test[:, j].astype(np.float64)
        known = ~np.isnan(held)
        lost = known.copy()
        lost[known] = ~seen[held[known].astype(np.int64)]
        if lost.any():
            notes.append(
                f"{int(lost.sum())} held-out rows hold categories of {column.name!r} that no"
                " training row has: they count as missing"
            )
        code = np.cumsum(seen) - 1 if recode else np.arange(size)
        if lost.any() or not np.array_equal(code, np.arange(size)):
            held[known] = code[held[known].astype(np.int64)]
            held[lost] = np.nan
            if lost.any():
                X_test = X_test.astype(float_for(X_test), copy=False)
            X_test[:, j] = held
        if recode and not seen.all():
            filled = ~np.isnan(X[:, j])
            X[filled, j] = code[X[filled, j].astype(np.int64)]
            names = tuple(name for name, s in zip(column.categories, seen, strict=True) if s)
            made[j] = replace(column, categories=names)
    return X_test, tuple(made), tuple(notes)


def _places(codes: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """Which of the codes 0..size-1 occur; NaN is none."""
    seen = np.zeros(size, bool)
    seen[codes[~np.isnan(codes)].astype(np.int64)] = True
    return seen


def notes_on(X: NDArray[Any], columns: Sequence[Column]) -> tuple[str, ...]:
    """What was decided about the columns of training rows X, a sentence each."""
    notes = []
    for coding, how in (
        ("one-hot", "one-hot, an input for each category"),
        ("codes", "codes, a number for each category in order of their names"),
    ):
        if names := [c.name for c in columns if c.coding == coding]:
            notes.append(f"{_some(names)} {_become(names)} {how}")
    missing = _missing(X)
    if missing.any():
        holes = [f"{columns[j].name!r} ({missing[j]})" for j in np.flatnonzero(missing).tolist()]
        notes.append(
            f"{int(missing.sum())} values are missing, in {_list(holes)}: the mean of the column"
            " stands in for them"
        )
    return tuple(notes)


def left_out(features: Sequence[str], kept: NDArray[np.bool_]) -> tuple[str, ...]:
    """A sentence on the features that the codec did not keep, if there are any."""
    constant = [name for name, stays in zip(features, kept, strict=True) if not stays]
    verb = "is constant and is" if len(constant) == 1 else "are constant and are"
    return (f"{_some(constant)} {verb} left out",) if constant else ()


def _missing(X: NDArray[Any]) -> NDArray[np.int64]:
    """How many values are missing in each column of X (n, d)."""
    missing = np.zeros(X.shape[1], np.int64)
    if X.dtype.kind == "f":
        for _, block in blocks(X):
            missing += np.isnan(block).sum(axis=0)
    return missing


def _list(texts: Sequence[str]) -> str:
    more = [f"{len(texts) - MOST_NAMES:,} more"] if len(texts) > MOST_NAMES else []
    return ", ".join([*texts[:MOST_NAMES], *more])


def _some(names: Sequence[str]) -> str:
    text = _list([repr(name) for name in names])
    return text if len(names) == 1 else f"{len(names):,} columns ({text})"


def _become(names: Sequence[str]) -> str:
    return "becomes" if len(names) == 1 else "become"
