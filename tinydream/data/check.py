"""Rows as numbers: what may be learned from, and what is refused."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.data.target import check_classes, check_numbers, refuse_measurement, task_of
from tinydream.errors import DataError

__all__ = ["blocks", "check_rows", "check_table", "float_for", "raw_dtype"]

BLOCK = 1 << 22  # bytes looked at together, so that no check copies a table

Target = NDArray[np.int32] | NDArray[np.float64]


def blocks(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The rows (n, d) as consecutive slices of some megabytes."""
    step = max(1, BLOCK // max(1, rows.itemsize * int(np.prod(rows.shape[1:]))))
    for i in range(0, len(rows), step):
        yield rows[i : i + step]


def check_table(
    X: ArrayLike, y: ArrayLike | None, target: str = "y", task: str = "auto"
) -> tuple[NDArray[Any], NDArray[Any], Target]:
    """Rows and their target as (X, classes, y).

    Classification: classes (k,), sorted; y (n,) int32, indices into them. Regression: classes
    is empty; y (n, t) float64. task: "classification", "regression", or "auto", as
    scikit-learn has it: numbers with fractions, and two-dimensional floats, are regression.

    Raises DataError for shapes that do not match, inf in X, fewer than two classes, labels
    that look like measurements or like ids, targets that are no numbers or never vary.
    """
    rows = check_rows(X)
    given = _array(y, "y")
    if task == "auto":
        floats = given.ndim == 2 and given.dtype.kind == "f"
        task = "regression" if floats or task_of(given) == "fractions" else "classification"
        if task == "classification":
            refuse_measurement(given, target)
    if given.ndim != 1 and (given.ndim != 2 or task == "classification" and given.shape[1] != 1):
        raise DataError(
            f"y has shape {given.shape}; one label a row is needed, shape (n,), or numbers of"
            " shape (n, targets)"
        )
    if len(given) != len(rows):
        raise DataError(f"X has {len(rows)} rows and y {len(given)} labels; both need as many")
    if task == "classification":
        classes, index = check_classes(given.reshape(-1), target)
        return rows, classes, index
    columns = list(given.reshape(len(given), -1).T)
    names = [target] if len(columns) == 1 else [f"{target}{j}" for j in range(len(columns))]
    return rows, np.empty(0, np.int64), check_numbers(columns, names)


def check_rows(X: ArrayLike, names: Sequence[str] = ()) -> NDArray[Any]:
    """Rows as a numeric array (n, d) without inf; `names` are used in messages.

    NaN is a missing value. Raises DataError. Integers, floats and booleans keep their dtype
    (booleans become uint8).
    """
    rows = _array(X, "X")
    if rows.ndim != 2:
        raise DataError(
            f"X has shape {rows.shape}; rows and columns, (n, d), are needed. Reshape your data:"
            " X.reshape(1, -1) for one row, X.reshape(-1, 1) for one column"
        )
    for count, what in zip(rows.shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise DataError(f"0 {what}(s) (shape={rows.shape}) while a minimum of 1 is required.")
    if rows.dtype.kind in "bO":
        rows = rows.astype(np.uint8) if rows.dtype.kind == "b" else _numbers(rows)
    if rows.dtype.kind == "c":
        raise DataError("Complex data not supported: X has complex numbers; give real columns")
    if rows.dtype.kind not in "iuf":
        raise DataError(f"X has dtype {rows.dtype}; numbers are needed: encode text as integers")
    if rows.dtype.kind == "f":
        _check_finite(rows, names)
    return rows


def raw_dtype(X: NDArray[Any]) -> tuple[str, int]:
    """The narrowest of u8, u16, i32, f32 that holds the rows exactly, and its bytes a value.

    What a device would need to hold the rows as they are. Where nothing holds them exactly
    (float64 that are not float32, wide integers) they are counted as f32, as are rows with
    missing values.
    """
    if X.size == 0:
        return "f32", 4
    if X.dtype.kind == "f" and not all(np.array_equal(b, np.rint(b)) for b in blocks(X)):
        return "f32", 4
    low, high = X.min(), X.max()
    for name, size, dtype in (("u8", 1, np.uint8), ("u16", 2, np.uint16), ("i32", 4, np.int32)):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return name, size
    return "f32", 4


def float_for(X: NDArray[Any]) -> np.dtype[Any]:
    """The narrowest float dtype that holds these numbers exactly: float32, or else float64."""
    if X.dtype.kind == "f":
        return X.dtype
    exact = X.dtype.itemsize <= 2 or X.size == 0 or max(-int(X.min()), int(X.max())) <= 2**24
    return np.dtype(np.float32 if exact else np.float64)


def _array(values: ArrayLike | None, name: str) -> NDArray[Any]:
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is a sparse matrix; a dense array is needed: use .toarray()")
    if values is None:
        raise DataError(f"this method requires {name} to be passed, but the target {name} is None")
    return np.asarray(values)


def _numbers(rows: NDArray[Any]) -> NDArray[np.float64]:
    try:
        return rows.astype(np.float64)
    except ValueError as error:
        raise DataError(f"X holds something that is not a number ({error}); encode it") from None


def _check_finite(rows: NDArray[Any], names: Sequence[str]) -> None:
    if not any(np.isinf(block).any() for block in blocks(rows)):
        return
    bad = np.isinf(rows)
    j = int(bad.any(axis=0).argmax())
    name = repr(names[j]) if names else str(j)
    raise DataError(
        f"column {name} holds inf in {int(bad[:, j].sum())} rows, first in row"
        f" {int(bad[:, j].argmax())}; leave these cells empty, or remove these rows"
    )
