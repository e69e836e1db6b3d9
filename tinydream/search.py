"""Which representatives and which network serve a board best, by short trainings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinydream.board import Board, load_board
from tinydream.budget import budget, fitted
from tinydream.codec import EntroGeDe, Representatives
from tinydream.data import Data
from tinydream.errors import BudgetError, InputError
from tinydream.network import SGD, Adam, Network
from tinydream.plan import Plan
from tinydream.planner import make_plan
from tinydream.simulator import Simulator
from tinydream.source import carve

__all__ = ["Found", "Trial", "search"]

SHARE = 0.25  # of the training rows that judge
PARTS = (1.0, 0.5, 2.0)  # of the bytes that were asked for
BITS = (2, 4)
SIZES = (
    4,
    8,
    16,
    32,
    64,
    128,
)  # of one hidden layer; what follows the first too large is not tried
DEEP = (32, 32)
START, BATCH = 16, 20
BATCHES = (5, 50)
SEEDS = 2


@dataclass(frozen=True)
class Trial:
    """One choice and what it came to. bits: 0 for those that the codec chose.

    ram, flash: bytes that it needs; over: bytes that the board lacks. score: on validation rows,
    mean over seeds: share right, or R2; None for what does not fit.
    """

    budget_bytes: int
    bits: int
    representatives: int
    hidden: tuple[int, ...]
    optimizer: str
    batch: int
    ram: int
    flash: int
    over: int
    score: float | None


@dataclass(frozen=True)
class Found:
    """All trials in their order, and the place of the best among them. rows: that judged."""

    trials: tuple[Trial, ...]
    chosen: int
    rows: int

    @property
    def best(self) -> Trial:
        return self.trials[self.chosen]


def search(
    data: Data,
    board: Board,
    *,
    codec: EntroGeDe | None = None,
    optimizer: SGD | Adam | None = None,
    activation: str = "relu",
    updates: int = 1500,
    seed: int = 0,
    tell: Callable[[int, int], Any] = lambda done, of: None,
) -> Found:
    """Try representatives, then networks, then batches; each step goes on from the best.

    data: its training rows alone are used; a quarter of them (whole groups, where there are any)
    judge, and the others are condensed by `codec` with other bytes and bits. optimizer: plain SGD
    is tried beside it, as its networks may be larger. updates: of each training. tell: heard after
    each trial, with how many are done, and of how many at most. What does not fit the board is not
    trained. The same arguments find the same.

    Raises BudgetError when nothing fits, InputError for updates below 1, DataError when a quarter
    of the rows is none.
    """
    if updates < 1:
        raise InputError(f"updates must be 1 or more, not {updates}")
    kept, valid = carve(data, SHARE, seed)
    moves = optimizer or Adam()
    ways = (moves, SGD()) if moves.record().state else (moves,)
    hunt = _Hunt(kept, valid, board, ways, activation, updates, seed)
    of = len(PARTS) + len(BITS) + len(ways) * (len(SIZES) + 1) + len(BATCHES)
    for done, trial in enumerate(hunt.steps(codec or EntroGeDe()), 1):
        hunt.trials.append(trial)
        tell(done, of)
    best = hunt.best
    if best is None:
        least = min(hunt.trials, key=lambda trial: trial.over)
        raise BudgetError(
            f"nothing that was tried fits board {board.id!r}: hidden layers of {least.hidden} and"
            f" {least.representatives} representatives are {least.over} bytes over; take another"
            " board"
        )
    return Found(tuple(hunt.trials), hunt.trials.index(best), len(valid.X))


@dataclass
class _Hunt:
    kept: Data
    valid: Data
    board: Board
    ways: Sequence[SGD | Adam]
    activation: str
    updates: int
    seed: int

    def __post_init__(self) -> None:
        self.trials: list[Trial] = []
        self._fits: dict[tuple[int, int], Representatives | None] = {}

    @property
    def best(self) -> Trial | None:
        """The highest score; of equal ones that with fewer bytes of RAM, then of flash."""
        done = [trial for trial in self.trials if trial.score is not None]
        return max(done, key=lambda t: (t.score, -t.ram, -t.flash), default=None)

    def steps(self, codec: EntroGeDe) -> Iterator[Trial]:
        """Each trial as it is done; the caller keeps them."""
        size = codec.budget_bytes
        first = [(int(size * part), 0) for part in PARTS] + [(size, bits) for bits in BITS]
        start, way = self._start(codec)
        for bytes_, bits in first:
            yield self._trial(codec, bytes_, bits, (start,), way, BATCH)
        for way in self.ways:
            yield from self._networks(codec, way)
        now = self.best or self.trials[0]
        for batch in BATCHES:
            yield self._trial(codec, *self._now(), now.hidden, self._way(now.optimizer), batch)

    def _start(self, codec: EntroGeDe) -> tuple[int, SGD | Adam]:
        """A network to try representatives with, no larger than START: the first that fits."""
        reps = self._representatives(codec, codec.budget_bytes, 0)
        sizes = [size for size in reversed(SIZES) if size <= START]
        for size in sizes if reps else []:
            for way in self.ways:
                if reps and not self._over(self._plan(reps, (size,), way, BATCH)):
                    return size, way
        return sizes[-1], self.ways[-1]

    def _networks(self, codec: EntroGeDe, way: SGD | Adam) -> Iterator[Trial]:
        """Hidden layers from small to the first that is too large."""
        for hidden in (*((size,) for size in SIZES), DEEP):
            found = self._trial(codec, *self._now(), hidden, way, BATCH)
            if found not in self.trials:
                yield found
            if found.over:
                return

    def _way(self, kind: str) -> SGD | Adam:
        return next(way for way in self.ways if way.record().kind == kind)

    def _now(self) -> tuple[int, int]:
        now = self.best or min(self.trials, key=lambda trial: trial.over)
        return now.budget_bytes, now.bits

    def _over(self, plan: Plan) -> int:
        return sum(use.over for use in budget(plan, self.board))

    def _trial(
        self,
        codec: EntroGeDe,
        size: int,
        bits: int,
        hidden: tuple[int, ...],
        way: SGD | Adam,
        batch: int,
    ) -> Trial:
        reps, kind = self._representatives(codec, size, bits), way.record().kind
        if reps is None:  # these bytes do not hold a row of each class
            return Trial(size, bits, 0, hidden, kind, batch, 0, 0, size, None)
        plan = self._plan(reps, hidden, way, batch)
        uses = {use.region: use.need for use in budget(plan, self.board)}
        over = self._over(plan)
        score = None if over else self._score(plan, way)
        need = uses["ram"], uses["flash"]
        return Trial(size, bits, reps.rows.count, hidden, kind, batch, *need, over, score)

    def _representatives(self, codec: EntroGeDe, size: int, bits: int) -> Representatives | None:
        if (size, bits) not in self._fits:
            options = codec.get_params() | {"budget_bytes": size, "representatives": None}
            options |= {"task": self.kept.task, "one_hot": self.kept.one_hot}
            one = EntroGeDe(**options | ({"bits": bits} if bits else {}))
            try:
                one.fit(self.kept.X, self.kept.y, groups=self.kept.groups)
                self._fits[size, bits] = one.representatives_
            except BudgetError:
                self._fits[size, bits] = None
        return self._fits[size, bits]

    def _plan(
        self, reps: Representatives, hidden: Sequence[int], way: SGD | Adam, batch: int
    ) -> Plan:
        data = self.kept
        outputs = reps.rows.targets or len(data.classes)
        network = Network.mlp(hidden, outputs, way, task=data.task, activation=self.activation)
        plan = make_plan(
            reps,
            network,
            board=load_board("native"),
            batch=batch,
            features=data.features,
            classes=data.classes,
            targets=data.targets,
        )
        return fitted(plan, self.board)

    def _score(self, plan: Plan, way: SGD | Adam) -> float:
        """As many updates whatever the batch is, in ten epochs."""
        scores = []
        for seed in range(self.seed, self.seed + SEEDS):
            simulator = Simulator(plan)
            simulator.train(
                epochs=10,
                epoch_rows=max(1, self.updates // 10) * plan.batch,
                rate=way.rate,
                seed=seed,
                weights_seed=seed,
                schedule="cosine",
            )
            scores.append(simulator.score(self.valid.X, self.valid.y))
        return float(np.mean(scores))
