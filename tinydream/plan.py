"""The plan: one frozen record of every number, table and byte the device will hold.

Everything before it makes a `Plan`; everything after it reads one. `Plan.to_bytes` is its
canonical form (SPEC.md, "Plan"), `Plan.digest` its name, `Plan.buffers` the one list of memory.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinydream.errors import PlanError

__all__ = [
    "FORMAT",
    "KINDS",
    "Buffer",
    "Inputs",
    "Layer",
    "Optimizer",
    "Plan",
    "Rows",
    "f8_decode",
]

FORMAT = 1
MAGIC = b"TDPL"
KINDS = {"dense": 1, "relu": 2, "softmax": 3}
OPTIMIZERS = {"sgd": 1, "adam": 2}
CROSS_ENTROPY = 1

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


def f8_decode(code: U8) -> F32:
    """8-bit floats as float32: (8 + code % 8) * 2**(code // 8 - 27), and 0 for 0.

    Shape is kept. Every value is exact.
    """
    code = np.asarray(code, np.uint8).astype(np.int32)
    value = np.ldexp(np.float32(8) + (code & 7).astype(np.float32), (code >> 3) - 27)
    return np.where(code == 0, np.float32(0), value).astype(np.float32)


def _frozen(array: object, dtype: object) -> NDArray:
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

    def apply(self, raw: NDArray) -> F32:
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
        read = _Reader(data, "inputs")
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
        read = _Reader(data, "rows")
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


@dataclass(frozen=True)
class Layer:
    """One layer of the network: kind, inputs, outputs; `limit` bounds initial weights."""

    kind: str
    inputs: int
    outputs: int
    limit: float = 0.0

    @property
    def parameters(self) -> int:
        return self.outputs * (self.inputs + 1) if self.kind == "dense" else 0


@dataclass(frozen=True)
class Optimizer:
    """How weights move: kind 'sgd' (a: momentum) or 'adam' (a, b, c: beta1, beta2, epsilon)."""

    kind: str
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0

    @property
    def state(self) -> int:
        """Numbers kept per parameter."""
        return 2 if self.kind == "adam" else int(self.a != 0)


@dataclass(frozen=True)
class Buffer:
    """One piece of memory. region: 'arena' (inside the arena), 'ram' or 'flash'; life: when."""

    name: str
    region: str
    bytes: int
    align: int
    life: str
    offset: int = 0


@dataclass(frozen=True, eq=False)
class Plan:
    """Every fact the device is built from. Two plans are equal when their bytes are."""

    board: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    target: str
    inputs: Inputs
    rows: Rows
    layers: tuple[Layer, ...]
    optimizer: Optimizer
    batch: int
    slice: int

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @cached_property
    def _bytes(self) -> bytes:
        sections = {
            b"BORD": _text(self.board),
            b"NAME": _texts(self.features) + _texts(self.classes) + _text(self.target),
            b"INPT": self.inputs.to_bytes(),
            b"ROWS": self.rows.to_bytes(),
            b"NETW": _pack_network(self.layers),
            b"TRAN": _pack_training(self.optimizer, self.batch, self.slice),
        }
        head = MAGIC + struct.pack("<HH", FORMAT, len(sections))
        return head + b"".join(
            tag + struct.pack("<I", len(body)) + body for tag, body in sections.items()
        )

    def to_bytes(self) -> bytes:
        """The canonical bytes: the same plan always gives the same ones."""
        return self._bytes

    @cached_property
    def digest(self) -> bytes:
        """8 bytes naming this plan: BLAKE2b over its canonical bytes."""
        return hashlib.blake2b(self._bytes, digest_size=8).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self.digest)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Plan":
        """Read canonical bytes; raises PlanError when a byte is not as `to_bytes` writes it."""
        sections = dict(_sections(data))
        try:
            name = _Reader(sections[b"NAME"], "names")
            plan = cls(
                _Reader(sections[b"BORD"], "board").text(),
                name.texts(),
                name.texts(),
                name.text(),
                Inputs.from_bytes(sections[b"INPT"]),
                Rows.from_bytes(sections[b"ROWS"]),
                _unpack_network(sections[b"NETW"]),
                *_unpack_training(sections[b"TRAN"]),
            )
        except KeyError as missing:
            raise PlanError(f"the plan has no section {missing}; make it again") from None
        if plan.to_bytes() != data:
            raise PlanError(
                "the plan's bytes are not canonical; make it again with `tinydream plan`"
            )
        return plan

    @cached_property
    def arena(self) -> tuple[Buffer, ...]:
        """The pieces of the arena in their order, with offsets; td_train.c lays out the same."""
        dense = [layer for layer in self.layers if layer.kind == "dense"]
        pieces = [
            ("weights", self.parameters, "always"),
            ("gradients", self.parameters, "training"),
        ]
        if self.optimizer.state:
            pieces.append(("optimizer", self.optimizer.state * self.parameters, "training"))
        pieces += [
            ("draws", 2 * self.slice, "batch"),
            ("inputs", self.slice * dense[0].inputs, "batch"),
        ]
        pieces += [
            (f"outputs {i}", self.slice * layer.outputs, "batch")
            for i, layer in enumerate(dense, 1)
        ]
        buffers, offset = [], 0
        for name, words, life in pieces:
            buffers.append(Buffer(name, "arena", 4 * words, 4, life, offset))
            offset += 4 * words
        return tuple(buffers)

    @property
    def arena_bytes(self) -> int:
        """Bytes of the one RAM block that training uses."""
        return sum(buffer.bytes for buffer in self.arena)

    @cached_property
    def constants(self) -> dict[str, bytes]:
        """Every constant table in flash, by name, as the device holds it."""
        kept = np.packbits(self.inputs.kept, bitorder="little").tobytes()
        tables = {
            "kept": b"" if self.inputs.kept.all() else kept,
            "shift": self.inputs.shift.astype("<f4").tobytes(),
            "gain": self.inputs.gain.tobytes(),
        }
        return {k: v for k, v in (tables | self.rows.tables()).items() if v}

    @property
    def representative_bytes(self) -> int:
        """Bytes of all that stands for the data: rows, labels, weights, scales, deviation model."""
        return sum(map(len, self.constants.values()))


# ---- bytes ----


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > 0xFFFF:
        raise PlanError(f"the name {text[:40]!r}... has {len(data)} bytes; at most 65535 are kept")
    return struct.pack("<H", len(data)) + data


def _texts(texts: tuple[str, ...]) -> bytes:
    if len(texts) > 0xFFFF:
        raise PlanError(f"{len(texts)} names are too many; a plan keeps at most 65535")
    return struct.pack("<H", len(texts)) + b"".join(map(_text, texts))


def _pack_network(layers: tuple[Layer, ...]) -> bytes:
    body = b"".join(
        struct.pack("<BHHf", KINDS[layer.kind], layer.inputs, layer.outputs, layer.limit)
        for layer in layers
    )
    return struct.pack("<BB", len(layers), CROSS_ENTROPY) + body


def _unpack_network(data: bytes) -> tuple[Layer, ...]:
    read = _Reader(data, "network")
    names = {number: kind for kind, number in KINDS.items()}
    count, loss = read.unpack("<BB")
    layers = []
    for _ in range(count):
        kind, inputs, outputs, limit = read.unpack("<BHHf")
        read.check(kind in names, f"layer kind {kind} is unknown")
        layers.append(Layer(names[kind], inputs, outputs, limit))
    read.end(loss == CROSS_ENTROPY, f"loss {loss} is unknown")
    return tuple(layers)


def _pack_training(optimizer: Optimizer, batch: int, slice_: int) -> bytes:
    kind = OPTIMIZERS[optimizer.kind]
    return struct.pack("<BfffHH", kind, optimizer.a, optimizer.b, optimizer.c, batch, slice_)


def _unpack_training(data: bytes) -> tuple[Optimizer, int, int]:
    read = _Reader(data, "training")
    names = {number: kind for kind, number in OPTIMIZERS.items()}
    kind, a, b, c, batch, slice_ = read.unpack("<BfffHH")
    read.end(kind in names, f"optimizer {kind} is unknown")
    return Optimizer(names[kind], a, b, c), batch, slice_


def _sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    read = _Reader(data, "file")
    magic, fmt, count = read.unpack("<4sHH")
    read.check(magic == MAGIC, "it is not a tinydream plan")
    read.check(fmt == FORMAT, f"it has format {fmt}; this tinydream reads format {FORMAT}")
    for _ in range(count):
        tag, length = read.unpack("<4sI")
        yield tag, read.take(length)
    read.end(True, "")


class _Reader:
    """Length-checked reading; every failure is a PlanError that names the section."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = bytes(data), 0, what

    def check(self, good: bool, why: str) -> None:
        if not good:
            raise PlanError(f"plan, {self._what}: {why}; make it again with `tinydream plan`")

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        self.check(len(piece) == count, f"{count} bytes wanted, {len(piece)} left")
        self._at += count
        return piece

    def unpack(self, form: str) -> tuple:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def array(self, dtype: object, count: int) -> NDArray:
        dtype = np.dtype(dtype)
        return np.frombuffer(self.take(count * dtype.itemsize), dtype)

    def text(self) -> str:
        try:
            return self.take(self.unpack("<H")[0]).decode()
        except UnicodeDecodeError:
            raise PlanError(f"plan, {self._what}: a name is not UTF-8; make it again") from None

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.unpack("<H")[0]))

    def end(self, good: bool, why: str) -> None:
        self.check(good, why)
        self.check(self._at == len(self._data), f"{len(self._data) - self._at} bytes too many")
