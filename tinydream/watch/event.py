"""What watched devices tell: one kind of record for every sink and every view."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tinydream.bridge import Done, State
from tinydream.bridge.message import error_text
from tinydream.training import Metrics

__all__ = ["KINDS", "Event", "Teller", "Value"]

Value = str | int | float | bool

# what a device may tell, and the names of the values that come with it
KINDS = {
    "open": ("board", "digest", "parameters", "arena_bytes", "tick_unit"),
    "state": ("running", "epoch", "step", "error"),
    "epoch": (*Metrics.__dataclass_fields__, "accuracy", "step_ticks"),
    "done": ("epoch", "step", "crc32", "error"),
    "link": ("up", "why", "lost", "damaged"),
    "log": ("text",),
    "refused": ("why",),
}


@dataclass(frozen=True)
class Event:
    """Something that a device told: its name, one of KINDS, values by name, seconds since 1970."""

    device: str
    kind: str
    values: Mapping[str, Value]
    time: float = field(default_factory=time.time)

    def as_dict(self) -> dict[str, Any]:
        """Flat, for JSON; a number that is not finite is null there."""
        told = {k: None if _is_odd(v) else v for k, v in self.values.items()}
        return {"time": round(self.time, 3), "device": self.device, "event": self.kind} | told


def _is_odd(value: Value) -> bool:
    return isinstance(value, float) and not abs(value) < float("inf")


class Teller:
    """Makes events of what one device says, for `tell`; a device may be a simulator.

    Without `tell` nobody listens.
    """

    def __init__(self, name: str, tell: Callable[[Event], object] = lambda event: None) -> None:
        self.name = name
        self._tell = tell
        self._guesses = False  # whether this run tells rows that were predicted right
        self._state: State | None = None
        self._link: tuple[int, int] | None = None

    def say(self, kind: str, **values: Value) -> None:
        self._tell(Event(self.name, kind, values))

    def opened(self, device: Any) -> None:
        """Who it is; a simulator is its plan."""
        who = getattr(device, "info", None) or device.plan
        self._state, self._link = None, None
        self.say(
            "open",
            board=who.board,
            digest=who.digest.hex(),
            parameters=who.parameters,
            arena_bytes=who.arena_bytes,
            tick_unit=device.tick_unit,
        )
        self.link(device)

    def epoch(self, metrics: Metrics, device: Any) -> None:
        """An epoch; ticks of a step are told where the port has a clock."""
        values: dict[str, Value] = {k: getattr(metrics, k) for k in asdict(metrics)}
        self._guesses = metrics.correct > 0 or (self._guesses and metrics.epoch > 1)
        if self._guesses:
            values["accuracy"] = metrics.accuracy
        if metrics.ticks and metrics.step:  # each epoch has as many steps
            values["step_ticks"] = metrics.ticks * metrics.epoch / metrics.step
        self.say("epoch", **values)
        self.link(device)

    def state(self, state: State) -> None:
        """How far it is, if that has changed."""
        if state != self._state:
            self._state = state
            error = error_text(state.error) if state.error else ""
            self.say(
                "state", running=state.running, epoch=state.epoch, step=state.step, error=error
            )

    def done(self, done: Done) -> None:
        error = error_text(done.error) if done.error else ""
        crc32 = f"{done.crc32:08x}"
        self.say("done", epoch=done.epoch, step=done.step, crc32=crc32, error=error)

    def log(self, text: str) -> None:
        self.say("log", text=text)

    def link(self, device: Any) -> None:
        """How well the line does, if that has changed."""
        counts = getattr(device, "lost_events", 0), getattr(device, "damaged", 0)
        if counts != self._link:
            self._link = counts
            self.say("link", up=True, why="", lost=counts[0], damaged=counts[1])

    def down(self, error: Exception) -> None:
        lost, damaged = self._link or (0, 0)
        self.say("link", up=False, why=str(error), lost=lost, damaged=damaged)
