"""How a plane of integers is guessed and coded: a model, and its bytes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Context", "Model", "Ref", "Tap", "leb", "read_models", "write_models"]

MODES = ("zero", "direct", "residual")
KINDS = ("none", "value", "guess", "change")


@dataclass(frozen=True)
class Ref:
    """The number `row` rows before, `plane` planes before."""

    row: int
    plane: int


@dataclass(frozen=True)
class Tap:
    """What a guess takes: a number, times weight / 2^shift."""

    ref: Ref
    weight: int


@dataclass(frozen=True)
class Context:
    """Classes of rows by a quantity: 1 + how many thresholds it reaches."""

    kind: str = "none"
    refs: tuple[Ref, ...] = ()
    thresholds: tuple[int, ...] = ()

    @property
    def classes(self) -> int:
        return len(self.thresholds) + 1


@dataclass(frozen=True, eq=False)
class Model:
    """mode: zero, direct or residual. base, bits (tokens): what a token stands for. map: table of
    each class. frequency (tables, tokens + 1): shares of 1024, what escapes last."""

    mode: str = "zero"
    taps: tuple[Tap, ...] = ()
    shift: int = 0
    bias: int = 0
    context: Context = Context()
    base: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    bits: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    map: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    frequency: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((0, 0), np.uint16))

    def to_bytes(self) -> bytes:
        head: list[int] = [MODES.index(self.mode)]
        if self.mode == "zero":
            return leb(head)
        head += [len(self.taps), self.shift, _zigzag(self.bias)]
        for tap in self.taps:
            head += [tap.ref.row, tap.ref.plane, _zigzag(tap.weight)]
        context = self.context
        head.append(KINDS.index(context.kind))
        for ref in context.refs:
            head += [ref.row, ref.plane]
        if context.kind != "none":
            steps = np.diff(np.array((0, *context.thresholds), object))
            head += [len(context.thresholds), *steps.tolist()]
        head.append(len(self.base))
        end = 0
        for base, bits in zip(self.base.tolist(), self.bits.tolist(), strict=True):
            head += [base - end, bits]
            end = base + (1 << bits)
        head += [len(self.frequency), *self.map.tolist()]
        return leb(head) + leb(self.frequency.reshape(-1).tolist())


def _zigzag(x: int) -> int:
    return 2 * x if x >= 0 else -2 * x - 1


def leb(numbers: Iterable[int]) -> bytes:
    """Unsigned LEB128, number after number."""
    out = bytearray()
    for x in numbers:
        while x > 127:
            out.append(x & 127 | 128)
            x >>= 7
        out.append(x)
    return bytes(out)


def write_models(models: Sequence[Model], of: Sequence[int], skip: Sequence[int]) -> bytes:
    """The model section: for each plane its model, and the plane + 1 that tells what is skipped."""
    planes: list[Any] = [each for pair in zip(of, skip, strict=True) for each in pair]
    return leb([len(of), len(models), *planes]) + b"".join(m.to_bytes() for m in models)


def read_models(data: bytes) -> list[Model]:
    """Each plane's model, tables left out, of a section that C has read before."""
    numbers = _numbers(data)
    planes, count = next(numbers), next(numbers)
    of = [(next(numbers), next(numbers))[0] for _ in range(planes)]
    models = [_read(numbers) for _ in range(count)]
    return [models[m] for m in of]


def _numbers(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield value
            value = shift = 0


def _read(numbers: Iterator[int]) -> Model:
    def ref() -> Ref:
        return Ref(next(numbers), next(numbers))

    def whole() -> int:
        x = next(numbers)
        return x // 2 if x % 2 == 0 else -(x + 1) // 2

    def context() -> Context:
        kind = KINDS[next(numbers)]
        refs = tuple(ref() for _ in range({"value": 1, "change": 3}.get(kind, 0)))
        steps = [next(numbers) for _ in range(next(numbers))] if kind != "none" else []
        return Context(kind, refs, tuple(np.cumsum(steps, dtype=np.uint64).tolist()))

    mode = MODES[next(numbers)]
    if mode == "zero":
        return Model()
    taps, shift, bias = next(numbers), next(numbers), whole()
    given = tuple(Tap(ref(), whole()) for _ in range(taps))
    seen = context()
    tokens = next(numbers)
    for _ in range(2 * tokens):
        next(numbers)
    tables = next(numbers)
    for _ in range(seen.classes if tables else 0):
        next(numbers)
    for _ in range(tables * (tokens + 1)):
        next(numbers)
    return Model(mode, given, shift, bias, seen)
