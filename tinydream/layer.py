"""Layers as a plan holds them: sizes, what of them trains, and where a window meets its inputs.

Layers alternate: an operation, which has outputs of its own, then an activation in place.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from tinydream.reader import Reader

__all__ = ["KINDS", "TRAIN", "WINDOWED", "Layer", "Window", "pack_layers", "unpack_layers"]

KINDS = {
    "dense": 1,
    "relu": 2,
    "softmax": 3,
    "relu6": 4,
    "leaky_relu": 5,
    "tanh": 6,
    "sigmoid": 7,
    "conv": 8,
    "depthwise": 9,
    "max_pool": 10,
    "average_pool": 11,
    "linear": 12,
    "batch_norm": 13,
    "dropout": 14,
    "add": 15,
}
TRAIN = {"all": 0, "bias": 1, "none": 2, "late": 3}
AGAIN = 4  # is added to them
WINDOWED = (
    "conv",
    "depthwise",
    "max_pool",
    "average_pool",
    "batch_norm",
    "dropout",
    "add",
)


@dataclass(frozen=True)
class Window:
    """How a window moves over inputs of shape (height, width, channels), channels innermost.

    rows, columns: its size. down, right: its strides. top, left: how far the first window reaches
    over the edge, where inputs are left out. The outputs have shape (out_height, out_width,
    filters); signals have height 1.
    """

    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    filters: int
    rows: int
    columns: int
    down: int
    right: int
    top: int
    left: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of them in the order above, as they are stored."""
        return tuple(vars(self).values())


@dataclass(frozen=True)
class Layer:
    """One layer: kind, inputs, outputs; `limit` bounds initial weights. A leaky ReLU's slope, a
    batch norm's momentum, a dropout's rate, the number of the layer whose outputs an add adds.

    train: which of a layer's parameters training moves: 'all', 'bias' or 'none'; 'late': all,
    without gradients in memory (`Plan.late`). window: of all operations but dense ones. again:
    whether an operation's outputs are computed again in the backward pass, not kept until then.
    """

    kind: str
    inputs: int
    outputs: int
    limit: float = 0.0
    train: str = "all"
    window: Window | None = None
    again: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its weights: (out, in), (filters, rows, columns, channels), (rows, columns, channels).

        Of a batch norm (3, channels): mean, variance, scale. Empty where it has none.
        """
        if self.kind == "dense":
            return (self.outputs, self.inputs)
        if self.window is None or self.kind not in ("conv", "depthwise", "batch_norm"):
            return ()
        w = self.window
        if self.kind == "batch_norm":
            return (3, w.channels)
        return (*((w.filters,) if self.kind == "conv" else ()), w.rows, w.columns, w.channels)

    @property
    def beside(self) -> int:
        """The operation, counted from 1, whose outputs an add adds to its inputs; 0 for others."""
        return int(self.limit) // 2 + 1 if self.kind == "add" else 0

    @property
    def biases(self) -> int:
        if self.kind == "dense":
            return self.outputs
        return self.window.filters if self.window and self.shape else 0

    @property
    def weights(self) -> int:
        count = 1 if self.shape else 0
        for length in self.shape:
            count *= length
        return count

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def moving(self) -> int:
        """Parameters that training moves by gradients in memory."""
        if self.train in ("none", "late"):
            return 0
        return self.parameters if self.train == "all" else self.biases

    @property
    def products(self) -> int:
        """Multiply-adds of a forward pass over one row, edges counted as if they were inside."""
        if self.kind == "dense":
            return self.weights
        if self.window is None or self.kind not in ("conv", "depthwise"):
            return 0
        return self.window.out_height * self.window.out_width * self.weights


def pack_layers(layers: Iterable[Layer], places: Iterable[int]) -> bytes:
    """SPEC.md, "Plan", NETW: a layer each; places: those of the operations' outputs."""
    at, body = iter(places), b""
    for i, x in enumerate(layers):
        place = next(at, 0) if i % 2 == 0 else 0
        sizes = (x.inputs, x.outputs, place)
        train = TRAIN[x.train] + AGAIN * x.again
        body += struct.pack("<BBHHIf", KINDS[x.kind], train, *sizes, x.limit)
        body += struct.pack("<12H", *x.window.numbers) if x.window else b""
    return body


def unpack_layers(read: Reader, count: int) -> tuple[Layer, ...]:
    """The same, read; raises PlanError for a kind that is unknown."""
    names = {number: kind for kind, number in KINDS.items()}
    layers = []
    for _ in range(count):
        kind, train, inputs, outputs, _, limit = read.unpack("<BBHHIf")
        read.check(kind in names, f"layer kind {kind} is unknown")
        read.check(train < 2 * AGAIN, f"training {train} of a layer is unknown")
        window = Window(*read.unpack("<12H")) if names[kind] in WINDOWED else None
        how = list(TRAIN)[train % AGAIN], window, train >= AGAIN
        layers.append(Layer(names[kind], inputs, outputs, limit, *how))
    return tuple(layers)
