"""Representatives as one can see them: pictures, curves or bars, and rows dreamt around one."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from tinydream.codec import Representatives
from tinydream.plan import Plan
from tinydream.report import draw
from tinydream.report.evidence import Evidence

__all__ = ["Group", "Portrait", "Portraits", "picture_shape", "portraits"]

MOST = 60  # portraits on a page
CELLS = 30_000  # and numbers in them
DREAMS = 8  # rows dreamt around one representative
BARS = 24  # more features than that are a curve
SMALLEST = 16  # pixels that may be a picture

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Portrait:
    """One representative: what it looks like, for how many rows it stands, its raw values."""

    image: Markup
    weight: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Group:
    """The heaviest representatives of one class, the heaviest first; count: of all it has."""

    name: str
    count: int
    portraits: tuple[Portrait, ...]


@dataclass(frozen=True)
class Portraits:
    """kind: 'pictures', 'curves' or 'bars'. features: names of the values of a portrait.

    projected: how many numbers of a representative its portrait is drawn from, or 0 when they are
    its own. alike: whether held-out rows told what such rows are like; else it is the
    least-squares back-projection.
    dreams: rows drawn around the first portrait; none when rows are not dreamt.
    """

    kind: str
    features: tuple[str, ...]
    groups: tuple[Group, ...]
    dreams: tuple[Markup, ...]
    projected: int = 0
    alike: bool = False

    @property
    def shown(self) -> int:
        return sum(len(group.portraits) for group in self.groups)


def picture_shape(plan: Plan) -> tuple[int, int] | None:
    """(rows, columns) when the features are the pixels of an image, else None.

    They are when all names end in _r_c (rows and columns counted from 0 or 1) and fill a
    rectangle. They are also when they are a square of 16 or more, share one unit (one input
    scale serves all), and are only numbered (x0, x1, ...): a name of its own means a sensor.
    """
    places = [re.search(r"_(\d+)_(\d+)$", name) for name in plan.features]
    if all(places):
        grid = np.array([[int(p[1]), int(p[2])] for p in places if p])
        grid -= grid.min(axis=0)
        rows, columns = (int(each) + 1 for each in grid.max(axis=0))
        order = grid[:, 0] * columns + grid[:, 1]
        whole = np.array_equal(order, np.arange(rows * columns))
        return (rows, columns) if whole and min(rows, columns) > 1 else None
    stems = {re.sub(r"\d+$", "", name) for name in plan.features}
    side = round(len(plan.features) ** 0.5)
    numbered = len(stems) == 1 and stems != set(plan.features)
    square = side * side == len(plan.features) >= SMALLEST
    return (side, side) if square and numbered and len(plan.inputs.shift) == 1 else None


def portraits(evidence: Evidence) -> Portraits | None:
    """The heaviest representatives of each class, and dreams around the very first."""
    plan, reps = evidence.plan, evidence.representatives
    if plan is None or reps is None:
        return None
    X = _scaled(evidence, reps, reps.X)
    kind, paint = _painter(plan, X)
    groups = tuple(
        Group(
            name,
            len(members),
            tuple(
                Portrait(
                    paint(X[i], f"representative of {int(reps.weight[i])} rows, {name}"),
                    int(reps.weight[i]),
                    _raw(plan, X[i]),
                )
                for i in members[:most].tolist()
            ),
        )
        for name, members, most in _members(evidence, reps)
    )
    first = int(_members(evidence, reps)[0][1][0])
    dreams = [paint(row, "a row dreamt around it") for row in _around(evidence, reps, first)]
    names = [name for name, kept in zip(plan.features, plan.inputs.kept, strict=True) if kept]
    projected = reps.inputs.outputs if reps.inputs.projection else 0
    alike = evidence.likeness is not None
    return Portraits(kind, tuple(names), groups, tuple(dreams), projected, alike)


def _scaled(evidence: Evidence, reps: Representatives, z: F32) -> F32:
    """Network inputs (n, r) as scaled inputs (n, d) of rows that are like them."""
    if evidence.likeness is None:
        return reps.inputs.back(z)
    return evidence.likeness.scaled(z)


def _members(evidence: Evidence, reps: Representatives) -> list[tuple[str, NDArray[np.intp], int]]:
    """Of each group: its name, its representatives from the heaviest down, how many to show."""
    most = max(1, min(MOST, CELLS // reps.inputs.raw_columns))
    heavy = np.argsort(-reps.weight, kind="stable")
    if evidence.regression:
        return [("all of them", heavy, most)]
    label = reps.y[heavy]
    found = [(name, heavy[label == k]) for k, name in enumerate(evidence.classes)]
    some = [(name, members) for name, members in found if len(members)][:most]
    return [(name, members, max(1, most // len(some))) for name, members in some]


def _painter(plan: Plan, X: F32) -> tuple[str, Callable[[F32, str], Markup]]:
    low, high = float(X.min()), float(X.max())
    shape, kept = picture_shape(plan), plan.inputs.kept
    if shape:

        def picture(row: F32, label: str) -> Markup:
            pixels = np.full(len(kept), low)
            pixels[kept] = row
            return draw.heat(pixels.reshape(shape), low, high, label, "picture")

        return "pictures", picture
    if X.shape[1] > BARS:
        return "curves", lambda row, label: draw.spark(np.clip(row, low, high), low, high, label)
    lows, highs = X.min(axis=0), X.max(axis=0)
    return "bars", lambda row, label: draw.bars(row, lows, highs, label)


def _around(evidence: Evidence, reps: Representatives, i: int) -> Sequence[F32]:
    """Scaled inputs (DREAMS, d) of rows that a device holding only representative i would draw."""
    rows = reps.rows
    if not len(rows.sigma):
        return ()
    bits = np.unpackbits(rows.bits, bitorder="little")[i * rows.row_bits : (i + 1) * rows.row_bits]
    one = replace(rows, levels=((DREAMS, 1),), bits=np.packbits(bits, bitorder="little"))
    drawn = Representatives(reps.inputs, one, reps.classes).sample(DREAMS)[0]
    return list(_scaled(evidence, reps, drawn))


def _raw(plan: Plan, row: F32) -> tuple[float, ...]:
    """Scaled inputs (d,) in raw units."""
    scale = np.ldexp(1.0, -plan.inputs.gain.astype(np.int32))
    return tuple((row * scale + plan.inputs.shift).tolist())
