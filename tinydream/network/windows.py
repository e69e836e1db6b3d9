"""Layers that move a window over inputs with a shape: convolutions and pools, as Keras has them.

Inputs are (height, width, channels), or (steps, channels) for signals; channels lie innermost.
"""

import math
from dataclasses import dataclass

import numpy as np

from tinydream.errors import InputError
from tinydream.plan import Layer, Window

__all__ = [
    "AveragePool",
    "Conv",
    "Depthwise",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "MaxPool",
    "Windowed",
    "check_train",
    "window_record",
]

Size = int | tuple[int, int]
Shape = tuple[int, ...]
PADDING = ("valid", "same")
WORDS = ("all", "bias", "none")


def _check_window(name: str, size: Size, strides: Size, padding: str) -> None:
    for what, numbers in (("size", size), ("strides", strides)):
        each = (numbers,) if isinstance(numbers, int) else tuple(numbers)
        if len(each) not in (1, 2) or not all(isinstance(n, int) and 1 <= n < 65536 for n in each):
            raise InputError(f"the {what} of {name} is one number above 0 or two, not {numbers!r}")
    if padding not in PADDING:
        raise InputError(f"padding is {' or '.join(PADDING)}, not {padding!r}")


@dataclass(frozen=True)
class Conv:
    """`filters` sums over a window of all channels, each plus a bias: Keras' Conv1D and Conv2D.

    size, strides: one number, or (height, width). padding: 'valid', or 'same', which adds more at
    the end. train: as of Dense. Raises InputError for a number or word out of range.
    """

    filters: int
    size: Size = 3
    strides: Size = 1
    padding: str = "valid"
    train: str = "all"

    def __post_init__(self) -> None:
        _check_window("Conv", self.size, self.strides, self.padding)
        check_train(self.train)
        if not 1 <= self.filters <= 65535:
            raise InputError(f"Conv needs 1..65535 filters, not {self.filters}")


@dataclass(frozen=True)
class Depthwise:
    """A sum over a window of each channel alone, plus a bias: Keras' DepthwiseConv of multiplier 1.

    The other fields are those of Conv. Raises InputError for a number or word out of range.
    """

    size: Size = 3
    strides: Size = 1
    padding: str = "valid"
    train: str = "all"

    def __post_init__(self) -> None:
        _check_window("Depthwise", self.size, self.strides, self.padding)
        check_train(self.train)


@dataclass(frozen=True)
class MaxPool:
    """The largest number of each channel in a window. strides: None is the size.

    Windows must not overlap, so strides are no less than the size. Raises InputError otherwise.
    """

    size: Size = 2
    strides: Size | None = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        _check_window("MaxPool", self.size, self.strides or self.size, self.padding)
        pairs = zip(_pair(self.size), _pair(self.strides or self.size), strict=True)
        if any(size > stride for size, stride in pairs):
            raise InputError(
                "windows of MaxPool must not overlap; its strides are at least its size"
            )


@dataclass(frozen=True)
class AveragePool:
    """The mean of each channel in a window; what lies outside does not count. As MaxPool, but
    windows may overlap. Raises InputError for a number or word out of range.
    """

    size: Size = 2
    strides: Size | None = None
    padding: str = "valid"

    def __post_init__(self) -> None:
        _check_window("AveragePool", self.size, self.strides or self.size, self.padding)


@dataclass(frozen=True)
class GlobalMaxPool:
    """The largest number of each channel, one row of them."""


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean of each channel, one row of them."""


@dataclass(frozen=True)
class Flatten:
    """All numbers in one row, as they lie; costs nothing."""


Windowed = Conv | Depthwise | MaxPool | AveragePool | GlobalMaxPool | GlobalAveragePool


def check_train(train: str) -> None:
    """Raises InputError unless it says which parameters training moves."""
    if train not in WORDS:
        raise InputError(f"train is one of {', '.join(WORDS)}, not {train!r}")


def window_record(layer: Windowed, shape: Shape) -> tuple[Layer, Shape]:
    """The plan's layer for inputs of this shape, and the shape of its outputs.

    Raises InputError when the window is larger than the inputs, or two numbers meet a signal.
    """
    if len(shape) not in (2, 3):
        raise InputError(
            f"{type(layer).__name__} wants inputs of shape (height, width, channels) or (steps,"
            f" channels), not {shape}; give the network its shape"
        )
    full = (1, *shape) if len(shape) == 2 else shape
    window = _window(layer, full, signal=len(shape) == 2)
    outputs = (window.out_height, window.out_width, window.filters)
    sizes = (math.prod(full), math.prod(outputs))
    if max(sizes) > 65535:
        raise InputError(f"an activation has at most 65535 numbers, not {max(sizes):,}")
    record = Layer(_KINDS[type(layer)], *sizes, _limit(layer, window), _train(layer), window)
    if isinstance(layer, GlobalMaxPool | GlobalAveragePool):
        return record, (window.filters,)
    return record, outputs[len(full) - len(shape) :]


_KINDS: dict[type, str] = {
    Conv: "conv",
    Depthwise: "depthwise",
    MaxPool: "max_pool",
    GlobalMaxPool: "max_pool",
    AveragePool: "average_pool",
    GlobalAveragePool: "average_pool",
}


def _pair(size: Size, *, signal: bool = False) -> tuple[int, int]:
    if isinstance(size, int):
        return (1, size) if signal else (size, size)
    if len(size) == 1:
        return _pair(size[0], signal=signal)
    if signal:
        raise InputError(f"a window over a signal has one length, not {tuple(size)}")
    return (size[0], size[1])


def _window(layer: Windowed, shape: Shape, *, signal: bool) -> Window:
    height, width, channels = shape
    filters = layer.filters if isinstance(layer, Conv) else channels
    if isinstance(layer, GlobalMaxPool | GlobalAveragePool):
        return Window(height, width, channels, 1, 1, filters, height, width, height, width, 0, 0)
    size = _pair(layer.size, signal=signal)
    stride = _pair(layer.strides or layer.size, signal=signal)
    axes = [
        _axis(n, k, s, layer.padding) for n, k, s in zip((height, width), size, stride, strict=True)
    ]
    if min(outs for outs, _ in axes) < 1:
        name = type(layer).__name__
        raise InputError(f"the window {size} of {name} does not fit into {(height, width)}")
    (rows, top), (columns, left) = axes
    outputs = (rows, columns, filters)
    return Window(height, width, channels, *outputs, *size, *stride, top, left)


def _axis(length: int, size: int, stride: int, padding: str) -> tuple[int, int]:
    """How many windows along an axis, and how far the first reaches over the edge."""
    if padding == "valid":
        return (length - size) // stride + 1, 0
    outs = -(-length // stride)
    return outs, max((outs - 1) * stride + size - length, 0) // 2


def _train(layer: Windowed) -> str:
    return layer.train if isinstance(layer, Conv | Depthwise) else "none"


def _limit(layer: Windowed, window: Window) -> float:
    """Of Glorot's uniform initial weights, with Keras' counts of what goes in and out."""
    taps = window.rows * window.columns
    if isinstance(layer, Conv):
        return float(np.float32(math.sqrt(6 / (taps * (window.channels + window.filters)))))
    if isinstance(layer, Depthwise):
        return float(np.float32(math.sqrt(6 / (taps * (window.channels + 1)))))
    return 0.0
