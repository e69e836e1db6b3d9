"""Chooses, by measurement on some rows, how each plane of integers is coded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.store.model import Context, Model, Ref, Tap
from tinydream.store.sight import Sight, thresholds_of

__all__ = ["Fitted", "choose", "finish"]

U16 = NDArray[np.uint16]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]

PRICE = 24.0  # bits that a token costs by itself: its place, and its share in some tables
MOST_TOKENS = 1024
TRIED_TOKENS = 128  # while contexts are compared
CLASSES = (16, 8)  # of the first context, of the second one
SHIFT = 14  # of weights that are not whole
WIDEST = 1 << 44  # numbers that least squares is good for
MOST_TAPS = 8
HERE, W1, W2, W3 = (Ref(row, 0) for row in range(4))

Quantity = tuple[str, tuple[Ref, ...]]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model without tables, and the bits that it may take."""

    model: Model
    cost: float


@dataclass(frozen=True, eq=False)
class Tokens:
    """What codes (n) become: tokens `of` (n), their places and bits; cost in bits, raw of them."""

    base: U64
    bits: NDArray[np.uint8]
    of: U16

    @property
    def raw(self) -> float:
        return float(self.bits[self.of].sum(dtype=np.int64))


def tokens_of(codes: U64, scale: float, price: float, most: int) -> Tokens:
    base, bits = np.empty(most, np.uint64), np.empty(most, np.uint8)
    of = np.empty(len(codes), np.uint16)
    _, count = _core.store_tokens(codes, scale, price, base, bits, of)
    return Tokens(base[:count].copy(), bits[:count].copy(), of)


def choose(sight: Sight, scale: float, refs: Sequence[Ref], wide: Sequence[Quantity]) -> Fitted:
    """The model for a plane, by numbers that stand for `scale` times as many.

    refs: what may help to guess it. wide: further quantities that contexts may look at.
    """
    values = sight.at(HERE)
    if not values.any():
        return Fitted(Model(), 0.0)
    guess = min(_guesses(sight, refs), key=lambda m: _core.store_rough(sight.codes(m)))
    direct = replace(guess, mode="direct")
    quantities: list[Quantity] = [("guess", ()), ("value", (W1,)), ("change", (W1, W2, W3)), *wide]
    cache: dict[Quantity, tuple[tuple[int, ...], NDArray[np.uint8]]] = {}
    tried = [_with_contexts(sight, m, scale, quantities, cache) for m in (guess, direct)]
    return min(tried, key=lambda f: f.cost)


def _with_contexts(sight, model, scale, quantities, cache):
    """The model with the best context, and with the best second one beside it, if they pay."""
    tokens = tokens_of(sight.codes(model), scale, PRICE, TRIED_TOKENS)
    kinds, fixed = len(tokens.base), scale * tokens.raw + 14 * len(tokens.base)
    best = np.inf
    base, bases, found = np.zeros(len(tokens.of), np.uint8), 1, []
    for most in (1, *CLASSES):
        some = [("none", ())] if most == 1 else quantities
        rows = [_classes(sight, model, q, most, cache) for q in some]
        cost = np.empty(len(rows))
        stacked = np.ascontiguousarray([classes for _, classes in rows])
        _core.store_rank(tokens.of, kinds, base, bases, stacked, most, scale, cost)
        k = int(cost.argmin())
        if cost[k] >= best:
            break
        best = float(cost[k])
        if most > 1:
            found.append(Context(*some[k], rows[k][0]))
            base, bases = rows[k][1], most
    found += [Context()] * (2 - len(found))
    if not model.taps or (model.mode == "direct" and all(c.kind != "guess" for c in found)):
        model = replace(model, taps=(), shift=0, bias=0) if model.mode == "direct" else model
    return Fitted(replace(model, contexts=(found[0], found[1])), fixed + best)


