"""Raw units to network inputs, and to the integers that the base tree splits on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.codec.threads import each_block
from tinydream.errors import DataError, InputError
from tinydream.rows import INPUT_LIMIT, Inputs, Outputs

__all__ = ["apply_inputs", "exact_units", "fit_inputs", "fit_outputs", "lattice"]

F64 = NDArray[np.float64]

MOST_COLUMNS = 65535
MOST_CODES = 255
TOP = 65535  # of the lattice, 16 bits
HOT_GAIN = 0.0  # 0 and 1 stay as far apart; 1.0 did not help on adult
BLOCK = 1 << 17  # numbers brought to another type at a time: they stay in the cache
SAMPLE, NUMBERS = 16384, 1 << 20  # rows that quartiles are taken from, and numbers in them
SOME = 1024  # rows that tell about where a mean lies, or that a column has fractions
# Without this rule held-out rows of eeg_eye lose points; other sets do not change.
# (`scripts/bench options`)
FAR = 10.0  # standard deviations, as the quartiles tell them, from the median to an outlier
RARE = 0.01  # a larger share of a column is no outlier


@dataclass(frozen=True, eq=False)
class _Columns:
    """Of each raw column, missing values aside: range, mean, spread; and how many are missing."""

    low: F64
    high: F64
    mean: F64
    std: F64
    missing: NDArray[np.int64]


def fit_inputs(
    X: NDArray[Any],
    budget: int | None = None,
    one_hot: Sequence[int] = (),
    keep_all: bool = False,
) -> Inputs:
    """How rows X (n, d) become inputs with a standard deviation around 1; NaN is missing.

    Columns that are constant (as float32) are dropped, unless `keep_all`. One shift and gain
    serve all columns when they look like one unit, as pixels and samples do; else each column has
    its own, unless these 5 bytes a column are too much for `budget`. Gross outliers (10 standard
    deviations off the median, both told by the quartiles, and at most 1 % of a column) count as
    lying there. Columns in `one_hot` hold codes 0..k-1 and become k inputs of their own.
    A missing value becomes the mean of its column.

    Raises DataError when no column varies, or numbers are beyond float32.
    """
    columns = _measure(X)
    if not (np.isfinite(columns.low) | np.isnan(columns.low)).all() or np.isinf(columns.high).any():
        j = int((np.isinf(columns.low) | np.isinf(columns.high)).argmax())
        raise DataError(f"column {j} has numbers beyond float32 (3.4e38); scale it down")
    kept = columns.low < columns.high
    if not kept.any():
        raise DataError(f"all {len(kept)} columns are constant; nothing can be learned from them")
    if keep_all:
        columns.std[~kept] = np.median(columns.std[kept])
        kept = np.ones(len(kept), bool)
    expand = _expansions(X, columns, one_hot)
    count = int(np.maximum(expand, 1)[kept].sum(dtype=np.int64))
    if max(count, len(kept)) > MOST_COLUMNS:
        raise DataError(
            f"{max(count, len(kept))} columns are too many; a device takes at most {MOST_COLUMNS}"
        )
    mean, gain = _scales(X, columns, kept, expand)
    tight = budget is not None and _tight(5 * count, budget, columns, kept)
    one_unit = not expand[kept].any() and _one_unit(columns, kept)
    shift = mean
    if tight or one_unit:
        std = np.exp2(-gain) if expand[kept].any() else columns.std[kept]
        shift = np.array([mean.mean()])
        gain = _gain(np.sqrt([np.mean(std**2) + mean.var()]))
    fill = np.empty(0)  # a column's own shift is its mean, which is 0
    if len(shift) < count and columns.missing[kept].any():
        fill = ((mean - shift) * np.exp2(gain)).clip(-INPUT_LIMIT, INPUT_LIMIT)
    return Inputs(
        kept,
        shift.astype(np.float32),
        gain.astype(np.int8),
        expand[kept] if expand[kept].any() else np.empty(0, np.uint8),
        fill.astype(np.float32),
    )


def fit_outputs(y: F64) -> Outputs:
    """How outputs of mean 0 and variance 1 become targets (n, t)."""
    mean, tiny = y.mean(axis=0), np.finfo(np.float32).tiny
    std = np.maximum(y.std(axis=0), tiny)
    return Outputs(mean.astype(np.float32), std.astype(np.float32))


def apply_inputs(inputs: Inputs, X: NDArray[Any]) -> NDArray[np.float32]:
    """Rows (n, d) as network inputs (n, r)."""
    step = max(1, BLOCK // max(X.shape[1], inputs.columns))

    def apply(rows: slice) -> NDArray[np.float32]:
        with np.errstate(over="ignore"):
            return inputs.apply(X[rows])

    parts = each_block(apply, len(X), step)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _measure(X: NDArray[Any]) -> _Columns:
    n, d = X.shape
    with np.errstate(over="ignore"):
        some = X[:: max(1, n // SOME)].astype(np.float32)
    # sums of what is apart from about the mean: squares of large numbers would drown it
    filled = np.maximum((~np.isnan(some)).sum(axis=0), 1)
    about = (np.nansum(some, axis=0, dtype=np.float64) / filled).astype(np.float32)

    def measure(rows: slice) -> tuple[NDArray[Any], ...]:
        with np.errstate(over="ignore"):
            block = np.ascontiguousarray(X[rows], np.float32)
        low, high = np.empty(d, np.float32), np.empty(d, np.float32)
        off, square, missing = np.empty(d), np.empty(d), np.empty(d, np.int64)
        _core.measure_columns(block, about, len(block), d, low, high, off, square, missing)
        return low, high, off, square, missing

    parts = each_block(measure, n, max(1, BLOCK // d))
    lows, highs, offs, squares, absent = map(np.array, zip(*parts, strict=True))
    missing = absent.sum(axis=0)
    empty = missing == n
    low, high = (np.where(empty, np.nan, a) for a in (lows.min(axis=0), highs.max(axis=0)))
    with np.errstate(invalid="ignore", divide="ignore"):
        off = offs.sum(axis=0) / (n - missing)
        std = np.sqrt(np.maximum(squares.sum(axis=0) / (n - missing) - off**2, 0))
        columns = _Columns(low.astype(float), high.astype(float), about + off, std, missing)
    return _without_outliers(X, columns)


def _without_outliers(X: NDArray[Any], columns: _Columns) -> _Columns:
    """The columns' range, mean and spread with gross outliers moved to where they begin."""
    n, d = X.shape
    sample, enough = X, max(SOME, min(SAMPLE, NUMBERS // d))
    if n > enough:
        sample = X[np.sort(np.random.default_rng(0).choice(n, enough, replace=False))]
    low, high, mean, std = (
        a.copy() for a in (columns.low, columns.high, columns.mean, columns.std)
    )
    first, middle, third = _quartiles(sample)
    with np.errstate(invalid="ignore"):
        reach = FAR * (third - first) / 1.349
    beyond = (low < middle - reach) | (high > middle + reach)
    for j in np.flatnonzero((high > low) & (reach > 0) & beyond).tolist():
        values = X[:, j].astype(np.float64)
        values = values[~np.isnan(values)]
        if np.mean(np.abs(values - middle[j]) > reach[j]) > RARE:
            continue
        values = values.clip(middle[j] - reach[j], middle[j] + reach[j])
        low[j], high[j] = values.min(), values.max()
        mean[j], std[j] = values.mean(), values.std()
    return _Columns(low, high, mean, std, columns.missing)


def _quartiles(sample: NDArray[Any]) -> F64:
    """(3, d): of each column of (n, d), missing values aside; NaN where fewer than 4 are known."""
    ordered = np.sort(np.ascontiguousarray(sample.T), axis=1)  # NaN behind all numbers
    known = len(sample) - np.isnan(ordered).sum(axis=1)
    rank = np.array([[0.25], [0.5], [0.75]]) * np.maximum(known - 1, 0)
    below, each = rank.astype(np.intp), np.arange(len(known))
    above = np.minimum(below + 1, len(sample) - 1)
    low, high = ordered[each, below].astype(np.float64), ordered[each, above].astype(np.float64)
    part = rank - below
    with np.errstate(invalid="ignore"):  # infinite ones are refused later
        found = np.where(part > 0, low * (1 - part) + high * part, low)
    return np.where(known < 4, np.nan, found)


def _expansions(X: NDArray[Any], columns: _Columns, one_hot: Sequence[int]) -> NDArray[np.uint8]:
    """Of each raw column, how many inputs it is expanded to; 0 for none."""
    expand = np.zeros(X.shape[1], np.uint8)
    for j in one_hot:
        if not 0 <= j < X.shape[1]:
            raise InputError(f"one_hot names column {j}; there are columns 0..{X.shape[1] - 1}")
        codes = X[:, j][~np.isnan(X[:, j])]
        if not len(codes) or codes.min() < 0 or codes.max() >= MOST_CODES or (codes % 1).any():
            raise InputError(
                f"one_hot names column {j}, which does not hold codes 0..{MOST_CODES - 1}; leave it"
                " out"
            )
        expand[j] = int(codes.max()) + 1
    return np.where(columns.low < columns.high, expand, 0).astype(np.uint8)


def _gain(std: F64) -> F64:
    return np.rint(-np.log2(std + np.finfo(np.float32).tiny)).clip(-126, 126)


def _scales(
    X: NDArray[Any], columns: _Columns, kept: NDArray[np.bool_], expand: NDArray[np.uint8]
) -> tuple[F64, F64]:
    """Mean (r,) and gain (r,) of each input. An expanded column's inputs keep their size of 1."""
    mean, gain = [], []
    scale = _gain(columns.std)
    for j in np.flatnonzero(kept):
        if expand[j]:
            codes = X[:, j][~np.isnan(X[:, j])].astype(np.int64)
            share = np.bincount(codes, minlength=expand[j]) / len(codes)
            mean.append(share)
            gain.append(np.full(len(share), HOT_GAIN))
        else:
            mean.append(columns.mean[j : j + 1])
            gain.append(scale[j : j + 1])
    return np.concatenate(mean), np.concatenate(gain)


def _tight(size: int, budget: int, columns: _Columns, kept: NDArray[np.bool_]) -> bool:
    """Are scales of so many bytes too much for the budget?

    More than a quarter of it is, but where one scale would leave most columns far off or tiny a
    network hardly learns (fsdd_mfcc at 8 KiB: its loss on drawn rows stays that of guessing): then
    they may take three fifths.
    """
    mean, std = columns.mean[kept], columns.std[kept]
    usual = np.sqrt(np.mean(std**2))
    harmless = mean.std() <= 2 * usual and np.median(std) >= usual / 8
    return size > (budget // 4 if harmless else 3 * budget // 5)


def _one_unit(columns: _Columns, kept: NDArray[np.bool_]) -> bool:
    """Do these columns look like one unit? Most have a similar range, about the same level.

    Held for all image, letter and motion sets tried, and for no table of mixed units; a few
    columns may be quieter, as the pixels of a border are.
    """
    span, mean, std = (columns.high - columns.low)[kept], columns.mean[kept], columns.std[kept]
    similar = np.mean(span >= span.max() / 4) >= 0.8
    return bool(similar and mean.std() <= 2 * np.sqrt(np.mean(std**2)))


def lattice(Z: NDArray[np.float32], exact: F64) -> tuple[NDArray[np.uint16], F64]:
    """Rows Z (n, r) as 16-bit integers (n, r), and the squared size of each one's step.

    exact: (r,) the size of one where a column holds whole numbers of it, else 0. Such a column is
    taken as it is, less its minimum, if it fits; any other is spread evenly over 16 bits.
    """
    low, high = Z.min(axis=0).astype(np.float64), Z.max(axis=0).astype(np.float64)
    span, unit = np.where(high > low, high - low, 1), np.where(exact > 0, exact, 1)
    factor = np.where((exact > 0) & (span / unit <= TOP), 1 / unit, TOP / span)
    Z, grid = np.ascontiguousarray(Z, np.float32), np.empty(Z.shape, np.uint16)

    def fill(rows: slice) -> None:
        _core.to_lattice(Z[rows], low, factor, *Z[rows].shape, grid[rows])

    each_block(fill, len(Z), max(1, BLOCK // Z.shape[1]))
    return grid, factor**-2.0


def exact_units(X: NDArray[Any], inputs: Inputs) -> F64:
    """The size of one among the inputs (r,) where raw columns of X hold whole numbers, else 0."""
    times = np.maximum(inputs.expand, 1) if len(inputs.expand) else 1
    whole = np.repeat(_whole(X)[inputs.kept], times)
    return np.where(whole, np.exp2(inputs.gain.astype(np.float64)), 0)


def _whole(X: NDArray[Any]) -> NDArray[np.bool_]:
    """Which columns of X hold whole numbers only, missing values aside."""
    whole = np.ones(X.shape[1], bool)
    if X.dtype.kind == "f":
        step = max(1, BLOCK // X.shape[1])
        for rows in (slice(SOME), *(slice(i, i + step) for i in range(SOME, len(X), step))):
            left = np.flatnonzero(whole)  # few, after the first rows
            with np.errstate(over="ignore"):
                block = X[rows][:, left].astype(np.float32)
            whole[left] = ((block == np.rint(block)) | np.isnan(block)).all(axis=0)
    return whole
