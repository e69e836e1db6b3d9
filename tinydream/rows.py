"""Rows as the device holds them: packed representatives, and the model of their deviations."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import PlanError
from tinydream.inputs import INPUT_LIMIT, Inputs, Outputs, Projection, f8_decode, frozen
from tinydream.reader import Reader

__all__ = ["INPUT_LIMIT", "Inputs", "Outputs", "Projection", "Rows", "f8_decode"]

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
NO_SPREAD, BY_CLASS, BY_ROW = range(3)
HEAD = "<IIHH10B"


@dataclass(frozen=True, eq=False)
class Rows:
    """Bit-packed representatives and the model of their deviations (td.h, td_rows_t).

    columns: network inputs, then `targets` targets (0 for classification). width: bits of each
    stored integer, 1..16; low: int8; step: 8-bit floats; these three of one entry for all columns
    or one for each. levels: (weight, count) pairs in order of the rows. bits: the packed rows,
    least significant bit first. label_bits, soft_bits: a row ends with its label, or with a share
    of so many bits (1..8) of each of `classes` classes.

    sigma: 8-bit floats (columns,), or empty when rows are not dreamt. More of the deviations, all
    of it optional: spread: 8-bit floats, a factor of all deviations of a row: (classes,), or
    (2**spread_bits,) when each row has a code of spread_bits bits (1..4) at its end.
    factors: int8 (rank, columns), rank 0..32, and factor_scale: 8-bit floats (rank,). axes: the
    shape of the inputs, 1..3 pairs (length, whether a Haar transform runs along it); sigma then
    belongs to coefficients, and correction: 8-bit floats, a factor of each input's deviation.
    classes is 0 unless shares or spreads by class ask for it.
    """

    columns: int
    label_bits: int
    width: U8
    low: NDArray[np.int8]
    step: U8
    sigma: U8
    levels: tuple[tuple[int, int], ...]
    bits: U8
    targets: int = 0
    classes: int = 0
    soft_bits: int = 0
    spread: U8 = ()  # type: ignore[assignment]
    spread_bits: int = 0
    factors: NDArray[np.int8] = ()  # type: ignore[assignment]
    factor_scale: U8 = ()  # type: ignore[assignment]
    axes: tuple[tuple[int, bool], ...] = ()
    correction: U8 = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        bytes_ = ("width", "step", "sigma", "bits", "spread", "factor_scale", "correction")
        for name in (*bytes_, "low", "factors"):
            dtype = np.uint8 if name in bytes_ else np.int8
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
        self._check_columns()
        self._check_target()
        self._check_deviations()
        if not self.levels or any(w < 1 or c < 1 for w, c in self.levels) or len(self.levels) > 255:
            raise PlanError("rows: 1..255 levels of at least one row and weight 1 are needed")
        if len(self.bits) != (self.count * self.row_bits + 7) // 8:
            raise PlanError(f"rows: {len(self.bits)} bytes do not hold {self.count} rows")

    def _check_columns(self) -> None:
        sizes = {len(self.width), len(self.low), len(self.step)}
        if len(sizes) > 1 or sizes.pop() not in (1, self.columns):
            raise PlanError(f"rows: width, low and step need 1 or {self.columns} entries each")
        if self.width.min() < 1 or self.width.max() > 16:
            raise PlanError(
                f"rows: a width is 1..16 bits, not {self.width.min()}..{self.width.max()}"
            )

    def _check_target(self) -> None:
        label = self.label_bits or self.soft_bits or self.classes
        if self.targets >= self.columns or self.targets and label:
            raise PlanError(f"rows: {self.targets} targets in {self.columns} columns, and a label?")
        if not 0 <= self.soft_bits <= 8 or self.soft_bits and self.label_bits:
            raise PlanError("rows: a label, or shares of 1..8 bits, and not both")
        told = self.soft_bits > 0 or len(self.spread) > 0 and not self.spread_bits
        if (self.classes > 0) != told:
            raise PlanError("rows: shares and spreads by class, and nothing else, need classes")

    def _check_deviations(self) -> None:
        if len(self.sigma) not in (0, self.columns):
            raise PlanError(f"rows: sigma has {len(self.sigma)} entries; none or {self.columns}")
        if not len(self.sigma) and (len(self.spread) or self.rank or self.axes):
            raise PlanError("rows: spread, factors and axes need sigma")
        if not 0 <= self.spread_bits <= 4:
            raise PlanError(f"rows: the code of a spread has 1..4 bits, not {self.spread_bits}")
        entries = {1 << self.spread_bits} if self.spread_bits else {0, self.classes}
        if len(self.spread) not in entries:
            raise PlanError(f"rows: {len(self.spread)} spreads; {max(entries)} are needed")
        if self.rank > 32 or self.rank and self.factors.shape != (self.rank, self.columns):
            raise PlanError(
                f"rows: factors have shape {self.factors.shape}, and {self.rank} scales; at most"
                f" 32 of {self.columns} columns"
            )
        self._check_axes()

    def _check_axes(self) -> None:
        lengths = [length for length, _ in self.axes]
        if len(self.correction) != (self.inputs if self.axes else 0) or len(lengths) > 3:
            raise PlanError(f"rows: {len(lengths)} axes, and {len(self.correction)} corrections")
        if lengths and np.prod(lengths, dtype=object) != self.inputs:
            raise PlanError(f"rows: axes of {lengths} are not {self.inputs} inputs")

    @property
    def count(self) -> int:
        return sum(count for _, count in self.levels)

    @property
    def rows(self) -> int:
        """Rows the representatives stand for."""
        return sum(weight * count for weight, count in self.levels)

    @property
    def inputs(self) -> int:
        """Columns that are network inputs; the others are targets."""
        return self.columns - self.targets

    @property
    def rank(self) -> int:
        """Factors of the deviations."""
        return len(self.factor_scale)

    @property
    def spread_kind(self) -> int:
        """0 none, 1 by class, 2 by row."""
        if not len(self.spread):
            return NO_SPREAD
        return BY_ROW if self.spread_bits else BY_CLASS

    @property
    def tail(self) -> tuple[int, ...]:
        """Bits of each integer behind a row's columns: label or shares, and the spread's code."""
        shares = (self.soft_bits,) * self.classes if self.soft_bits else (self.label_bits,)
        return (*shares, self.spread_bits)

    @property
    def row_bits(self) -> int:
        width = self.width.astype(int)
        own = int(width.sum() if len(width) > 1 else width[0] * self.columns)
        return own + sum(self.tail)

    @property
    def hard_bits(self) -> int:
        """Bits of a label, for rows of these classes that have one instead of shares."""
        return (self.classes - 1).bit_length() if self.soft_bits else self.label_bits

    def plain(self, bits: U8, count: int) -> "Rows":
        """`count` packed rows on the same grid, with hard labels and without deviations."""
        grid = (self.width, self.low, self.step, frozen((), np.uint8))
        levels = ((1, count),)
        return Rows(self.columns, self.hard_bits, *grid, levels, bits, self.targets)

    def tables(self) -> dict[str, bytes]:
        """Each constant table as the device holds it: bytes by name."""
        width = np.append(self.width - 1, np.uint8(0))
        nibbles = width[0:-1:2] | width[1 : len(self.width) + 1 : 2] << 4
        axes = (struct.pack("<HBx", length, bool(haar)) for length, haar in self.axes)
        return {
            "width": nibbles.tobytes(),
            "low": self.low.tobytes(),
            "step": self.step.tobytes(),
            "sigma": self.sigma.tobytes(),
            "spread": self.spread.tobytes(),
            "factor_scale": self.factor_scale.tobytes(),
            "factors": self.factors.tobytes(),
            "axes": b"".join(axes),
            "correction": self.correction.tobytes(),
            "levels": np.array(self.levels, "<u4").tobytes(),
            "bits": self.bits.tobytes(),
        }

    @property
    def nbytes(self) -> int:
        """Bytes of all tables, as the device holds them."""
        return sum(map(len, self.tables().values()))

    def to_bytes(self) -> bytes:
        small = (self.targets, self.label_bits, self.soft_bits, len(self.width) > 1)
        model = (len(self.sigma) > 0, self.spread_kind, self.spread_bits, self.rank, len(self.axes))
        sizes = (self.count, self.row_bits, self.columns, self.classes)
        head = struct.pack(HEAD, *sizes, *small, *model, len(self.levels))
        axes = (struct.pack("<HB", length, bool(haar)) for length, haar in self.axes)
        return head + b"".join((self.tables() | {"axes": b"".join(axes)}).values())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Rows":
        read = Reader(data, "rows")
        count, row_bits, columns, classes, *small = read.unpack(HEAD)
        targets, label_bits, soft_bits, stride, *model, n_levels = small
        entries = columns if stride else 1
        nibbles = read.array(np.uint8, (entries + 1) // 2)
        width = np.stack([nibbles & 15, nibbles >> 4], 1).ravel()[:entries] + 1
        low, step = read.array(np.int8, entries), read.array(np.uint8, entries)
        sigma, deviations = _read_deviations(read, columns, targets, classes, *model)
        levels = tuple((int(w), int(c)) for w, c in read.array("<u4", 2 * n_levels).reshape(-1, 2))
        bits = read.array(np.uint8, (count * row_bits + 7) // 8)
        own = (columns, label_bits, width, low, step, sigma, levels, bits, targets, classes)
        rows = cls(*own, soft_bits, **deviations)
        same = (rows.count, rows.row_bits, rows.spread_kind) == (count, row_bits, model[1])
        read.end(same, "counts contradict each other")
        return rows


def _read_deviations(
    read: Reader,
    columns: int,
    targets: int,
    classes: int,
    dreamt: int,
    kind: int,
    spread_bits: int,
    rank: int,
    n_axes: int,
) -> tuple[U8, dict[str, Any]]:
    """Sigma, and the other fields of `Rows` about deviations, by name."""
    read.check(kind <= BY_ROW and spread_bits <= 4, f"spread {kind} of {spread_bits} bits")
    sigma = read.array(np.uint8, columns if dreamt else 0)
    fields = {
        "spread_bits": spread_bits,
        "spread": read.array(np.uint8, (0, classes, 1 << spread_bits)[kind]),
        "factor_scale": read.array(np.uint8, rank),
        "factors": read.array(np.int8, rank * columns).reshape(rank, columns),
        "axes": tuple((length, bool(haar)) for length, haar in _pairs(read, n_axes)),
        "correction": read.array(np.uint8, max(columns - targets, 0) if n_axes else 0),
    }
    return sigma, fields


def _pairs(read: Reader, count: int) -> list[tuple[Any, ...]]:
    return [read.unpack("<HB") for _ in range(count)]
