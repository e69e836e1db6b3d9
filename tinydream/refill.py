"""Other rows in the place of representatives: the same plan, but for what it holds."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.codec.quantise import pack_rows, quantise
from tinydream.codec.scale import apply_inputs
from tinydream.data import check_rows
from tinydream.errors import DataError, InputError
from tinydream.plan import Plan, Rows

__all__ = ["refilled"]

U8 = NDArray[np.uint8]


def refilled(plan: Plan, X: ArrayLike, y: ArrayLike, seed: int = 0) -> Plan:
    """The plan with rows of X, y in the place of representatives, which `Device.refill` pushes.

    X: (n, features) in raw units. y: (n,) class indices, or (n, targets). Of more rows than there
    are representatives a random part is taken; of fewer, random representatives are replaced. Each
    counts as often as the one whose place it takes, and is dreamt with the same deviations.
    Raises InputError when the plan has its representatives in flash, DataError for rows that do
    not fit it.
    """
    if not plan.refill:
        raise InputError("this plan's representatives lie in flash; plan with --refill")
    rng, rows = np.random.default_rng(seed), plan.rows
    values, labels = _in_units(plan, X, y)
    chosen = rng.permutation(len(values))[: rows.count]
    places = np.sort(rng.permutation(rows.count)[: len(chosen)])
    all_columns = np.zeros(rows.columns, int) if len(rows.width) == 1 else np.arange(rows.columns)
    grid = (rows.low[all_columns], rows.step[all_columns], rows.width[all_columns])
    q = quantise(values[chosen].astype(np.float64), *grid)
    tail = _tail(rows, labels[chosen], places)
    own = _bits(rows.bits, rows.count, rows.row_bits)
    own[places] = _bits(pack_rows(q, tail, rows.width, *rows.tail), len(q), rows.row_bits)
    packed = np.packbits(own, axis=None, bitorder="little")
    return replace(plan, rows=replace(rows, bits=packed))


def _in_units(
    plan: Plan, X: ArrayLike, y: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows as the network sees them, targets behind inputs, (n, columns); labels (n,), or 0."""
    raw, given = check_rows(X), np.asarray(y)
    if raw.shape[1] != plan.inputs.raw_columns:
        raise DataError(f"X has {raw.shape[1]} features and the plan {plan.inputs.raw_columns}")
    count = len(plan.classes)
    wanted = (len(raw), plan.rows.targets) if plan.rows.targets else (len(raw),)
    if given.shape != wanted:
        raise DataError(f"y has shape {given.shape}; {wanted} is needed for these rows")
    Z = apply_inputs(plan.inputs, raw)
    if plan.rows.targets:
        if not np.isfinite(given).all():
            raise DataError("y holds what is not a finite number; mend these rows")
        scaled = (given - plan.outputs.shift) / plan.outputs.scale
        return np.hstack([Z, scaled.astype(np.float32)]), np.zeros(len(Z), np.int64)
    if given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= count:
        raise DataError(f"y holds {given.min()}..{given.max()}; class indices are 0..{count - 1}")
    return Z, given.astype(np.int64)


def _tail(rows: Rows, labels: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """What stands behind a row's columns: its label, or all of its class's share; and the code of
    a spread, which is that of the row before."""
    if rows.soft_bits:
        full = (1 << rows.soft_bits) - 1
        head = full * (labels[:, None] == np.arange(rows.classes))
    else:
        head = labels[:, None]
    old = _bits(rows.bits, rows.count, rows.row_bits)[places, rows.row_bits - rows.spread_bits :]
    code = old @ (1 << np.arange(rows.spread_bits))
    return np.column_stack([head, code]).astype(np.int32)


def _bits(packed: U8, count: int, row_bits: int) -> U8:
    bits = np.unpackbits(packed, count=count * row_bits, bitorder="little")
    return bits.reshape(count, row_bits)
