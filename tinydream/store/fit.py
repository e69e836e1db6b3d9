"""Chooses, by measurement on some rows, how each plane of integers is coded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.store.model import Context, Model, Ref, Tap

__all__ = ["Fitted", "fit_planes"]

U64 = NDArray[np.uint64]
U16 = NDArray[np.uint16]

PRICE = 24.0  # bits that a token costs by itself: its place, and its share in some tables
MOST_TOKENS = 1024
CLASSES = (16, 8)  # of the first context and of the second one
SHIFT = 14  # of weights that are not whole


class View:
    """Planes (p, s) as one long column each, or all of them as one; `step` rows a block.

    Numbers are found by reference, as the decoder finds them.
    """

    def __init__(self, planes: U64, step: int, plane: int | None) -> None:
        self.planes, self.step, self.plane = planes, step, plane
        self.cache: dict[Any, Any] = {}

    def at(self, ref: Ref) -> U64:
        if ref in self.cache:
            return self.cache[ref]
        if self.plane is not None:
            at = self.plane - ref.plane
            found = self.planes[at] if at >= 0 else np.zeros(self.planes.shape[1], np.uint64)
        else:
            found = np.zeros_like(self.planes)
            found[ref.plane :] = self.planes[: len(self.planes) - ref.plane]
        if ref.row:
            found = np.roll(found, ref.row, axis=-1)
            for k in range(ref.row):
                found[..., k :: self.step] = 0
        self.cache[ref] = found = found.reshape(-1)
        return found

    def guess(self, taps: Sequence[Tap], shift: int, bias: int) -> U64:
        total = np.full(self.at(Ref(0, 0)).shape, bias, np.int64)
        for tap in taps:
            total += self.at(tap.ref).view(np.int64) * np.int64(tap.weight)
        return (total >> shift).view(np.uint64)

    def codes(self, model: Model) -> U64:
        values = self.at(Ref(0, 0))
        if model.mode == "direct":
            return values
        apart = (values - self.guess(model.taps, model.shift, model.bias)).view(np.int64)
        return ((apart << 1) ^ (apart >> 63)).view(np.uint64)

    def quantity(self, context: Context, model: Model) -> U64:
        if context.kind == "value":
            return self.at(context.refs[0])
        if context.kind == "guess":
            guess = self.guess(model.taps, model.shift, model.bias).view(np.int64)
            return np.maximum(guess, 0).view(np.uint64)
        if context.kind == "place":
            first = 0 if self.plane is None else self.plane
            count = len(self.planes) if self.plane is None else 1
            return np.repeat(np.arange(first, first + count, dtype=np.uint64), self.planes.shape[1])
        a, b, c = (self.at(ref) for ref in context.refs)
        apart = np.abs((a - b).view(np.int64)) + np.abs((b - c).view(np.int64))
        return apart.view(np.uint64)

    def classes(self, model: Model) -> U16:
        first, second = model.contexts
        found = np.zeros(len(self.at(Ref(0, 0))), np.uint16)
        for context, factor in ((first, second.classes), (second, 1)):
            if context.kind != "none":
                q = self.quantity(context, model)
                found += (_classify(q, context.thresholds) * factor).astype(np.uint16)
        return found


def _classify(q: U64, thresholds: Sequence[int]) -> NDArray[Any]:
    limits = np.array(thresholds, np.uint64)
    top = int(q.max()) if len(q) else 0
    if top < 1 << 16:
        return np.searchsorted(limits, np.arange(top + 1, dtype=np.uint64), "right")[q]
    return np.searchsorted(limits, q, "right")


def _thresholds(q: U64, most: int) -> tuple[int, ...]:
    """Limits of at most `most` classes about as large as each other; a class a value where few."""
    some = q[:: max(1, len(q) // 4096)]
    values = np.unique(some)
    if len(values) > most:
        ordered = np.sort(some)
        values = np.unique(ordered[np.arange(most) * len(ordered) // most])
    return tuple(int(v) for v in values[1:] if v)


@dataclass(frozen=True, eq=False)
class Tokens:
    base: U64
    bits: NDArray[np.uint8]
    of: U16
    cost: float


def _tokens(codes: U64, scale: float, price: float = PRICE) -> Tokens:
    base = np.empty(MOST_TOKENS, np.uint64)
    bits = np.empty(MOST_TOKENS, np.uint8)
    of = np.empty(len(codes), np.uint16)
    cost, count = _core.store_tokens(codes, scale, price, base, bits, of)
    return Tokens(base[:count].copy(), bits[:count].copy(), of, cost)


@dataclass(frozen=True, eq=False)
class Fitted:
    model: Model
    cost: float


class Chooser:
    """Tries models for one view; rows stand for `scale` times as many."""

    def __init__(self, view: View, scale: float) -> None:
        self.view, self.scale = view, scale
        self.tried: dict[Any, Any] = {}

    def plain(self, model: Model) -> tuple[Tokens, float, float]:
        """Tokens without contexts, their bits in all, and of these the plain ones."""
        key = (model.mode, model.taps if model.mode == "residual" else (), model.bias)
        if key not in self.tried:
            tokens = _tokens(self.view.codes(model), self.scale)
            raw = self.scale * float(tokens.bits[tokens.of].sum(dtype=np.int64))
            raw += 14 * len(tokens.base)
            none = np.zeros(len(tokens.of), np.uint16)
            cost = _core.store_cost(tokens.of, none, len(tokens.base), 1, self.scale)
            self.tried[key] = (tokens, raw + cost, raw)
        return self.tried[key]

    def cost(self, model: Model) -> float:
        tokens, bare, raw = self.plain(model)
        classes = model.contexts[0].classes * model.contexts[1].classes
        if classes == 1:
            return bare
        contexts = self.view.classes(model)
        return raw + float(
            _core.store_cost(tokens.of, contexts, len(tokens.base), classes, self.scale)
        )

    def best(self, models: Iterable[Model]) -> Fitted:
        return min((Fitted(m, self.cost(m)) for m in models), key=lambda f: f.cost)

    def context(self, kind: str, refs: tuple[Ref, ...], model: Model, most: int) -> Context:
        context = Context(kind, refs)
        key = (kind, refs, model.taps if kind == "guess" else (), most)
        if key not in self.tried:
            self.tried[key] = _thresholds(self.view.quantity(context, model), most)
        return replace(context, thresholds=self.tried[key])

    def grow(self, start: Fitted, quantities: Sequence[tuple[str, tuple[Ref, ...]]]) -> Fitted:
        """The model with up to two contexts, one after the other, as long as they pay."""
        best = start
        for place, most in enumerate(CLASSES):
            tried = []
            for kind, refs in quantities:
                if kind == "guess" and not best.model.taps:
                    continue
                context = self.context(kind, refs, best.model, most)
                if context.thresholds:
                    pair = (best.model.contexts[0], context) if place else (context, Context())
                    tried.append(replace(best.model, contexts=pair))
            if not tried:
                return best
            found = self.best(tried)
            if found.cost >= best.cost:
                return best
            best = found
        return best


def choose(view: View, scale: float, near: Sequence[int]) -> Fitted:
    """The model for a view; near: which planes before it may help."""
    values = view.at(Ref(0, 0))
    if not values.any():
        return Fitted(Model(), 0.0)
    chooser = Chooser(view, scale)
    direct = Fitted(m := Model("direct"), chooser.cost(m))
    guesses = [Model("residual", *given) for given in _guesses(view, near)]
    fitted = sorted((Fitted(m, chooser.cost(m)) for m in guesses), key=lambda f: f.cost)
    quantities = _quantities(near)
    starts = [direct]
    if fitted:
        starts.append(fitted[0])
        guessed = replace(direct.model, taps=(g := fitted[0].model).taps, shift=g.shift, bias=g.bias)
        starts.append(Fitted(guessed, direct.cost))
    return min((chooser.grow(start, quantities) for start in starts), key=lambda f: f.cost)


def _quantities(near: Sequence[int]) -> list[tuple[str, tuple[Ref, ...]]]:
    w = [Ref(row, 0) for row in range(4)]
    found: list[tuple[str, tuple[Ref, ...]]] = [
        ("guess", ()),
        ("value", (w[1],)),
        ("change", (w[1], w[2], w[3])),
    ]
    for k in near:
        found += [("value", (Ref(0, k),)), ("change", (Ref(0, k), Ref(1, k), Ref(1, k)))]
    for a, b in zip(near, near[1:], strict=False):
        found.append(("change", (Ref(0, a), Ref(0, b), Ref(0, b))))
    return found


def _guesses(view: View, near: Sequence[int]) -> list[tuple[tuple[Tap, ...], int, int]]:
    """Taps, shift and bias: differences in time and between planes, and least squares."""
    w1, w2 = Ref(1, 0), Ref(2, 0)
    found: list[tuple[tuple[Tap, ...], int, int]] = [
        ((Tap(w1, 1),), 0, 0),
        ((Tap(w1, 2), Tap(w2, -1)), 0, 0),
    ]
    some = list(near[:4])
    for k in some:
        found.append(((Tap(Ref(0, k), 1),), 0, 0))
        found.append(((Tap(Ref(0, k), 1), Tap(w1, 1), Tap(Ref(1, k), -1)), 0, 0))
    if int(view.at(Ref(0, 0)).max()) < 1 << 40:
        few = [Ref(0, k) for k in near[:8]]
        for refs in ([w1, w2], few, few[:3], [w1, w2, *few[:4], *(Ref(1, k) for k in near[:3])]):
            fitted = _least_squares(view, refs)
            if fitted is not None:
                found.append(fitted)
    return found


def _least_squares(view: View, refs: Sequence[Ref]) -> tuple[tuple[Tap, ...], int, int] | None:
    refs = [r for r in refs if int(view.at(r).max()) < 1 << 40 and view.at(r).any()]
    if not refs:
        return None
    step = max(1, len(view.at(refs[0])) // 16384)
    A = np.column_stack([view.at(r)[::step].astype(np.float64) for r in refs])
    y = view.at(Ref(0, 0))[::step].astype(np.float64)
    mean, middle = A.mean(0), y.mean()
    spread = A.std(0)
    spread[spread == 0] = 1
    B = (A - mean) / spread
    G = B.T @ B + 1e-6 * len(B) * np.eye(len(refs))
    weights = np.linalg.solve(G, B.T @ (y - middle)) / spread
    if not np.isfinite(weights).all() or np.abs(weights).max() > 1 << 10:
        return None
    bias = middle - weights @ mean + 0.5
    whole = np.rint(weights * (1 << SHIFT)).astype(np.int64)
    taps = tuple(Tap(r, int(w)) for r, w in zip(refs, whole, strict=True) if w)
    return (taps, SHIFT, round(bias * (1 << SHIFT))) if taps else None


def finish(view: View, model: Model) -> Model:
    """Tokens and tables from all rows of a view."""
    if model.mode == "zero":
        return model
    codes, contexts = view.codes(model), view.classes(model)
    classes = model.contexts[0].classes * model.contexts[1].classes
    tokens = _tokens(codes, 1.0, PRICE if classes == 1 else 1.5 * PRICE)
    kinds = len(tokens.base)
    where = np.empty(classes, np.uint16)
    frequency = np.empty((classes, kinds + 1), np.uint16)
    count = _core.store_tables(tokens.of, contexts, kinds, classes, where, frequency)
    return replace(
        model, base=tokens.base, bits=tokens.bits, map=where, frequency=frequency[:count].copy()
    )


def near_planes(planes: U64, most: int) -> list[list[int]]:
    """For each plane the distances of earlier planes, those that go with it best first."""
    x = planes.astype(np.float64)
    x -= x.mean(1, keepdims=True)
    size = np.sqrt((x * x).sum(1))
    size[size == 0] = np.inf
    with np.errstate(invalid="ignore", over="ignore"):
        like = np.abs(x @ x.T / size[:, None] / size)
    found = []
    for j in range(len(planes)):
        order = np.argsort(-np.nan_to_num(like[j, :j]), kind="stable")
        found.append([int(j - k) for k in order[:most] if size[k] < np.inf])
    return found


def fit_planes(planes: U64, step: int, rows: int, few: int = 8192) -> list[Fitted]:
    """A model for each plane (p, s), from blocks of `step` rows that stand for `rows`."""
    some = _runs(planes, step, few)
    near = near_planes(some, 40)
    models = []
    for j in range(len(planes)):
        short = min(step, some.shape[1])
        fitted = choose(View(some, short, j), rows / some.shape[1], near[j])
        models.append(Fitted(finish(View(planes, step, j), fitted.model), fitted.cost))
    return models


def _runs(planes: U64, step: int, few: int) -> U64:
    """Some whole blocks, evenly spaced."""
    blocks = planes.shape[1] // step
    want = max(1, few // step)
    if blocks <= want:
        return planes
    at = np.arange(want) * blocks // want
    return np.ascontiguousarray(
        np.concatenate([planes[:, a * step : (a + 1) * step] for a in at], axis=1)
    )
