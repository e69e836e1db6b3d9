"""From raw units to what the network gets, and back: input scales, a projection, targets."""

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from tinydream import _core
from tinydream.errors import PlanError
from tinydream.reader import Reader

__all__ = ["INPUT_LIMIT", "Inputs", "Outputs", "Projection", "f8_decode", "frozen"]

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


def f8_decode(code: U8) -> F32:
    """8-bit floats as float32: (8 + code % 8) * 2**(code // 8 - 27), and 0 for 0.

    Shape is kept. Every value is exact.
    """
    code = np.asarray(code, np.uint8).astype(np.int32)
    value = np.ldexp(np.float32(8) + (code & 7).astype(np.float32), (code >> 3) - 27)
    return np.where(code == 0, np.float32(0), value).astype(np.float32)


def frozen(array: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """A copy of the array in this dtype, which nobody can write to."""
    array = np.array(array, dtype, order="C")
    array.setflags(write=False)
    return array


INPUT_LIMIT = 16.0  # network inputs stay within -16..16, so that no outlier blows a network up


@dataclass(frozen=True, eq=False)
class Projection:
    """A linear map of the scaled inputs: z = clip(x @ matrix, -16, 16), x (n, inputs).

    codes: (inputs, r) int8, each within -2**(bits - 1)..2**(bits - 1) - 1; bits: 2..8 of a code
    on the device. scale: 8-bit floats (r,), a factor of each output.
    """

    codes: NDArray[np.int8]
    scale: U8
    bits: int

    def __post_init__(self) -> None:
        for name, dtype in {"codes": np.int8, "scale": np.uint8}.items():
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
        if self.codes.ndim != 2 or not 0 < self.codes.shape[1] == len(self.scale) <= 0xFFFF:
            raise PlanError(
                f"projection: codes have shape {self.codes.shape}, which for {len(self.scale)}"
                " scales must be (inputs, outputs)"
            )
        if not 2 <= self.bits <= 8:
            raise PlanError(f"projection: a code has 2..8 bits, not {self.bits}")
        half = 1 << self.bits - 1
        if self.codes.size and not -half <= self.codes.min() <= self.codes.max() < half:
            raise PlanError(f"projection: codes of {self.bits} bits lie in {-half}..{half - 1}")
        if self.codes.size * self.bits >= 1 << 32:
            raise PlanError(f"projection: {self.codes.size} codes are too many for a device")

    @property
    def outputs(self) -> int:
        return len(self.scale)

    @property
    def matrix(self) -> F32:
        """(inputs, r) float32: codes times scales, rounded once. `apply` sums codes instead."""
        return self.codes * f8_decode(self.scale)

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """(r, inputs): the least-squares way back, the pseudo-inverse of `matrix`."""
        return np.asarray(np.linalg.pinv(self.matrix.astype(np.float64)))

    def apply(self, x: F32) -> F32:
        """Scaled inputs (n, inputs) to (n, r), as the device does it, bit for bit."""
        codes, scale = np.ascontiguousarray(self.codes, np.float32), f8_decode(self.scale)
        x = np.ascontiguousarray(x, np.float32)
        z = np.frombuffer(_core.project(x, codes, scale), np.float32)
        return np.clip(z.reshape(len(x), self.outputs), -INPUT_LIMIT, INPUT_LIMIT)

    def back(self, z: F32) -> F32:
        """Of all scaled inputs (n, inputs) that project to z (n, r) the shortest ones, float32."""
        matrix = self.matrix.astype(np.float64)
        return np.asarray(z @ np.linalg.pinv(matrix), np.float32)

    def tables(self) -> dict[str, bytes]:
        """Each constant table as the device holds it: bytes by name."""
        stored = (self.codes.ravel().astype(np.int16) + (1 << self.bits - 1)).astype(np.uint8)
        bits = np.unpackbits(stored[:, None], axis=1, count=self.bits, bitorder="little")
        packed = np.packbits(bits, bitorder="little").tobytes()
        return {"code_scale": self.scale.tobytes(), "codes": packed}

    @property
    def nbytes(self) -> int:
        """Bytes of all tables, as the device holds them."""
        return sum(map(len, self.tables().values()))

    def to_bytes(self) -> bytes:
        return struct.pack("<HB", self.outputs, self.bits) + b"".join(self.tables().values())

    @classmethod
    def read(cls, read: Reader, inputs: int) -> "Projection":
        """The projection of so many inputs whose bytes come next; raises PlanError."""
        outputs, bits = read.unpack("<HB")
        read.check(outputs > 0 and 2 <= bits <= 8, "a projection has no outputs or wrong bits")
        scale, count = read.array(np.uint8, outputs), inputs * outputs
        packed = np.unpackbits(read.array(np.uint8, (count * bits + 7) // 8), bitorder="little")
        stored = np.packbits(packed[: count * bits].reshape(-1, bits), axis=1, bitorder="little")
        codes = stored.astype(np.int16) - (1 << bits - 1)
        return cls(codes.reshape(inputs, outputs), scale, bits)


@dataclass(frozen=True, eq=False)
class Inputs:
    """How raw units become network inputs: x = (raw - shift) * 2**gain for kept columns.

    kept: (raw_columns,) bool. shift: float32 and gain: int8, of one entry for all inputs, or one
    for each. expand: uint8 for each kept column, or empty when no column is expanded: k >= 2 turns
    codes 0..k-1 into k inputs of 0 or 1, before shift and gain. fill: float32 for each input, its
    value where the raw one is missing (NaN); empty means 0. projection: what the scaled inputs go
    through before the network gets them.
    """

    kept: NDArray[np.bool_]
    shift: F32
    gain: NDArray[np.int8]
    expand: U8 = ()  # type: ignore[assignment]
    fill: F32 = ()  # type: ignore[assignment]
    projection: Projection | None = None

    def __post_init__(self) -> None:
        dtypes = {"kept": np.bool_, "shift": np.float32, "gain": np.int8, "expand": np.uint8}
        for name, dtype in (dtypes | {"fill": np.float32}).items():
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
        if len(self.expand) not in (0, int(self.kept.sum())):
            raise PlanError(f"inputs: expand has {len(self.expand)} entries; one a kept column")
        if len(self.shift) != len(self.gain) or len(self.shift) not in (1, self.columns):
            raise PlanError(
                f"inputs: shift has {len(self.shift)} and gain {len(self.gain)} entries;"
                f" both need 1 or {self.columns}"
            )
        if len(self.fill) not in (0, self.columns):
            raise PlanError(f"inputs: fill has {len(self.fill)} entries; none or {self.columns}")
        if self.projection and len(self.projection.codes) != self.columns:
            raise PlanError(
                f"inputs: a projection of {len(self.projection.codes)} inputs, not {self.columns}"
            )

    @property
    def raw_columns(self) -> int:
        return len(self.kept)

    @cached_property
    def columns(self) -> int:
        """Inputs that are scaled, before a projection."""
        if len(self.expand):
            return int(np.maximum(self.expand, 1).sum(dtype=int))
        return int(self.kept.sum())

    @property
    def outputs(self) -> int:
        """What the network gets: as many numbers as columns, or as the projection gives."""
        return self.projection.outputs if self.projection else self.columns

    def apply(self, raw: ArrayLike) -> F32:
        """Raw rows (n, raw_columns) as network inputs (n, outputs), as the device does it."""
        scaled = self.scaled(raw)
        return self.projection.apply(scaled) if self.projection else scaled

    def scaled(self, raw: ArrayLike) -> F32:
        """Raw rows (n, raw_columns) as scaled inputs (n, columns), before a projection."""
        values = np.asarray(raw)
        values = values if self.kept.all() else values[:, self.kept]
        values = values.astype(np.float32, order="C")  # a mask gives whole columns
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

    def back(self, z: ArrayLike) -> F32:
        """Network inputs (n, outputs) as scaled inputs (n, columns).

        Through a projection there is no way back to the row itself: of all scaled inputs that it
        takes to z, or nearest to z, these are the smallest.
        """
        values = np.asarray(z, np.float32)
        if self.projection is None:
            return values
        return np.asarray(values.astype(np.float64) @ self.projection.inverse, np.float32)

    def tables(self) -> dict[str, bytes]:
        """Each constant table as the device holds it: bytes by name."""
        kept = np.packbits(self.kept, bitorder="little").tobytes()
        return {
            "kept": b"" if self.kept.all() else kept,
            "expand": self.expand.tobytes(),
            "shift": self.shift.astype("<f4").tobytes(),
            "gain": self.gain.tobytes(),
            "fill": self.fill.astype("<f4").tobytes(),
            **(self.projection.tables() if self.projection else {}),
        }

    def to_bytes(self) -> bytes:
        tables = self.tables()
        parts = ("kept", "expand", "fill", "codes")
        has = sum(bool(tables.get(name)) << i for i, name in enumerate(parts))
        head = struct.pack("<HHBB", self.raw_columns, self.columns, len(self.shift) > 1, has)
        own = b"".join(tables[name] for name in ("kept", "expand", "shift", "gain", "fill"))
        return head + own + (self.projection.to_bytes() if self.projection else b"")

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
        projection = Projection.read(read, columns) if has & 8 else None
        inputs = cls(kept, shift, gain, expand, fill, projection)
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
            object.__setattr__(self, name, frozen(getattr(self, name), np.float32))
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
