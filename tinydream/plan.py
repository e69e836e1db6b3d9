"""The plan: one frozen record of every number, table and byte the device will hold.

Everything before it makes a `Plan`; everything after it reads one. `Plan.to_bytes` is its
canonical form (SPEC.md, "Plan"), `Plan.digest` its name, `Plan.buffers` the one list of memory.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tinydream.arena import Buffer, activations, line_up, phases
from tinydream.errors import PlanError
from tinydream.layer import KINDS, TRAIN, Layer, Window, pack_layers, unpack_layers
from tinydream.reader import Reader, pack_text, pack_texts
from tinydream.rows import Inputs, Outputs, Projection, Rows, f8_decode

__all__ = [
    "FORMAT",
    "KINDS",
    "LOSSES",
    "TRAIN",
    "Buffer",
    "Inputs",
    "Layer",
    "Optimizer",
    "Outputs",
    "Plan",
    "Projection",
    "Rows",
    "Window",
    "f8_decode",
]

FORMAT = 2
MAGIC = b"TDPL"
OPTIMIZERS = {"sgd": 1, "adam": 2}
KEEP_BEST, REFILL = 1, 2  # bits
LOSSES = {"cross_entropy": 1, "mse": 2, "bce": 3, "huber": 4}


@dataclass(frozen=True)
class Optimizer:
    """How weights move: kind 'sgd' (a: momentum) or 'adam' (a, b, c: beta1, beta2, epsilon).

    clip: longest gradient of a step, 0 for any. decay: a step takes rate * decay of each parameter.
    """

    kind: str
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0
    clip: float = 0.0
    decay: float = 0.0

    @property
    def state(self) -> int:
        """Numbers kept per parameter."""
        return 2 if self.kind == "adam" else int(self.a != 0)


@dataclass(frozen=True, eq=False)
class Plan:
    """Every fact the device is built from. Two plans are equal when their bytes are.

    delta: of the Huber loss; 0 for any other. validation: rows that the device looks at after each
    epoch, on the grid of `rows` and with hard labels. keep_best: a run ends with the weights of the
    epoch whose validation loss was the least. refill: the representatives lie in RAM, where a host
    may put others.
    """

    board: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    targets: tuple[str, ...]
    inputs: Inputs
    outputs: Outputs
    rows: Rows
    layers: tuple[Layer, ...]
    optimizer: Optimizer
    batch: int
    slice: int
    delta: float = 0.0
    validation: Rows | None = None
    keep_best: bool = False
    refill: bool = False

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def late(self) -> "Plan":
        """The same training without gradients of the last dense layer, where that takes less RAM.

        Rows of a batch are kept instead, and the sums over them made as the weights move. Plain
        SGD only; the plan itself where there is nothing to gain.
        """
        at = max(i for i, layer in enumerate(self.layers) if layer.kind == "dense")
        last, o = self.layers[at], self.optimizer
        plain = o.kind == "sgd" and not any((o.state, o.clip, o.decay, self.keep_best))
        gain = last.moving - 1 - self.batch * (last.inputs + last.outputs)
        if not plain or last.train != "all" or gain <= 0 or last.moving == self.moving:
            return self
        layers = (*self.layers[:at], replace(last, train="late"), *self.layers[at + 1 :])
        return replace(self, layers=layers)

    @property
    def mix(self) -> int:
        """Drawn rows with each that the device learns, unless it is told another number."""
        return self.batch - any(layer.train == "late" for layer in self.layers)

    @property
    def moving(self) -> int:
        """Parameters that training moves by gradients in memory."""
        return sum(layer.moving for layer in self.layers)

    @property
    def task(self) -> str:
        """'classification', or 'regression' when rows carry targets."""
        return "regression" if self.rows.targets else "classification"

    @property
    def loss(self) -> str:
        """'cross_entropy' after a softmax, 'bce' after a sigmoid; for targets 'mse' or 'huber'."""
        if self.rows.targets:
            return "huber" if self.delta else "mse"
        return "bce" if self.layers[-1].kind == "sigmoid" else "cross_entropy"

    @property
    def tile(self) -> int:
        """Rows that the device's kernels take together: 4 where a slice holds as many, else 1."""
        return 4 if self.slice >= 4 else 1

    @property
    def gradients(self) -> bool:
        """Whether gradients are kept: plain SGD on single rows moves the weights at once."""
        o = self.optimizer
        return (
            self.batch > 1
            or o.kind != "sgd"
            or any((o.state, o.clip, o.decay))
            or bool(self.windows)  # a weight's gradient is a sum over windows
        )

    @cached_property
    def _bytes(self) -> bytes:
        sections = {
            b"BORD": pack_text(self.board),
            b"NAME": b"".join(map(pack_texts, (self.features, self.classes, self.targets))),
            b"INPT": self.inputs.to_bytes(),
            b"OUTP": self.outputs.to_bytes(),
            b"ROWS": self.rows.to_bytes(),
            b"HOLD": _pack_validation(self.validation),
            b"NETW": _pack_network(self),
            b"TRAN": _pack_training(self),
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
            name = Reader(sections[b"NAME"], "names")
            layers, delta = _unpack_network(sections[b"NETW"])
            rows = Rows.from_bytes(sections[b"ROWS"])
            optimizer, batch, slice_, flags = _unpack_training(sections[b"TRAN"])
            plan = cls(
                Reader(sections[b"BORD"], "board").text(),
                name.texts(),
                name.texts(),
                name.texts(),
                Inputs.from_bytes(sections[b"INPT"]),
                Outputs.from_bytes(sections[b"OUTP"]),
                rows,
                layers,
                optimizer,
                batch,
                slice_,
                delta,
                _unpack_validation(sections[b"HOLD"], rows),
                bool(flags & KEEP_BEST),
                bool(flags & REFILL),
            )
        except KeyError as missing:
            raise PlanError(f"the plan has no section {missing}; make it again") from None
        if plan.to_bytes() != data:
            raise PlanError(
                "the plan's bytes are not canonical; make it again with `tinydream plan`"
            )
        return plan

    @property
    def operations(self) -> tuple[Layer, ...]:
        """The layers that have outputs of their own; activations and heads work in place."""
        return self.layers[::2]

    @property
    def windows(self) -> tuple[Window | None, ...]:
        """The window of each operation, or None; empty where there is none at all."""
        found = tuple(layer.window for layer in self.operations)
        return found if any(found) else ()

    @property
    def dense(self) -> tuple[Layer, ...]:
        """The dense layers."""
        return tuple(layer for layer in self.layers if layer.kind == "dense")

    @property
    def phases(self) -> tuple[str, ...]:
        """What happens to a slice of a batch, and then the update."""
        return phases(self.operations)

    @property
    def places(self) -> tuple[int, ...]:
        """Where the outputs of each operation lie, in numbers for each row of a slice."""
        return tuple(x[2] for x in self._activations[1 : 1 + len(self.operations)])

    @cached_property
    def _activations(self) -> list[tuple[str, int, int, int, int]]:
        return activations(self.operations, self.rows.columns, self.rows.targets)

    @cached_property
    def arena(self) -> tuple[Buffer, ...]:
        """The pieces of the arena in their order, with offsets; td_train.c lays out the same."""
        always, loss = (0, len(self.phases) - 1), 1 + len(self.operations)
        pieces = [("weights", self.parameters, "always", *always)]
        if self.gradients:
            pieces.append(("gradients", self.moving, "training", *always))
        if self.layers and (kept := [x for x in self.operations if x.train == "late"]):
            words = 1 + self.batch * (kept[0].inputs + kept[0].outputs)
            pieces.append(("kept rows", words, "training", *always))
        if self.optimizer.state:
            pieces.append(("optimizer", self.optimizer.state * self.moving, "training", *always))
        if self.keep_best:
            pieces.append(("best weights", self.moving, "training", *always))
        if self.rows.soft_bits:
            pieces.append(("target", self.rows.classes, "batch", loss, loss))
        pieces.append(("draws", 2 * self.slice, "batch", 0, loss))
        placed, end = [], 0
        for name, words, life, first, last in pieces:
            placed.append((name, words, life, end, first, last))
            end += words
        for name, words, place, first, last in self._activations:
            at = end + self.slice * place
            placed.append((name, self.slice * words, "batch", at, first, last))
        return line_up(placed)

    @property
    def arena_bytes(self) -> int:
        """Bytes of the one RAM block that training uses."""
        return max(buffer.offset + buffer.bytes for buffer in self.arena)

    @cached_property
    def constants(self) -> dict[str, bytes]:
        """Every constant table in flash, by name, as the device holds it."""
        tables = self.inputs.tables() | self.outputs.tables() | self.rows.tables()
        if self.validation:
            tables["validation"] = self.validation.bits.tobytes()
        return {name: data for name, data in tables.items() if data}

    @property
    def representative_bytes(self) -> int:
        """Bytes of all that stands for the data: rows, labels, weights, scales, deviation model."""
        return sum(map(len, self.constants.values()))


# ---- bytes ----


def _pack_network(plan: Plan) -> bytes:
    head = struct.pack("<BBf", len(plan.layers), LOSSES[plan.loss], plan.delta)
    return head + pack_layers(plan.layers, plan.places)


def _unpack_network(data: bytes) -> tuple[tuple[Layer, ...], float]:
    read = Reader(data, "network")
    count, loss, delta = read.unpack("<BBf")
    layers = unpack_layers(read, count)
    read.end(loss in LOSSES.values(), f"loss {loss} is unknown")
    return layers, delta


def _pack_validation(rows: Rows | None) -> bytes:
    return struct.pack("<I", rows.count) + rows.bits.tobytes() if rows else struct.pack("<I", 0)


def _unpack_validation(data: bytes, rows: Rows) -> Rows | None:
    read = Reader(data, "validation rows")
    (count,) = read.unpack("<I")
    held = rows.plain(read.array(np.uint8, len(data) - 4), count) if count else None
    read.end(True, "")
    return held


def _pack_training(plan: Plan) -> bytes:
    o = plan.optimizer
    numbers = (o.a, o.b, o.c, o.clip, o.decay)
    sizes = (plan.keep_best * KEEP_BEST | plan.refill * REFILL, plan.batch, plan.slice)
    return struct.pack("<BfffffBHH", OPTIMIZERS[o.kind], *numbers, *sizes)


def _unpack_training(data: bytes) -> tuple[Optimizer, int, int, int]:
    read = Reader(data, "training")
    names = {number: kind for kind, number in OPTIMIZERS.items()}
    kind, *numbers, flags, batch, slice_ = read.unpack("<BfffffBHH")
    read.end(kind in names, f"optimizer {kind} is unknown")
    return Optimizer(names[kind], *numbers), batch, slice_, flags


def _sections(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    read = Reader(data, "file")
    magic, fmt, count = read.unpack("<4sHH")
    read.check(magic == MAGIC, "it is not a tinydream plan")
    read.check(fmt == FORMAT, f"it has format {fmt}; this tinydream reads format {FORMAT}")
    for _ in range(count):
        tag, length = read.unpack("<4sI")
        yield tag, read.take(length)
    read.end(True, "")
