"""A model for each plane of a table: one of its own, or one that many share by their places."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tinydream.store.fit import MANY, Fitted, choose, finish
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
OWN = 0.6  # what models of their own must save
MOST_PHASES = 16
FAR = 130  # places back where a repetition is looked for


def fit_models(
    planes: U64, step: int, rows: int, like: Sequence[int]
) -> tuple[list[Model], list[int]]:
    """Models, and which one each plane (p, s) has.

    planes: whole blocks of `step` rows, that stand for `rows`. like (p,): planes of the same
    number are alike enough to share a model.
    """
    sample = _runs(planes, min(RUN, step), ROWS if len(planes) < MANY else ROWS // 2, rows)
    models: list[Model] = []
    of = np.zeros(len(planes), np.intp)
    start = 0
    while start < len(planes):
        stop = start + 1
        while stop < len(planes) and like[stop] == like[start]:
            stop += 1
        made = _shared(planes, step, rows, sample, start, stop) if stop - start >= WIDE else []
        made = made or [([j], choose(sample, j).model) for j in range(start, stop)]
        for which, model in made:
            of[which] = len(models)
            models.append(finish(Sight(planes, step, which), model))
        start = stop
    return models, of.tolist()


def _runs(planes: U64, run: int, most: int, rows: int) -> Sample:
    """At most so many rows: runs evenly spaced."""
    count, want = planes.shape[1] // run, max(1, most // run)
    if count > want:
        at = np.arange(want) * count // want
        planes = np.concatenate([planes[:, a * run : (a + 1) * run] for a in at], axis=1)
    planes = np.ascontiguousarray(planes)
    return Sample(planes, run, rows / max(1, planes.shape[1]))


def _shared(
    planes: U64, step: int, rows: int, sample: Sample, start: int, stop: int
) -> list[tuple[list[int], Model]]:
    """One model for all of these planes, or one for those of each phase of a repetition; none
    where models of their own would take less."""
    count = stop - start
    s = max(8, NUMBERS // count)
    some = _runs(planes[start:stop], min(s, RUN, step), s, rows)
    back, line = _places(some.rows[0])
    fitted = [(list(range(count)), _pooled(some, list(range(count)), back))]
    if line and line <= MOST_PHASES:
        phases = [list(range(k, count, line)) for k in range(line)]
        apart = [(which, _pooled(some, which, back)) for which in phases]
        if sum(f.cost for _, f in apart) < fitted[0][1].cost:
            fitted = apart
    busy = np.flatnonzero(some.rows[0].any(axis=1))
    tried = busy[np.linspace(0, len(busy) - 1, min(TRIED, len(busy))).astype(int)].tolist()
    own = sum(choose(sample, start + j).cost for j in tried) / max(1, len(tried)) * len(busy)
    if own < OWN * sum(f.cost for _, f in fitted):
        return []
    return [([start + j for j in which], f.model) for which, f in fitted]


def _pooled(some: Sample, which: list[int], back: list[int]) -> Fitted:
    """The model for some planes of a sample, that look at planes so many places back."""
    values = some.rows[0]
    where = np.array(which)
    pooled = np.zeros((len(back) + 1, len(which), values.shape[1]), np.int64)
    for row, k in zip(pooled, [*back, 0], strict=True):
        row[where >= k] = values[where[where >= k] - k]
    sample = Sample(pooled.reshape(len(pooled), -1).view(np.uint64), some.step, some.scale)
    return _place(choose(sample, len(back)), back)


def _places(values: NDArray[np.int64]) -> tuple[list[int], int]:
    """How many planes back it may pay to look, the farthest first: neighbours, a line, two; and
    how long the line is, or 0."""
    count = len(values)
    near = [k for k in (1, 2, 3, 4) if k < count]
    apart = np.array(
        [np.abs(values[k:] - values[:-k]).mean() for k in range(1, min(FAR, count // 2))]
    )
    found, line = set(near), 0
    if len(apart) > 8:
        line = int(apart[4:].argmin()) + 5
        if apart[line - 1] >= apart[4:].mean() * 0.9:
            line = 0
        else:
            found |= {k for k in (line - 1, line, line + 1, 2 * line) if k < count}
    return sorted(found, reverse=True), line


def _place(fitted: Fitted, back: Sequence[int]) -> Fitted:
    """References to rows of the pooled sample as references to planes."""
    places = [*back, 0]

    def there(ref: Ref) -> Ref:
        return Ref(ref.row, places[len(back) - ref.plane])

    def seen(context: Context) -> Context:
        return replace(context, refs=tuple(map(there, context.refs)))

    model = fitted.model
    taps = tuple(replace(tap, ref=there(tap.ref)) for tap in model.taps)
    return Fitted(replace(model, taps=taps, context=seen(model.context)), fitted.cost)