def _classes(sight, model, quantity, most, cache):
    kind, refs = quantity
    if kind == "none":
        return (), np.zeros(len(sight.at(HERE)), np.uint8)
    if (quantity, most) not in cache:
        context = Context(kind, refs)
        q = sight.quantity(context, model)
        limits = thresholds_of(q, most)
        cache[quantity, most] = limits, sight.classify(replace(context, thresholds=limits), model)
    return cache[quantity, most]


def _guesses(sight: Sight, refs: Sequence[Ref]) -> list[Model]:
    """Residual models: differences in time and to one other number, and least squares."""
    found = [((Tap(W1, 1),), 0, 0), ((Tap(W1, 2), Tap(W2, -1)), 0, 0)]
    found += [((Tap(ref, 1),), 0, 0) for ref in refs[:2]]
    found += _least_squares(sight, [W1, W2, *refs])
    return [Model("residual", *each) for each in found]


def _least_squares(sight: Sight, refs: Sequence[Ref]) -> list[tuple[tuple[Tap, ...], int, int]]:
    values = sight.at(HERE)
    if int(values.max()) >= WIDEST:
        return []
    step = max(1, len(values) // 8192)
    refs = [r for r in refs if int(sight.at(r).max()) < WIDEST]
    x = np.array([sight.at(r)[::step] for r in (HERE, *refs)], np.float64)
    low, middle, high = np.percentile(x, (1, 50, 99), axis=1, keepdims=True)
    x = np.clip(x, low - 2 * (high - low), high + 2 * (high - low)) - middle
    gram = x @ x.T / x.shape[1]
    size = np.sqrt(gram.diagonal())
    size[size == 0] = np.inf
    chosen = _forward(gram / size[:, None] / size)
    found = []
    for some in {tuple(chosen[:2]), tuple(chosen)} - {()}:
        k = list(some)
        square = gram[np.ix_(k, k)] + 1e-9 * np.diag(gram[k, k])
        weights = np.linalg.solve(square, gram[k, 0])
        if np.abs(weights).max() < 1 << 8:
            bias = middle[0, 0] - weights @ middle[k, 0]
            found += _as_taps(weights, [refs[i - 1] for i in k], bias)
    return found


def _forward(a: F64) -> list[int]:
    """The columns that explain column 0 best, one after the other, of correlations a (c, c)."""
    chosen: list[int] = []
    while len(chosen) < MOST_TAPS:
        scale = np.where(a.diagonal() > 1e-6, a.diagonal(), np.inf)
        gain = a[0] ** 2 / scale
        gain[[0, *chosen]] = 0
        k = int(gain.argmax())
        if gain[k] <= 0.01 * a[0, 0]:
            break
        chosen.append(k)
        a = a - np.outer(a[:, k], a[k]) / a[k, k]
    return chosen


def _as_taps(weights: F64, refs: Sequence[Ref], bias: float):
    whole = np.rint(weights)
    found = []
    if np.abs(weights - whole).max() < 0.1:
        taps = tuple(Tap(r, int(w)) for r, w in zip(refs, whole, strict=True) if w)
        found.append((taps, 0, round(bias)))
    scaled = np.rint(weights * (1 << SHIFT))
    taps = tuple(Tap(r, int(w)) for r, w in zip(refs, scaled, strict=True) if w)
    return [*found, (taps, SHIFT, round((bias + 0.5) * (1 << SHIFT)))]


def finish(sight: Sight, model: Model) -> Model:
    """The model with tokens and tables, from all numbers of the sight."""
    if model.mode == "zero":
        if not sight.at(HERE).any():
            return model
        model = Model("direct")
    classes = model.contexts[0].classes * model.contexts[1].classes
    tokens = tokens_of(sight.codes(model), 1.0, PRICE, MOST_TOKENS)
    kinds = len(tokens.base)
    where = np.empty(classes, np.uint16)
    frequency = np.empty((classes, kinds + 1), np.uint16)
    count = _core.store_tables(
        tokens.of,
        sight.classes(model),
        kinds,
        classes,
        model.contexts[1].classes,
        where,
        frequency,
    )
    return replace(
        model, base=tokens.base, bits=tokens.bits, map=where, frequency=frequency[:count].copy()
    )
