"""Which projection, if any: candidates are built, trained on, and scored on rows held out."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec.deviation import Model
from tinydream.codec.dream import dream
from tinydream.codec.layout import Space
from tinydream.codec.project import MORE_STEPS, TRIAL_STEPS, Directions
from tinydream.codec.threads import all_at_once, at_once
from tinydream.codec.trainer import train_net
from tinydream.errors import BudgetError
from tinydream.inputs import Projection
from tinydream.rows import Rows

__all__ = ["FEW", "MOST_COLUMNS", "Candidate", "Choice", "Trial", "candidates", "choose"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

HELD_OUT, LEAST_HELD_OUT, MOST_HELD_OUT, MOST_ROWS = 0.2, 30, 4000, 20000
STEPS, BATCH, RATE, HIDDEN, SEEDS = 600, 64, 1e-2, 32, 2
FEW = 4  # columns, of which no fewer are worth keeping
MOST_COLUMNS = 2048  # whose covariances are looked at: their axes take a second or two
RANKS = (4, 5, 6, 8, 10, 12, 16, 20, 24)
DRAWN, MOST_DRAWN = 16384, 1 << 22  # rows a candidate is judged by, and numbers in them

# Inputs (n, r) and y, and representatives of them beside a projection; these raise BudgetError
# when none fit.
Open = Callable[[F32, NDArray[Any]], Space]
Build = Callable[[Space, Projection | None, Model], Rows]


@dataclass(frozen=True)
class Candidate:
    """kind: of `project.KINDS`, or "none". rank: columns. bits: of a number."""

    kind: str
    rank: int
    bits: int

    def __str__(self) -> str:
        return self.kind if self.kind == "none" else f"{self.kind} {self.rank}x{self.bits}"


@dataclass(frozen=True)
class Trial:
    """What became of a candidate: its score on held-out rows, and by how much that is uncertain.

    model: of the deviations. score: accuracy, or R2 (mean over targets). margin: standard error
    of the difference to what it is compared with: the first candidate, or the same candidate with
    the first model. rows: how many were held out.
    """

    candidate: Candidate
    model: Model
    score: float
    margin: float
    rows: int


@dataclass(frozen=True, eq=False)
class Choice:
    """candidate: to follow, None when none fits or nothing was to choose. model: the first, unless
    another is better. projection: the candidate's, made from all rows, or None. trials: what was
    tried, in order."""

    candidate: Candidate | None
    model: Model
    projection: Projection | None
    trials: tuple[Trial, ...]

    @property
    def place(self) -> int | None:
        """Of what is followed among the trials; None where nothing was judged."""
        for i, trial in enumerate(self.trials):
            if (trial.candidate, trial.model) == (self.candidate, self.model):
                return i
        return None


def candidates(
    columns: int, budget: int, kinds: Iterable[str], rank: int | None = None
) -> list[Candidate]:
    """What is tried for so many inputs and bytes; rank: the only one, if it is given.

    Few columns: half, three quarters, and all of them (axes that fit the rows are worth it by
    themselves). Many: the largest rank whose projection takes at most three fifths of the
    budget, but no more than about 8, 13 and 24 at 2, 8 and 32 KiB, and the rank below. More
    than 2,048 are not projected.
    """
    ranks = [rank] if rank else _ranks(columns, budget)
    tried = [Candidate("none", columns, 0)]
    for rank in reversed(ranks):
        bits = 4 if columns * rank <= budget // 4 else 3
        if columns * rank * bits <= 8 * 0.6 * budget:
            of_all = rank == ranks[-1]
            tried += [Candidate(kind, rank, bits) for kind in kinds if of_all or kind == "trained"]
    return tried


def _ranks(columns: int, budget: int) -> list[int]:
    if not FEW <= columns <= MOST_COLUMNS:
        return []
    if columns <= 24:
        return sorted({round(columns / 2), round(3 * columns / 4), columns})
    most = min(8 * (budget / 2048) ** 0.4, 24)
    fit = [r for r in RANKS if r <= most and columns * r * 3 <= 8 * 0.6 * budget]
    return fit[-2:]


def choose(
    U: F32,
    y: NDArray[Any],
    classes: int,
    groups: NDArray[Any] | None,
    tried: Sequence[Candidate],
    models: Sequence[Model],
    space: Open,
    build: Build,
    seed: int = 0,
) -> Choice:
    """What was tried, what to follow, and its projection.

    U: scaled inputs (n, d). y: labels (n,), or targets (n, t) of variance 1. groups: (n,), of
    which whole ones are held out. tried: candidates, all with the first of the models; the best
    is tried with the other models, too. The first of either is preferred to what is not better
    by half its margin. seed: of the rows held out, and of all networks.
    """
    if not tried:
        return Choice(None, models[0], None, ())
    fit, held = _split(y, classes, groups, len(U), seed)
    directions = Directions(U[fit], y[fit], classes, seed)
    court = _Court(U, y, classes, directions, U[held], y[held], space, build)
    if len(held) < LEAST_HELD_OUT:  # too few to judge by
        return Choice(tried[0], models[0], court.projection(tried[0]), ())

    def first(candidate: Candidate) -> tuple[_Room, F64 | None]:
        room = court.room(candidate)
        return room, court.right(room, models[0])

    rooms, scores = zip(*at_once(first, tried), strict=True)
    best, trials = _compare(tried, [models[0]] * len(tried), scores)
    if best is None:
        return Choice(None, models[0], None, trials)
    place, found = tried.index(best.candidate), best.candidate
    plain = found.kind == "none"
    more = [m for m in models[1:] if plain or m.axes == () and m.rank <= models[0].rank]
    # the final projection takes as long as some trials do, and needs none of them
    tasks = [partial(court.right, rooms[place], model) for model in more]
    projection, *others = all_at_once([partial(court.projection, found, rooms[place]), *tasks])
    kept = [models[0], *more]
    best, again = _compare([found] * len(kept), kept, [scores[place], *others])
    assert best is not None, "the first of them fitted"
    return Choice(found, best.model, projection, trials + again[1:])


@dataclass(frozen=True, eq=False)
class _Room:
    """What all models of a candidate share. held: (k, r) rows to judge by."""

    projection: Projection | None
    space: Space
    held: F32


@dataclass(frozen=True, eq=False)
class _Court:
    """All rows U (n, d) and y, those to fit to and those held out; and how spaces and rows are
    made of them."""

    U: F32
    y: NDArray[Any]
    classes: int
    directions: Directions  # of the rows to fit to
    held: F32
    truth: NDArray[Any]  # of those held out
    space: Open
    build: Build

    def room(self, candidate: Candidate) -> _Room:
        U, y = self.directions.U, self.directions.y
        if candidate.kind == "none":
            return _Room(None, self.space(U, y), self.held)
        projection = self.directions.projection(
            candidate.kind, candidate.rank, candidate.bits, TRIAL_STEPS
        )
        matrix = projection.matrix
        return _Room(projection, self.space(U @ matrix, y), self.held @ matrix)

    def projection(self, candidate: Candidate, trial: _Room | None = None) -> Projection | None:
        """The final one of a candidate, from all rows; a trained one goes on from its trial."""
        if candidate.kind == "none":
            return None
        directions = replace(self.directions, U=self.U, y=self.y)
        sizes = candidate.kind, candidate.rank, candidate.bits
        if candidate.kind == "trained" and trial is not None and trial.projection is not None:
            return directions.projection(*sizes, MORE_STEPS, trial.projection.matrix)
        return directions.projection(*sizes)

    def right(self, room: _Room, model: Model) -> F64 | None:
        """How right each row held out is, of a network trained on drawn rows; None when not one
        representative fits."""
        with suppress(BudgetError):
            rows = self.build(room.space, room.projection, model)
            seed = self.directions.seed
            x, y, _ = dream(rows, min(DRAWN, MOST_DRAWN // rows.columns), seed)
            return _right(x, y, self.classes, room.held, self.truth, seed)
        return None


def _compare(
    tried: Sequence[Candidate], models: Sequence[Model], scores: Sequence[F64 | None]
) -> tuple[Trial | None, tuple[Trial, ...]]:
    """The best of those that fit, or the first if none is better by half its margin; and all."""
    trials: list[Trial] = []
    fit = [score for score in scores if score is not None]
    for candidate, model, now in zip(tried, models, scores, strict=True):
        if now is not None:
            margin = float((now - fit[0]).std() / np.sqrt(len(now)))
            trials.append(Trial(candidate, model, float(now.mean()), margin, len(now)))
    if not trials:
        return None, ()
    best = max(trials, key=lambda trial: trial.score)
    return trials[0] if best.score <= trials[0].score + best.margin / 2 else best, tuple(trials)


def _right(Z: F32, y: NDArray[Any], classes: int, held: F32, truth: NDArray[Any], seed: int) -> F64:
    """How right a small network trained on Z, y is for each held-out row: their mean is accuracy
    or R2."""
    mean = Z.mean(axis=0, dtype=np.float64).astype(np.float32)
    std = Z.std(axis=0, dtype=np.float64)
    unit = (1 / np.maximum(std, 0.1 * np.sqrt(np.mean(std**2)) + 1e-6)).astype(np.float32)
    rows = (Z - mean) * unit

    def score(trial: int) -> F64:
        own = SEEDS * seed + trial
        net = train_net(rows, y, classes, None, HIDDEN, STEPS, BATCH, RATE, own)
        found = net.outputs((held - mean) * unit)
        if classes:
            return np.asarray(found.argmax(axis=1) == truth, np.float64)
        spread = np.maximum(truth.var(axis=0), 1e-12)
        return np.asarray(1 - ((found - truth) ** 2 / spread).mean(axis=1))

    return np.asarray(sum(at_once(score, range(SEEDS))) / SEEDS)


def _split(
    y: NDArray[Any], classes: int, groups: NDArray[Any] | None, n: int, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to fit and rows held out, of at most MOST_ROWS; every class is among those to fit."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(n)[:MOST_ROWS]
    if groups is None:
        held = np.zeros(n, bool)
        held[order[: min(MOST_HELD_OUT, int(HELD_OUT * len(order)))]] = True
    else:
        names = np.unique(groups)
        out = generator.permutation(names)[: max(1, round(HELD_OUT * len(names)))]
        held = np.isin(groups, out)
    if classes:  # a class that is held out as a whole could not be learned
        seen = np.bincount(y[~held], minlength=classes) > 0
        back = held & ~seen[y]
        held &= ~back if groups is None else ~np.isin(groups, groups[back])
    taken = np.sort(order)
    fit = taken[~held[taken]]
    if classes:  # and one that is too rare to be among the rows taken needs one
        missing = np.flatnonzero(np.bincount(y[fit], minlength=classes) == 0)
        rows = np.flatnonzero(~held & np.isin(y, missing))
        fit = np.union1d(fit, rows[np.unique(y[rows], return_index=True)[1]])
    return fit, taken[held[taken]][:MOST_HELD_OUT]
