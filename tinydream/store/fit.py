"""Chooses, by measurement on some rows, how each plane of integers is coded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.store.model import Context, Model, Ref, Tap
from tinydream.store.sample import CLASSES, Sample, classify
from tinydream.store.sight import Sight

__all__ = ["MANY", "MOST_TOKENS", "Fitted", "choose", "finish", "tokens_of"]

U16 = NDArray[np.uint16]
U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

PRICE = 24.0  # bits that a token costs by itself: its place, and its share in some tables
SERIAL = 0.3  # bits a number: what a context of the plane's own numbers must save, for it is slow
MOST_TOKENS = 1023  # as store.h
NARROW, EACH = 128, 32  # values that have a token each; numbers for each of them, at least
TRIED_TOKENS = 128  # while contexts are compared
SHIFT = 14  # of weights that are not whole
MOST_TAPS = 6
NEAR, MANY, NEAR_OF_MANY = (
    16,
    48,
    6,
)  # planes that are tried as contexts, fewer where there are many

W1, W2, W3 = (Ref(row, 0) for row in (1, 2, 3))


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model without tables, and the bits that it may take."""

    model: Model
    cost: float


@dataclass(frozen=True, eq=False)
class Tokens:
    """What codes (n) become: tokens `of` (n), their places and how many bits follow them."""

    base: U64
    bits: NDArray[np.uint8]
    of: U16

    @property
    def raw(self) -> float:
        return float(self.bits[self.of].sum(dtype=np.int64))


def tokens_of(codes: U64, scale: float, most: int) -> Tokens:
    base, bits = np.empty(most, np.uint64), np.empty(most, np.uint8)
    of = np.empty(len(codes), np.uint16)
    _, count = _core.store_tokens(codes, scale, PRICE, base, bits, of)
    return Tokens(base[:count].copy(), bits[:count].copy(), of)


def choose(sample: Sample, plane: int) -> Fitted:
    """The model for a plane, and about how many bits its numbers take."""
    values = sample.rows[0][plane]
    if not values.any():
        return Fitted(Model(), 0.0)
    near = sample.near(plane, NEAR if len(sample.rows[0]) < MANY else NEAR_OF_MANY)
    guesses = _guesses(sample, plane, near)
    rough = [_core.store_rough(zigzag(values - guess)) for _, guess in guesses]
    model, guess = guesses[int(np.argmin(rough))]
    tried = [_with_context(sample, plane, near, model, guess, zigzag(values - guess))]
    model, guess = min(guesses, key=lambda g: float(np.abs(values - g[1]).mean(dtype=np.float64)))
    direct = replace(model, mode="direct")
    tried.append(_with_context(sample, plane, near, direct, guess, values.view(np.uint64)))
    return min(tried, key=lambda f: f.cost)


def zigzag(apart: I64) -> U64:
    return np.asarray((apart << 1) ^ (apart >> 63)).view(np.uint64)


def _with_context(
    sample: Sample, plane: int, near: list[int], model: Model, guess: I64, codes: U64
) -> Fitted:
    """The model with the best context, where that pays."""
    tokens = tokens_of(codes, sample.scale, TRIED_TOKENS)
    told, rows = _quantities(sample, plane, near, guess)
    plain, cost = np.empty(1), np.empty(len(told))
    for classes, most, bits in ((rows[:1] * 0, 1, plain), (rows, CLASSES, cost)):
        _core.store_rank(tokens.of, len(tokens.base), classes, most, sample.scale, bits)
    cost += SERIAL * sample.scale * len(codes) * np.array([_serial(c, model) for c in told])
    best = int(cost.argmin())
    context = told[best] if cost[best] < plain[0] else Context()
    if model.mode == "direct" and context.kind != "guess":
        model = replace(model, taps=(), shift=0, bias=0)
    fixed = sample.scale * tokens.raw + 14 * len(tokens.base)
    return Fitted(replace(model, context=context), fixed + min(cost[best], plain[0]))


def _serial(context: Context, model: Model) -> bool:
    """Whether it needs what has just been decoded, so that one number waits for the other."""
    if context.kind == "guess":
        return any(not tap.ref.plane for tap in model.taps)
    return any(not ref.plane for ref in context.refs)


def _quantities(
    sample: Sample, plane: int, near: list[int], guess: I64
) -> tuple[list[Context], NDArray[np.uint8]]:
    """Contexts to try, and their classes (contexts, s)."""
    limits, classes = classify(np.maximum(guess, 0).view(np.uint64))
    told, rows = [Context("guess", (), limits)], [classes]

    def add(kind: str, refs: tuple[Ref, ...], what: str, where: int) -> None:
        limits, classes = sample.classes(what, where)
        if limits:
            told.append(Context(kind, refs, limits))
            rows.append(classes)

    add("value", (W1,), "last", plane)
    add("change", (W1, W2, W3), "unrest", plane)
    for i, k in enumerate(near):
        add("value", (Ref(0, plane - k),), "value", k)
        if i < 3:
            refs = (Ref(0, plane - k), Ref(1, plane - k), Ref(1, plane - k))
            add("change", refs, "change", k)
    return told, np.array(rows)


# ---- guesses ----


