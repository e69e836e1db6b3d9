"""How each column of an array becomes a plane of unsigned integers, exactly."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core

__all__ = ["COLUMN", "KINDS", "fit_columns"]

KINDS = ("integer", "float", "decimal", "words", "mask")
INTEGER, FLOAT, DECIMAL, WORDS, MASK = range(5)

# as store.h has it
COLUMN = np.dtype(
    [
        ("kind", "u1"), ("size", "u1"), ("decimals", "u1"), ("sign", "u1"), ("width", "u1"),
        ("masked", "u1"), ("part", "<u2"), ("offset", "<u8"), ("low", "<u8"), ("missing", "<u8"),
        ("start", "<u8"), ("count", "<u8"),
    ]
)  # fmt: skip

MOST_DECIMALS = 9
FIRST = 512  # numbers of a column that tell what is worth a look at all of them
FEW = 8  # missing numbers that need no mask of their own
UNIFORM = 256  # columns of floats from which on all are held in one way
SAVED = 6  # bits of a number that are easily guessed
SHARED = 32  # columns of floats from which on one list of words may serve all


def fit_columns(rows: NDArray[Any], part: int) -> tuple[NDArray[Any], NDArray[np.uint64]]:
    """Columns (planes,) of COLUMN, masks before what they mask, and their words (w,).

    rows: (n, d) of integers or floats of 1, 2, 4 or 8 bytes, native and contiguous, n > 0.
    """
    n, d = rows.shape
    size, kind = rows.itemsize, rows.dtype.kind
    columns = np.zeros(d, COLUMN)
    columns["size"], columns["part"], columns["width"] = size, part, 64
    columns["offset"] = np.arange(d, dtype=np.uint64) * np.uint64(size)
    if kind in "iu":
        low, high = rows.min(axis=0), rows.max(axis=0)
        columns["sign"] = kind == "i"
        columns["low"] = low.astype(np.int64 if kind == "i" else np.uint64).view(np.uint64)
        columns["width"][low == high] = 0
        return columns, np.zeros(0, np.uint64)
    return _fit_floats(rows, columns)


def _fit_floats(
    rows: NDArray[Any], columns: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.uint64]]:
    shared = _common_words(rows) if rows.shape[1] >= SHARED else None
    if shared is not None:
        columns["kind"], columns["sign"], columns["count"] = WORDS, 2, len(shared)
        return columns, shared
    if rows.shape[1] >= UNIFORM and not np.isnan(rows).any():  # one way, so that models are shared
        order = _ordered(rows.reshape(-1).view(f"u{rows.itemsize}"))
        columns["kind"], columns["low"] = FLOAT, order.min()
        return columns, np.zeros(0, np.uint64)
    made, words, count = [], [np.zeros(0, np.uint64)], 0
    nan = np.isnan(rows).sum(axis=0)
    for j, column in enumerate(columns):
        if nan[j] > FEW:
            made.append(_mask(column, rows[:, j]))
        own = _fit_float(column, rows, j, count)
        words.append(own)
        count += len(own)
        made.append(column)
    return np.array(made, COLUMN), np.concatenate(words)


def _mask(column: Any, values: NDArray[Any]) -> Any:
    """A mask for the column's commonest missing number, which the column is told."""
    patterns = values[np.isnan(values)].view(f"u{values.itemsize}")
    bits, counts = np.unique(patterns, return_counts=True)
    column["masked"], column["missing"] = 1, int(bits[counts.argmax()])
    mask = column.copy()
    mask["kind"], mask["low"], mask["masked"], mask["width"] = MASK, column["missing"], 0, 1
    return mask


def _fit_float(column: Any, rows: NDArray[Any], j: int, start: int) -> NDArray[np.uint64]:
    """Fills in how the column is held; returns its words."""
    values = np.ascontiguousarray(rows[:, j])
    bits = values.view(f"u{values.itemsize}")
    if column["masked"]:
        bits = bits[bits != column["missing"]]
        values = bits.view(values.dtype)
    if not len(bits):
        column["kind"], column["width"] = FLOAT, 0
        return np.zeros(0, np.uint64)
    if values.itemsize >= 4 and (decimals := _decimals(values)) is not None:
        whole = np.rint(values[np.isfinite(values)].astype(np.float64) * 10.0**decimals)
        low = int(whole.min())
        column["kind"], column["decimals"], column["low"] = DECIMAL, decimals, low % 2**64
        column["width"] = 64 if whole.max() > low else 0
        return np.zeros(0, np.uint64)
    order = _ordered(bits)
    if len(np.unique(some := order[:: max(1, len(order) // (4 * FIRST))])) < 0.8 * len(some):
        words = np.unique(order)
        if _worth(len(words), len(order), int(words[-1] - words[0])):
            column["kind"], column["sign"] = WORDS, 2
            column["start"], column["count"] = start, len(words)
            return words
    column["kind"], column["low"] = FLOAT, int(order.min())
    column["width"] = 64 if order.max() > order.min() else 0
    return np.zeros(0, np.uint64)


def _worth(words: int, n: int, reach: int) -> bool:
    """Whether a list of words is less than what it saves."""
    wide = reach.bit_length()
    coded = max(0, wide - SAVED)
    listed = words * (2 + wide - max(1, words).bit_length())
    return 2 * words <= n and listed + n * words.bit_length() < 0.8 * n * coded


def _decimals(values: NDArray[Any]) -> int | None:
    """The decimals that hold all numbers but a few, which are exceptions."""
    size = values.itemsize
    some = np.ascontiguousarray(values[:: max(1, len(values) // FIRST)])
    some = some[np.isfinite(some)]
    if not len(some):
        return None
    nan = int(np.array(np.nan, values.dtype).view(f"u{size}"))
    told = _core.store_decimals(some, 0, size, size, len(some), nan, MOST_DECIMALS)
    if told < 0:
        return None
    found = int(_core.store_decimals(values, 0, size, size, len(values), nan, MOST_DECIMALS))
    if found >= 0:
        return found
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(values.astype(np.float64) * 10.0**told)
        again = (scaled / 10.0**told).astype(values.dtype)
    bad = int((again.view(f"u{size}") != values.view(f"u{size}")).sum())
    return told if bad * 1000 <= len(values) else None


def _common_words(rows: NDArray[Any]) -> NDArray[np.uint64] | None:
    """The distinct numbers of all columns, in order, where these are few."""
    bits = rows.reshape(-1).view(f"u{rows.itemsize}")
    some = bits[:: max(1, len(bits) // 65536)]
    if len(np.unique(some)) > len(some) // 2:
        return None
    words = np.unique(_ordered(bits))
    reach = int(words[-1] - words[0])
    return words if _worth(len(words), len(bits), reach) else None


def _ordered(bits: NDArray[Any]) -> NDArray[np.uint64]:
    """IEEE bits as unsigned integers in the order of the numbers."""
    top = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top).astype(np.uint64)
