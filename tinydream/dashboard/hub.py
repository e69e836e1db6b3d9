"""What the page shows of each device, and what its buttons do."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tinydream.bridge import Link
from tinydream.budget import budget
from tinydream.errors import InputError, TinydreamError
from tinydream.plan import Plan
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Knobs
from tinydream.watch import Event, Seen, Track, Watch, step_time

__all__ = ["Hub"]

POINTS = 400  # of a curve on the page
LOGGED = 20  # lines
JUDGED = 20_000  # held-out rows, at most


class _Board:
    """One device on the page. version: grows with each change of what there is to show."""

    def __init__(self, port: str) -> None:
        self.seen, self.version = Seen(port, points=POINTS), 0
        self.heldout: dict[str, Any] | None = None


class Hub:
    """Devices that are watched for the page.

    The run tells of those that were built from its plan: memory, and how held-out rows fare.
    """

    def __init__(self, run: Run, links: Mapping[str, Callable[[], Link]]) -> None:
        self._run = run
        self._plan, self._memory = _plan_of(run)
        self._boards = {port: _Board(port) for port in links}
        self._lock = threading.Lock()
        self._watch = Watch(links, patient=True)

    def listen(self) -> None:
        """Take what devices tell, for ever."""
        for event in self._watch.events():
            self._take(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()

    # ---- what there is to show ----

    def news(self, known: dict[str, int]) -> list[dict[str, Any]]:
        """Boards that changed since `known`, versions by port, which is brought up to date."""
        with self._lock:
            changed = [p for p, b in self._boards.items() if known.get(p) != b.version]
            for port in changed:
                known[port] = self._boards[port].version
            return [self._view(self._boards[port]) for port in changed]

    def _view(self, board: _Board) -> dict[str, Any]:
        seen, unit = board.seen, str(board.seen.who.get("tick_unit", ""))
        ours = self._plan is not None and seen.who.get("digest") == self._plan.digest.hex()
        ticks = seen.last.get("step_ticks")
        return {
            "port": seen.port,
            "index": list(self._boards).index(seen.port),
            "who": seen.who,
            "up": seen.up,
            "why": seen.why,
            "running": seen.running,
            "paused": seen.paused,
            "channels": seen.words(),
            "epoch": seen.epoch,
            "error": seen.error,
            "last": seen.last,
            "step": step_time(float(ticks), unit) if ticks and unit else "",
            "lost": seen.lost,
            "damaged": seen.damaged,
            "log": list(seen.log)[-LOGGED:],
            "curves": {name: _columns(track) for name, track in seen.tracks.items()},
            "own": {name: _columns(track) for name, track in seen.own.items()},
            "memory": self._memory if ours else [],
            "heldout": board.heldout,
            "ours": ours,
        }

    # ---- what buttons do ----

    def act(self, index: int, action: str, given: Mapping[str, Any]) -> None:
        """Ask a device for something; what it comes to is told as events.

        action: start, pause, resume, stop, save (on the device) or pull (into the run). given:
        knobs of a start that differ from the plan's. Raises InputError for what makes no sense.
        """
        if not 0 <= index < len(self._boards):
            raise InputError(f"there is no board number {index}")
        port = list(self._boards)[index]
        follower = self._watch.followers[port]
        actions: dict[str, Callable[[], object]] = {
            "start": lambda: follower.start(self._knobs(given), self._initial()),
            "pause": follower.pause,
            "resume": follower.resume,
            "stop": follower.stop,
            "save": follower.save,
            "pull": lambda: follower.pull(partial(self._keep, port, write=True)),
        }
        if action not in actions:
            raise InputError(f"a board can be asked to {', '.join(actions)}, not to {action!r}")
        actions[action]()

    def knobs(self) -> Knobs:
        """What `start` uses where nothing else is given."""
        return self._run.knobs("plan.json") if self._plan else Knobs()

    def _initial(self) -> NDArray[np.float32] | None:
        return self._run.initial(self._plan) if self._plan else None

    def _knobs(self, given: Mapping[str, Any]) -> Knobs:
        kinds = {"epochs": int, "rate": float, "seed": int}
        try:
            told = {name: kinds[name](value) for name, value in given.items()}
        except (KeyError, TypeError, ValueError):
            raise InputError(
                f"a start takes epochs, rate and seed as numbers, not {given}"
            ) from None
        if "seed" in told:
            told["weights_seed"] = told["seed"]
        return replace(self.knobs(), **told)

    # ---- events ----

    def _take(self, event: Event) -> None:
        board = self._boards[event.device]
        with self._lock:
            board.seen.take(event)
            board.version += 1
        ended = event.kind == "done" or (
            event.kind == "state" and event.values["epoch"] and not event.values["running"]
        )
        if ended and self._plan is not None:
            self._watch.followers[event.device].pull(partial(self._keep, event.device))

    def _keep(
        self, port: str, digest: bytes, weights: NDArray[np.float32], write: bool = False
    ) -> None:
        """Judge weights that have come home and, if asked to, write them into the run."""
        plan = self._plan
        if plan is None or digest != plan.digest:
            return
        said = ""
        try:
            heldout = _judge(self._run, plan, weights)
            if write:
                self._run.write_weights(plan, weights)
                said = f"weights are in {self._run.path('weights.npz')}"
        except TinydreamError as error:
            heldout, said = None, str(error)
        with self._lock:
            board = self._boards[port]
            board.heldout = heldout
            if said:
                board.seen.log.append(said)
            board.version += 1


# ---- plain values for JSON ----


def _columns(track: Track) -> list[list[float]]:
    x, y = zip(*track.points, strict=True) if track.points else ((), ())
    return [list(x), [float(f"{value:.6g}") for value in y]]


def _plan_of(run: Run) -> tuple[Plan | None, list[dict[str, Any]]]:
    """The run's plan, where there is one, and what of each region it takes."""
    try:
        plan = run.plan()
        uses = budget(plan, run.board(plan))
    except TinydreamError:
        return None, []
    regions = [
        {
            "name": use.region,
            "need": use.need,
            "have": use.have,
            "parts": [[b.name, b.bytes - b.shared, b.life] for b in use.buffers],
        }
        for use in uses
    ]
    return plan, regions


def _judge(run: Run, plan: Plan, weights: NDArray[np.float32]) -> dict[str, Any]:
    """How held-out rows fare: a score and, for classes, how often each is taken for which."""
    rows, simulator = run.heldout(), Simulator(plan)
    x, y = rows.X[:JUDGED], rows.y[:JUDGED]
    simulator.push(weights)
    told: dict[str, Any] = {"rows": len(x), "score": round(simulator.score(x, y), 4)}
    if not plan.classes:
        return told | {"metric": "R2"}
    count = np.zeros((len(plan.classes),) * 2, int)
    np.add.at(count, (np.asarray(y, int), simulator.predict(x)), 1)
    return told | {"metric": "accuracy", "classes": plan.classes, "count": count.tolist()}