def _guesses(sample: Sample, plane: int, near: list[int]) -> list[tuple[Model, I64]]:
    """Residual models and what they guess (s,): differences, and least squares."""
    given = [((Tap(W1, 1),), 0, 0), ((Tap(W1, 2), Tap(W2, -1)), 0, 0)]
    given += [((Tap(Ref(0, plane - k), 1),), 0, 0) for k in near[:2]]
    if sample.numbers[2][plane]:
        given += _least_squares(sample, plane, near[:12])
    found = []
    for taps, shift, bias in given:
        guess = np.full(sample.rows[0].shape[1], bias, np.int64)
        for tap in taps:
            guess += sample.rows[tap.ref.row][plane - tap.ref.plane] * tap.weight
        found.append((Model("residual", taps, shift, bias), guess >> shift))
    return found


def _least_squares(
    sample: Sample, plane: int, near: list[int]
) -> list[tuple[tuple[Tap, ...], int, int]]:
    lags, middle, narrow = sample.numbers
    near = [k for k in near if narrow[k]]
    where = [(1, plane), (2, plane), *((0, k) for k in near), *((1, k) for k in near[:4])]
    x = np.array([lags[0, plane], *(lags[each] for each in where)])
    gram = x @ x.T / x.shape[1]
    size = np.sqrt(gram.diagonal())
    if not size[0]:
        return []
    size[size == 0] = np.inf
    chosen = _forward(gram / size[:, None] / size)
    found = []
    for k in {tuple(chosen[:2]), tuple(chosen)} - {()}:
        square = gram[np.ix_(k, k)] + 1e-9 * np.diag(gram[k, k])
        weights = np.linalg.solve(square, gram[k, 0])
        if np.abs(weights).max() < 1 << 8:
            refs = [Ref(row, plane - p) for row, p in (where[i - 1] for i in k)]
            bias = middle[plane] - weights @ middle[[where[i - 1][1] for i in k]]
            found += _as_taps(weights, refs, float(bias))
    return found


def _forward(a: F64) -> list[int]:
    """The columns that explain column 0 best, one after the other, of correlations a (c, c)."""
    chosen: list[int] = []
    while len(chosen) < MOST_TAPS:
        diagonal = a.diagonal()
        gain = a[0] ** 2 / np.where(diagonal > 1e-6, diagonal, np.inf)
        gain[[0, *chosen]] = 0
        k = int(gain.argmax())
        if gain[k] <= 0.01 * a[0, 0]:
            break
        chosen.append(k)
        a = a - np.outer(a[:, k], a[k]) / a[k, k]
    return chosen


def _as_taps(
    weights: F64, refs: Sequence[Ref], bias: float
) -> list[tuple[tuple[Tap, ...], int, int]]:
    """Weights as whole numbers where they nearly are, and in 1 / 2^SHIFT."""
    found = []
    for shift, good in ((0, np.abs(weights - np.rint(weights)).max() < 0.1), (SHIFT, True)):
        whole = np.rint(weights * (1 << shift)).astype(np.int64).tolist()
        taps = tuple(Tap(r, w) for r, w in zip(refs, whole, strict=True) if w)
        if good and taps:
            half = 0.5 if shift else 0.0
            found.append((taps, shift, round((bias + half) * (1 << shift))))
    return found


# ---- tables ----


def finish(sight: Sight, model: Model) -> Model:
    """The model with tokens and tables, from all numbers of the sight."""
    if model.mode == "zero":
        if not sight.planes[sight.which].any():
            return model
        model = Model("direct")
    tokens = _all_tokens(sight.codes(model))
    kinds, classes = len(tokens.base), model.context.classes
    where, share = np.empty(classes, np.uint8), np.empty((classes, kinds + 1), np.uint16)
    count = _core.store_tables(tokens.of, sight.classes(model), kinds, classes, where, share)
    context, where = _thin(model.context, where)
    if model.mode == "direct" and context.kind != "guess":
        model = replace(model, taps=(), shift=0, bias=0)
    return replace(
        model,
        context=context,
        base=tokens.base,
        bits=tokens.bits,
        map=where,
        frequency=share[:count].copy(),
    )


def _all_tokens(codes: U64) -> Tokens:
    """Where codes have few values each of these is a token: no bits are to be read then."""
    if len(codes) and int(codes.max()) < 4 * NARROW:
        some = np.bincount(codes.view(np.int64)) > 0
        base = np.flatnonzero(some).astype(np.uint64)
        if len(base) <= min(NARROW, len(codes) // EACH):
            of = (np.cumsum(some) - 1).astype(np.uint16)[codes]
            return Tokens(base, np.zeros(len(base), np.uint8), of)
    return tokens_of(codes, 1.0, MOST_TOKENS)


def _thin(context: Context, tables: NDArray[np.uint8]) -> tuple[Context, NDArray[np.uint8]]:
    """The context without limits that part nothing, and the table of each of its classes."""
    new = tables[1:] != tables[:-1]
    kept = tuple(limit for limit, parts in zip(context.thresholds, new, strict=True) if parts)
    context = replace(context, thresholds=kept) if kept else Context()
    return context, tables[np.r_[True, new]]
