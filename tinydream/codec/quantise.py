"""Numbers to few bits: 8-bit floats, uniform grids, packed rows, levels of weight."""

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.rows import Rows, f8_decode

__all__ = [
    "cover_grid",
    "dequantise",
    "f8_encode",
    "fit_grid",
    "fit_levels",
    "pack_rows",
    "quantise",
    "unpack_rows",
    "unpack_shares",
]

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
I8 = NDArray[np.int8]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

BLOCK = 1024  # rows packed at a time: a multiple of 8, so that a block ends with a byte
_CODES = np.arange(256, dtype=np.uint8)


def f8_encode(values: F64) -> U8:
    """The nearest 8-bit float code of each value >= 0, in ratio; 0 below half of the smallest."""
    table = f8_decode(_CODES).astype(np.float64)
    table[0] = table[1] / 4  # so that only what is below half of the smallest becomes 0
    middle = np.sqrt(table[1:] * table[:-1])
    return np.searchsorted(middle, np.asarray(values, np.float64), "left").astype(np.uint8)


def _shift(width: U8) -> NDArray[np.int64]:
    return np.maximum(np.asarray(width, np.int64) - 7, 0)


def quantise(values: F64, low: I8, step: U8, width: U8) -> U16:
    """The nearest stored integers (m, r) of values (m, r) on the grid of each column."""
    size = np.maximum(f8_decode(step).astype(np.float64), 1e-30)
    q = np.rint(values / size) - (low.astype(np.int64) << _shift(width))
    return np.asarray(np.clip(q, 0, (1 << width.astype(np.int64)) - 1), np.uint16)


def dequantise(q: U16, low: I8, step: U8, width: U8) -> F32:
    """Stored integers (m, r) as float32, as the device computes them (SPEC.md, "Dreaming").

    Nothing is rounded: low and q make 17 bits, a step has 4.
    """
    size = f8_decode(step)
    offset = (low.astype(np.int64) << _shift(width)).astype(np.float32) * size
    return np.asarray(offset + q.astype(np.float32) * size, np.float32)


def fit_grid(values: F64, weight: F64, width: U8) -> tuple[I8, U8]:
    """The low and step (r,) with the least weighted squared error for values (m, r).

    width: (r,) bits of each column. A coarse step reaches outliers and a fine one serves the
    many; which is better is tried on the values themselves, from a step that covers all down
    to one of 0.4 of that.
    """
    m, r = values.shape
    low, step = np.empty(r, np.int8), np.empty(r, np.uint8)
    values, weight = np.ascontiguousarray(values, float), np.ascontiguousarray(weight, float)
    _core.fit_grid(values, weight, np.ascontiguousarray(width, np.uint8), m, r, low, step)
    return low, step


def cover_grid(bottom: F64, top: F64, width: U8) -> tuple[I8, U8]:
    """The low and step (r,) of the finest grid that reaches from bottom (r,) to top (r,)."""
    unit, levels = 1 << _shift(width), 1 << width.astype(np.int64)
    table = f8_decode(_CODES).astype(np.float64)
    code = np.searchsorted(table, (top - bottom) / levels).clip(1, 255)
    while True:
        start = np.floor(bottom / table[code] / unit)
        short = (start * unit + levels - 0.5) * table[code] < top
        short |= (start < -128) | (start > 127)
        if not short.any() or (code[short] == 255).all():
            return start.clip(-128, 127).astype(np.int8), code.astype(np.uint8)
        code = np.where(short, np.minimum(code + 1, 255), code)


def pack_rows(q: U16, tail: NDArray[np.int32], width: U8, *tail_bits: int) -> U8:
    """Rows as bits (SPEC.md, "Plan"): integers (m, r), then labels (m,), or a tail (m, t) of
    `tail_bits` each.

    width: bits of each column (r,), or of all of them (1,).
    """
    column, place = _bit_places(width, q.shape[1], *tail_bits)
    packed = []
    for i in range(0, len(q), BLOCK):
        block = np.column_stack([q[i : i + BLOCK], tail[i : i + BLOCK].astype(np.uint16)])
        bits = (block[:, column] >> place) & 1
        packed.append(np.packbits(bits.astype(np.uint8), bitorder="little"))
    return np.concatenate(packed)


