"""What lies where in the arena, and when: buffers whose lives do not overlap share bytes.

A batch goes slice by slice through these phases: draw, forward 1..L, loss, backward L..f (f being
the lowest operation that training moves), update. Operations (dense layers, convolutions, pools)
are counted from 1; activation 0 is the drawn rows, activation i the outputs of operation i.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Buffer", "Operation", "activations", "droppable", "line_up", "phases"]


@dataclass(frozen=True)
class Buffer:
    """One piece of memory. region: 'arena' (inside the arena), 'ram' or 'flash'; life: when.

    offset: from the arena's beginning. first, last: phases of a batch in which it must stay as it
    is. shared: bytes of it that lie where earlier buffers do, at other times.
    """

    name: str
    region: str
    bytes: int
    align: int
    life: str
    offset: int = 0
    first: int = 0
    last: int = 0
    shared: int = 0


class Operation(Protocol):
    """What is wanted of an operation: outputs, what training moves, what else it reads, and
    whether its outputs are computed again in the backward pass."""

    @property
    def outputs(self) -> int: ...
    @property
    def train(self) -> str: ...
    @property
    def beside(self) -> int: ...
    @property
    def again(self) -> bool: ...


def phases(operations: Sequence[Operation]) -> tuple[str, ...]:
    """The phases of a batch in their order."""
    count, lowest = len(operations), _lowest(operations)
    forward = [f"forward {i}" for i in range(1, count + 1)]
    backward = [f"backward {i}" for i in range(count, lowest - 1, -1)]
    return ("draw", *forward, "loss", *backward, "update")


def activations(
    operations: Sequence[Operation], columns: int, targets: int
) -> list[tuple[str, int, int, int, int]]:
    """Each activation's name, numbers and place (in numbers), first and last phase.

    Numbers are those for each row of a slice. Each lies at the lowest place where nothing lies
    that is wanted at a time when it is. Those that are computed again follow the others once
    more, with the phases of their second life.
    """
    placed: list[tuple[str, int, int, int, int]] = []
    once_more: list[tuple[str, int, int, int, int]] = []
    widths = [columns, *(layer.outputs for layer in operations)]
    for i, (width, lives) in enumerate(zip(widths, _lives(operations, targets), strict=True)):
        taken = sorted(
            (p, p + n)
            for _, n, p, begin, end in (*placed, *once_more)
            if any(begin <= last and first <= end for first, last in lives)
        )
        place = 0
        for start, end in taken:
            if start < place + width:
                place = max(place, end)
        name = f"outputs {i}" if i else "rows"
        placed.append((name, width, place, *lives[0]))
        once_more += [(f"{name} again", width, place, *life) for life in lives[1:]]
    return placed + once_more


def droppable(operations: Sequence[Operation]) -> list[int]:
    """The operations, from 0 on, whose outputs may be computed again: wanted in a backward pass,
    by the next operation alone; sums and what they add are kept."""
    added = {layer.beside for layer in operations}
    lowest, last = _lowest(operations), len(operations)
    return [i - 1 for i in range(lowest, last) if not operations[i - 1].beside and i not in added]


def line_up(pieces: Iterable[tuple[str, int, str, int, int, int]]) -> tuple[Buffer, ...]:
    """Buffers of the arena from (name, numbers, life, place, first, last), in order of placing."""
    buffers: list[Buffer] = []
    end = 0
    for name, words, life, place, first, last in pieces:
        own = max(0, place + words - max(end, place))
        end = max(end, place + words)
        numbers = (4 * words, 4, life, 4 * place, first, last, 4 * (words - own))
        buffers.append(Buffer(name, "arena", *numbers))
    return tuple(buffers)


def _lowest(operations: Sequence[Operation]) -> int:
    """The lowest operation that trains; out of reach in a network that only predicts."""
    moving = (i for i, layer in enumerate(operations, 1) if layer.train != "none")
    return next(moving, len(operations) + 2)


def _lives(operations: Sequence[Operation], targets: int) -> list[list[tuple[int, int]]]:
    """First and last phases of each activation, the drawn rows first.

    What is computed again is wanted until the next operation has read it, and then from the
    backward pass on that ends its stretch of such operations; what this begins with, until then.
    """
    count = len(operations)
    lives = [[(i, _last_use(operations, i, targets))] for i in range(count + 1)]
    until = 0  # that phase, of the stretch that we are in
    for i in range(count, -1, -1):
        first, last = lives[i][0]
        if i and operations[i - 1].again:
            until = until or 2 * count + 1 - i
            lives[i] = [(i, i + 1), (until, last)]
        else:
            lives[i] = [(first, max(last, until))]
            until = 0
    return lives


def _last_use(operations: Sequence[Operation], i: int, targets: int) -> int:
    """The last phase in which activation i, or the gradient written over it, is read."""
    count, lowest = len(operations), _lowest(operations)
    beside = operations[i - 1].beside if i else 0
    if beside >= lowest:
        return 2 * count + 1 - beside  # its gradient is also that of what it added
    if i >= lowest:
        return 2 * count + 2 - i  # backward i reads its gradient
    if i + 1 == lowest and operations[i].train == "all":
        return 2 * count + 1 - i  # backward i + 1 reads it
    adds = [a for a, layer in enumerate(operations, 1) if i and layer.beside == i]
    return max(count + 1 if i == 0 and targets else i + 1, *adds, 0)  # the loss, or a forward pass
