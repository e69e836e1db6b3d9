"""What is known of one device by now, from all that it told: what views draw."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from tinydream.watch.event import Event, Value

__all__ = ["Seen", "Track"]

CURVES = ("loss", "valid_loss", "accuracy", "step_ticks")


class Track:
    """A curve of any length in bounded memory: when it is full, every second point goes."""

    def __init__(self, most: int) -> None:
        self.points: list[tuple[float, float]] = []
        self._most, self._stride, self._count = most, 1, 0

    def add(self, x: float, y: float) -> None:
        if self.points and self.points[-1][0] == x:
            self.points[-1] = (x, y)
            return
        if self._count % self._stride == 0:
            self.points.append((x, y))
        if len(self.points) > self._most:
            del self.points[1::2]
            self._stride *= 2
        self._count += 1

    def shape(self, width: int) -> list[float]:
        """At most `width` numbers that go the way of the curve: means of neighbours."""
        values = [y for _, y in self.points]
        if len(values) <= width:
            return values
        edges = [len(values) * i // width for i in range(width + 1)]
        pairs = zip(edges, edges[1:], strict=False)
        return [sum(values[a:b]) / (b - a) for a, b in pairs]


@dataclass
class Seen:
    """One device; points: of each of its curves, at most.

    who: of its last "open"; last: of its last epoch; why: the link is down. channels: what the
    firmware's own numbers are; units: of these; own: their curves, the last value of each epoch.
    """

    port: str
    points: int = 1024
    who: dict[str, Value] = field(default_factory=dict)
    up: bool = False
    why: str = ""
    running: bool = False
    paused: bool = False
    epoch: int = 0
    error: str = ""
    lost: int = 0
    damaged: int = 0
    last: dict[str, Value] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    own: dict[str, Track] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    channels: dict[str, Value] = field(default_factory=dict)
    log: deque[str] = field(default_factory=lambda: deque(maxlen=100))

    def take(self, event: Event) -> None:
        """Learn from an event of this device."""
        told = event.values
        match event.kind:
            case "open":
                self.who, self.up, self.why = dict(told), True, ""
            case "epoch":
                self._epoch(told)
            case "state" | "done":
                self.running = bool(told.get("running", False))
                self.paused = bool(told.get("paused", False))
                self.epoch, self.error = int(told["epoch"]), str(told["error"])
            case "channels":
                self.units = {name: str(unit) for name, unit in told.items()}
            case "values":
                self.channels = dict(told)
                self._values(told)
            case "link":
                self.up, self.why = bool(told["up"]), str(told["why"])
                self.lost, self.damaged = int(told["lost"]), int(told["damaged"])
            case "log":
                self.log.append(str(told["text"]))
            case "refused":
                self.log.append(str(told["why"]))

    def words(self) -> str:
        """What the channels hold, with their units."""
        told = (f"{k} {v:.6g} {self.units.get(k, '')}".strip() for k, v in self.channels.items())
        return ", ".join(told)

    def _values(self, told: Mapping[str, Value]) -> None:
        for name, value in told.items():
            if isfinite(float(value)):  # JSON knows no other numbers
                self.own.setdefault(name, Track(self.points)).add(self.epoch, float(value))

    def _epoch(self, told: Mapping[str, Value]) -> None:
        values = dict(told)
        epoch = int(values["epoch"])
        if epoch <= int(self.last.get("epoch", 0)):  # another run
            self.tracks.clear()
            self.own.clear()
        self.running, self.epoch, self.error, self.last = True, epoch, "", values
        self.paused = False
        for name in CURVES:
            if name in values and (name != "valid_loss" or values["valid_rows"]):
                self.tracks.setdefault(name, Track(self.points)).add(epoch, float(values[name]))