def unpack_rows(rows: Rows) -> tuple[U16, NDArray[np.int32]]:
    """The stored integers (m, r) and labels (m,) of packed rows."""
    values = _unpack(rows)
    tail = values[:, rows.columns : rows.columns + max(rows.classes, 1)]
    labels = tail.argmax(axis=1) if rows.soft_bits else tail[:, 0]
    return values[:, : rows.columns], labels.astype(np.int32)


def unpack_shares(rows: Rows) -> NDArray[np.float32]:
    """Soft targets (m, classes) of packed rows that have some; of each they add up to 1."""
    shares = _unpack(rows)[:, rows.columns : rows.columns + rows.classes].astype(np.float32)
    return np.asarray(shares * (np.float32(1) / shares.sum(axis=1, keepdims=True)))


def _unpack(rows: Rows) -> U16:
    """Every integer of each row: columns, label or shares, code of the spread."""
    column, place = _bit_places(rows.width, rows.columns, *rows.tail)
    first = np.flatnonzero(place == 0)
    values = np.zeros((rows.count, rows.columns + len(rows.tail)), np.uint16)
    for i in range(0, rows.count, BLOCK):
        count = min(BLOCK, rows.count - i) * rows.row_bits
        start = i * rows.row_bits // 8
        bits = np.unpackbits(rows.bits[start:], count=count, bitorder="little")
        parts = bits.reshape(-1, rows.row_bits).astype(np.uint16) << place
        values[i : i + BLOCK, column[first]] = np.add.reduceat(parts, first, axis=1)
    return values


def _bit_places(
    width: U8, columns: int, *tail: int
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Of each bit of a row: its column (the tail's are the last), and its place in the number."""
    widths = np.append(np.broadcast_to(width, columns).astype(np.int64), tail)
    column = np.repeat(np.arange(len(widths)), widths)
    place = np.arange(widths.sum()) - np.repeat(np.cumsum(widths) - widths, widths)
    return column, place.astype(np.uint16)


def fit_levels(counts: NDArray[np.int64], most: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Weights on few levels: (weights (levels,) ascending, level of each count).

    At most `most` levels, by least squares of log weight (exact, by dynamic programming over
    distinct counts); a level's weight is the rounded mean of its counts, so that the rows they
    stand for stay as many. With no more distinct counts than levels nothing is rounded.
    """
    distinct, place, times = np.unique(counts, return_inverse=True, return_counts=True)
    if len(distinct) <= most:
        return distinct.astype(np.int64), place
    first = _cut_levels(np.log(distinct), times.astype(np.float64), most)
    group = np.searchsorted(first, np.arange(len(distinct)), "right") - 1
    total = np.bincount(group, times * distinct)
    weight = np.rint(total / np.bincount(group, times)).astype(np.int64)
    weight, merged = np.unique(weight, return_inverse=True)
    return weight, merged[group][place]


def _cut_levels(value: F64, times: F64, groups: int) -> NDArray[np.intp]:
    """Where each of `groups` runs of sorted values begins, at the least squared error."""
    size = len(value)
    n, s, q = (np.concatenate([[0.0], np.cumsum(times * value**k)]) for k in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        # cost[a, b]: squared error of values a..b-1 around their mean
        cost = (q - q[:, None]) - (s - s[:, None]) ** 2 / (n - n[:, None])
    cost[np.tril_indices(size + 1)] = np.inf
    least, back = cost[0], []
    for _ in range(groups - 1):
        total = least[:, None] + cost
        back.append(total.argmin(axis=0))
        least = total.min(axis=0)
    first, end = [], size
    for origin in reversed(back):
        end = int(origin[end])
        first.append(end)
    return np.array([0, *reversed(first)], np.intp)
