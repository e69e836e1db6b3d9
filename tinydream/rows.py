"""Rows as the device holds them: input scales, packed representatives, and their deviations."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinydream.errors import PlanError
from tinydream.reader import Reader

__all__ = ["INPUT_LIMIT", "Inputs", "Outputs", "Rows", "f8_decode"]

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


INPUT_LIMIT = 16.0  # network inputs stay within -16..16, so that no outlier blows a network up


@dataclass(frozen=True, eq=False)
class Inputs:
    """How raw units become network inputs: x = (raw - shift) * 2**gain for kept columns.

    kept: (raw_columns,) bool. shift: float32 and gain: int8, of one entry for all inputs, or one
    for each. expand: uint8 for each kept column, or empty when no column is expanded: k >= 2 turns
    codes 0..k-1 into k inputs of 0 or 1, before shift and gain. fill: float32 for each input, its
    value where the raw one is missing (NaN); empty means 0.
    """

    kept: NDArray[np.bool_]
    shift: F32
    gain: NDArray[np.int8]
    expand: U8 = ()  # type: ignore[assignment]
    fill: F32 = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        dtypes = {"kept": np.bool_, "shift": np.float32, "gain": np.int8, "expand": np.uint8}
        for name, dtype in (dtypes | {"fill": np.float32}).items():
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        if len(self.expand) not in (0, int(self.kept.sum())):
            raise PlanError(f"inputs: expand has {len(self.expand)} entries; one a kept column")
        if len(self.shift) != len(self.gain) or len(self.shift) not in (1, self.columns):
            raise PlanError(
                f"inputs: shift has {len(self.shift)} and gain {len(self.gain)} entries;"
                f" both need 1 or {self.columns}"
            )
        if len(self.fill) not in (0, self.columns):
            raise PlanError(f"inputs: fill has {len(self.fill)} entries; none or {self.columns}")

    @property
    def raw_columns(self) -> int:
        return len(self.kept)

    @property
    def columns(self) -> int:
        """The network's inputs."""
        if len(self.expand):
            return int(np.maximum(self.expand, 1).sum(dtype=int))
        return int(self.kept.sum())

    def apply(self, raw: ArrayLike) -> F32:
        """Bring raw rows (n, raw_columns) to network inputs (n, columns), as the device does."""
        values = np.asarray(raw)[:, self.kept].astype(np.float32)
        if len(self.expand):
            values = np.concatenate(list(map(_expanded, values.T, self.expand)), axis=1)
        missing = np.isnan(values)
        values -= self.shift
        values *= np.ldexp(np.float32(1), self.gain.astype(np.int32))
        np.clip(values, -INPUT_LIMIT, INPUT_LIMIT, out=values)
        if missing.any():
            fill = self.fill if len(self.fill) else np.zeros(1, np.float32)
            np.copyto(values, fill, where=missing)
        return values

    def tables(self) -> dict[str, bytes]:
        """Each constant table as the device holds it: bytes by name."""
        kept = np.packbits(self.kept, bitorder="little").tobytes()
        return {
            "kept": b"" if self.kept.all() else kept,
            "expand": self.expand.tobytes(),
            "shift": self.shift.astype("<f4").tobytes(),
            "gain": self.gain.tobytes(),
            "fill": self.fill.astype("<f4").tobytes(),
        }

    def to_bytes(self) -> bytes:
        tables = self.tables()
        has = sum(bool(tables[name]) << i for i, name in enumerate(("kept", "expand", "fill")))
        stride = len(self.shift) > 1
        head = struct.pack("<HHBB", self.raw_columns, self.columns, stride, has)
        return head + b"".join(tables.values())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Inputs":
        read = Reader(data, "inputs")
        raw, columns, stride, has = read.unpack("<HHBB")
        kept = np.ones(raw, bool)
        if has & 1:
            bits = np.unpackbits(read.array(np.uint8, (raw + 7) // 8), bitorder="little")
            kept = bits[:raw].astype(bool)
        expand = read.array(np.uint8, int(kept.sum()) if has & 2 else 0)
        entries = columns if stride else 1
        shift, gain = read.array("<f4", entries), read.array(np.int8, entries)
        fill = read.array("<f4", columns if has & 4 else 0)
        inputs = cls(kept, shift, gain, expand, fill)
        read.end(inputs.columns == columns, "the inputs are not as many as it says")
        return inputs


def _expanded(column: F32, codes: int) -> F32:
    """One column (n,) of codes as (n, codes) of 0 and 1; missing stays missing."""
    if codes < 2:
        return column[:, None]
    hot: F32 = (column[:, None] == np.arange(codes, dtype=np.float32)).astype(np.float32)
    hot[np.isnan(column)] = np.nan
    return hot


@dataclass(frozen=True, eq=False)
class Outputs:
    """How the network's outputs become targets in raw units: y = out * scale + shift.

    shift, scale: float32 (targets,); empty for classification.
    """

    shift: F32 = ()  # type: ignore[assignment]
    scale: F32 = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        for name in ("shift", "scale"):
            object.__setattr__(self, name, _frozen(getattr(self, name), np.float32))
        if self.shift.shape != self.scale.shape:
            raise PlanError(f"outputs: {len(self.shift)} shifts and {len(self.scale)} scales")

    def tables(self) -> dict[str, bytes]:
        """Each constant table as the device holds it: bytes by name."""
        shift, scale = (a.astype("<f4").tobytes() for a in (self.shift, self.scale))
        return {"target_shift": shift, "target_scale": scale}

    def to_bytes(self) -> bytes:
        return struct.pack("<H", len(self.shift)) + b"".join(self.tables().values())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Outputs":
        read = Reader(data, "outputs")
        (count,) = read.unpack("<H")
        outputs = cls(read.array("<f4", count), read.array("<f4", count))
        read.end(True, "")
        return outputs


@dataclass(frozen=True, eq=False)
class Rows:
    """Bit-packed representatives and the model of their deviations (td.h, td_rows_t).

    columns: network inputs, then `targets` targets (0 for classification). width: bits of each
    stored integer, 1..16; low: int8; step: 8-bit floats; these three of one entry for all columns
    or one for each.
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
    targets: int = 0

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
        if self.targets >= self.columns or self.targets and self.label_bits:
            raise PlanError(f"rows: {self.targets} targets in {self.columns} columns, and a label?")
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
            "<IIHBBBBB",
            self.count,
            self.row_bits,
            self.columns,
            self.targets,
            self.label_bits,
            len(self.width) > 1,
            len(self.sigma) > 0,
            len(self.levels),
        )
        return head + b"".join(self.tables().values())

    @classmethod
    def from_bytes(cls, data: bytes) -> "Rows":
        read = Reader(data, "rows")
        count, row_bits, columns, *small = read.unpack("<IIHBBBBB")
        targets, label_bits, stride, dreamt, n_levels = small
        entries = columns if stride else 1
        nibbles = read.array(np.uint8, (entries + 1) // 2)
        width = np.stack([nibbles & 15, nibbles >> 4], 1).ravel()[:entries] + 1
        low, step = read.array(np.int8, entries), read.array(np.uint8, entries)
        sigma = read.array(np.uint8, columns if dreamt else 0)
        levels = tuple((int(w), int(c)) for w, c in read.array("<u4", 2 * n_levels).reshape(-1, 2))
        bits = read.array(np.uint8, (count * row_bits + 7) // 8)
        rows = cls(columns, label_bits, width, low, step, sigma, levels, bits, targets)
        read.end((rows.count, rows.row_bits) == (count, row_bits), "counts contradict each other")
        return rows
