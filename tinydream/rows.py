"""Rows as the device holds them: input scales, packed representatives, and their deviations."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinydream.errors import PlanError
from tinydream.reader import Reader

__all__ = ["Inputs", "Rows", "f8_decode"]

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


def f8_decode(code: U8) -> F32:
    """8-bit floats as float32: (8 + code % 8) * 2**(code // 8 - 27), and 0 for 0.

    Shape is kept. Every value is exact.
    """
    code = np.asarray(code, np.uint8).astype(np.int32)
    value = np.ldexp(np.float32(8) + (code & 7).astype(np.float32), (code >> 3) - 27)
    return np.where(code == 0, np.float32(0), value).astype(np.float32)


def _frozen(array: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    array = np.array(array, dtype)  # a copy: nobody else can write to it
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Inputs:
    """How raw units become network inputs: x = (raw - shift) * 2**gain for kept columns.

    kept: (raw_columns,) bool. shift: float32 and gain: int8, of one entry for all kept
    columns, or one for each.
    """

    kept: NDArray[np.bool_]
    shift: F32
    gain: NDArray[np.int8]

    def __post_init__(self) -> None:
        for name, dtype in (("kept", np.bool_), ("shift", np.float32), ("gain", np.int8)):
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        if len(self.shift) != len(self.gain) or len(self.shift) not in (1, self.columns):
            raise PlanError(
                f"inputs: shift has {len(self.shift)} and gain {len(self.gain)} entries;"
                f" both need 1 or {self.columns}"
            )

    @property
    def raw_columns(self) -> int:
        return len(self.kept)

    @property
    def columns(self) -> int:
        return int(self.kept.sum())

    def apply(self, raw: ArrayLike) -> F32:
        """Bring raw rows (n, raw_columns) to network inputs (n, columns), as the device does."""
        x = np.asarray(raw)[:, self.kept].astype(np.float32)
        return (x - self.shift) * np.ldexp(np.float32(1), self.gain.astype(np.int32))

    def to_bytes(self) -> bytes:
        stride, some = len(self.shift) > 1, not self.kept.all()
        head = struct.pack("<HHBB", self.raw_columns, self.columns, stride, some)
        kept = np.packbits(self.kept, bitorder="little").tobytes() if some else b""
        return head + kept + self.shift.astype("<f4").tobytes() + self.gain.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Inputs":
        read = Reader(data, "inputs")
        raw, columns, stride, some = read.unpack("<HHBB")
        kept = np.ones(raw, bool)
        if some:
            bits = np.unpackbits(read.array(np.uint8, (raw + 7) // 8), bitorder="little")
            kept = bits[:raw].astype(bool)
        count = columns if stride else 1
        inputs = cls(kept, read.array("<f4", count), read.array(np.int8, count))
        read.end(inputs.columns == columns, "the kept columns are not as many as it says")
        return inputs


@dataclass(frozen=True, eq=False)
class Rows:
    """Bit-packed representatives and the model of their deviations (td.h, td_rows_t).

    columns: features a row, label excluded. width: bits of each stored integer, 1..16;
    low: int8; step: 8-bit floats; these three of one entry for all columns or one for each.
    sigma: 8-bit floats (columns,), or empty when rows are not dreamt. levels: (weight, count)
    pairs in order of the rows. bits: the packed rows, least significant bit first.
    """

    columns: int
    label_bits: int
    width: U8
    low: NDArray[np.int8]
    step: U8
    sigma: U8
    levels: tuple[tuple[int, int], ...]
    bits: U8

    def __post_init__(self) -> None:
        kinds = {"width": np.uint8, "low": np.int8, "step": np.uint8}
        for name, dtype in (kinds | {"sigma": np.uint8, "bits": np.uint8}).items():
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        sizes = {len(getattr(self, name)) for name in kinds}
        if len(sizes) > 1 or sizes.pop() not in (1, self.columns):
            raise PlanError(f"rows: width, low and step need 1 or {self.columns} entries each")
        if self.width.min() < 1 or self.width.max() > 16:
            raise PlanError(
                f"rows: a width is 1..16 bits, not {self.width.min()}..{self.width.max()}"
            )
        if len(self.sigma) not in (0, self.columns):
            raise PlanError(f"rows: sigma has {len(self.sigma)} entries; none or {self.columns}")
        if not self.levels or any(w < 1 or c < 1 for w, c in self.levels) or len(self.levels) > 255:
            raise PlanError("rows: 1..255 levels of at least one row and weight 1 are needed")
        if len(self.bits) != (self.count * self.row_bits + 7) // 8:
            raise PlanError(f"rows: {len(self.bits)} bytes do not hold {self.count} rows")

    @property
    def count(self) -> int:
        return sum(count for _, count in self.levels)

    @property
    def rows(self) -> int:
        """Rows the representatives stand for."""
        return sum(weight * count for weight, count in self.levels)

    @property
    def row_bits(self) -> int:
        width = self.width.astype(int)
        return int(width.sum() if len(width) > 1 else width[0] * self.columns) + self.label_bits

    def tables(self) -> dict[str, bytes]:
        """Each constant table as the device holds it: bytes by name."""
        width = np.append(self.width - 1, np.uint8(0))
        nibbles = width[0:-1:2] | width[1 : len(self.width) + 1 : 2] << 4
        return {
            "width": nibbles.tobytes(),
            "low": self.low.tobytes(),
            "step": self.step.tobytes(),
            "sigma": self.sigma.tobytes(),
            "levels": np.array(self.levels, "<u4").tobytes(),
            "bits": self.bits.tobytes(),
        }

    @property
    def nbytes(self) -> int:
        """Bytes of all tables, as the device holds them."""
        return sum(map(len, self.tables().values()))

    def to_bytes(self) -> bytes:
        head = struct.pack(
            "<IIHBBBB",
            self.count,
            self.row_bits,
            self.columns,
            self.label_bits,
            len(self.width) > 1,
            len(self.sigma) > 0,
            len(self.levels),
        )
        return head + b"".join(self.tables().values())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Rows":
        read = Reader(data, "rows")
        count, row_bits, columns, label_bits, stride, dreamt, n_levels = read.unpack("<IIHBBBB")
        entries = columns if stride else 1
        nibbles = read.array(np.uint8, (entries + 1) // 2)
        width = np.stack([nibbles & 15, nibbles >> 4], 1).ravel()[:entries] + 1
        low, step = read.array(np.int8, entries), read.array(np.uint8, entries)
        sigma = read.array(np.uint8, columns if dreamt else 0)
        levels = tuple((int(w), int(c)) for w, c in read.array("<u4", 2 * n_levels).reshape(-1, 2))
        bits = read.array(np.uint8, (count * row_bits + 7) // 8)
        rows = cls(columns, label_bits, width, low, step, sigma, levels, bits)
        read.end((rows.count, rows.row_bits) == (count, row_bits), "counts contradict each other")
        return rows
