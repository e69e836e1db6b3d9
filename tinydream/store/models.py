"""A model for each plane of a table: one of its own, or one that many share by their places."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinydream.store.fit import Fitted, choose, finish
from tinydream.store.model import Context, Model, Ref
from tinydream.store.sample import Sample
from tinydream.store.sight import Sight

__all__ = ["fit_models"]

U64 = NDArray[np.uint64]

ROWS = 2048  # that choices are made on, when each plane has its own model
NUMBERS = 1 << 15  # when all share one
RUN = 256  # rows in a row
WIDE = 32  # planes that may share a model
TRIED = 12  # of them are compared with models of their own
FAR = 130  # places back where a repetition is looked for


def fit_models(
    planes: U64, step: int, rows: int, like: Sequence[int]
) -> tuple[list[Model], list[int]]:
    """Models, and which one each plane (p, s) has.

    planes: whole blocks of `step` rows, that stand for `rows`. like (p,): planes of the same
    number are alike enough to share a model.
    """
    sample = _runs(planes, min(RUN, step), ROWS, rows)
    models: list[Model] = []
    of: list[int] = []
    start = 0
    while start < len(planes):
        stop = start + 1
        while stop < len(planes) and like[stop] == like[start]:
            stop += 1
        shared = None
        if stop - start >= WIDE:
            shared = _shared(planes[start:stop], step, rows, sample, start)
        if shared is not None:
            of += [len(models)] * (stop - start)
            models.append(shared)
        else:
            for j in range(start, stop):
                of.append(len(models))
                models.append(finish(Sight(planes, step, j), choose(sample, j).model))
        start = stop
    return models, of


def _runs(planes: U64, run: int, most: int, rows: int) -> Sample:
    """At most so many rows: runs evenly spaced."""
    count, want = planes.shape[1] // run, max(1, most // run)
    if count > want:
        at = np.arange(want) * count // want
        planes = np.concatenate([planes[:, a * run : (a + 1) * run] for a in at], axis=1)
    planes = np.ascontiguousarray(planes)
    return Sample(planes, run, rows / max(1, planes.shape[1]))


def _shared(planes: U64, step: int, rows: int, sample: Sample, start: int) -> Model | None:
    """One model for all of these planes, unless models of their own would take less."""
    count = len(planes)
    s = max(8, NUMBERS // count)
    some = _runs(planes, min(s, RUN, step), s, rows)
    values = some.rows[0]
    back = _places(values)
    pooled = np.zeros((len(back) + 1, values.size), np.int64)
    for row, k in enumerate(back):
        pooled[row].reshape(values.shape)[k:] = values[: count - k]
    pooled[-1] = values.reshape(-1)
    fitted = _place(choose(Sample(pooled.view(np.uint64), some.step, some.scale), len(back)), back)
    busy = np.flatnonzero(values.any(axis=1))
    tried = busy[np.linspace(0, len(busy) - 1, min(TRIED, len(busy))).astype(int)]
    own = [choose(sample, start + int(j)).cost for j in tried]
    if not own or sum(own) / len(own) * len(busy) < fitted.cost:
        return None
    most = max(1, (1 << 22) // count // step) * step
    return finish(Sight(np.ascontiguousarray(planes[:, :most]), step, None), fitted.model)


def _places(values: NDArray[np.int64]) -> list[int]:
    """How many planes back it may pay to look, the farthest first: neighbours, a line, two."""
    count = len(values)
    near = [k for k in (1, 2, 3, 4) if k < count]
    apart = np.array(
        [np.abs(values[k:] - values[:-k]).mean() for k in range(1, min(FAR, count // 2))]
    )
    found = set(near)
    if len(apart) > 8:
        line = int(apart[5:].argmin()) + 6
        if apart[line - 1] < apart[4:].mean() * 0.9:
            found |= {k for k in (line - 1, line, line + 1, 2 * line) if k < count}
    return sorted(found, reverse=True)


def _place(fitted: Fitted, back: Sequence[int]) -> Fitted:
    """References to rows of the pooled sample as references to planes."""
    places = [*back, 0]

    def there(ref: Ref) -> Ref:
        return Ref(ref.row, places[len(back) - ref.plane])

    def seen(context: Context) -> Context:
        return replace(context, refs=tuple(map(there, context.refs)))

    model = fitted.model
    taps = tuple(replace(tap, ref=there(tap.ref)) for tap in model.taps)
    first, second = map(seen, model.contexts)
    return Fitted(replace(model, taps=taps, contexts=(first, second)), fitted.cost)
