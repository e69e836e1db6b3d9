"""Which outputs are computed again in the backward pass, so that less memory holds them."""

from collections.abc import Iterable
from dataclasses import replace

from tinydream.arena import droppable
from tinydream.plan import Plan

__all__ = ["computed_again"]

Marks = frozenset[int]


def computed_again(plan: Plan, most: int = 0) -> Plan:
    """The plan with outputs computed again so that its arena takes at most `most` bytes.

    Of the choices looked at, the one that computes least again; where none takes so little, the
    one that takes least (which is what `most` = 0 asks for). The plan itself where nothing is
    gained. (Chen and others, "Training deep nets with sublinear memory cost", 2016: outputs are
    kept at some operations, and the stretch behind each is computed again. There all stretches
    are of one length; here each operation is tried.)
    """
    open_to = droppable(plan.operations)
    best, least = plan, _cost(plan, most)
    for period in range(1, len(open_to) + 1):  # every so many operations keep theirs, or all do
        marks = frozenset(open_to if period > 1 else ()) - frozenset(open_to[::period])
        found = _descend(plan, marks, open_to, most)
        if (cost := _cost(found, most)) < least:
            best, least = found, cost
    return best


def _descend(plan: Plan, marks: Marks, open_to: Iterable[int], most: int) -> Plan:
    """From some marks on, one more or one less for as long as that costs less."""
    now = _marked(plan, marks)
    while True:
        tried = [(_marked(plan, marks ^ {i}), marks ^ {i}) for i in open_to]
        best, changed = min(tried, key=lambda each: _cost(each[0], most), default=(now, marks))
        if _cost(best, most) >= _cost(now, most):
            return now
        now, marks = best, changed


def _marked(plan: Plan, marks: Marks) -> Plan:
    layers = list(plan.layers)
    for i in range(0, len(layers), 2):
        layers[i] = replace(layers[i], again=i // 2 in marks)
    return replace(plan, layers=tuple(layers))


def _cost(plan: Plan, most: int) -> tuple[int, int, int]:
    """Bytes too many; multiply-adds, and numbers, that are computed again for a row."""
    again = [x for x in plan.operations if x.again]
    over = max(0, plan.arena_bytes - most)
    return over, sum(x.products for x in again), sum(x.outputs for x in again)
