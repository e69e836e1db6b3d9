"""What is known of one device by now, from all that it told: what views draw."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from tinydream.watch.event import Event, Value

__all__ = ["Seen", "Track"]

CURVES = ("loss", "valid_loss", "accuracy", "step_ticks")


class Track:
    """A curve of any length in bounded memory: when it is full, every second point goes."""

    def __init__(self, most: int) -> None:
        self.points: list[tuple[float, float]] = []
        self._most, self._stride, self._count = most, 1, 0

    def add(self, x: float, y: float) -> None:
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

    who: of its last "open"; last: of its last epoch; why: the link is down.
    """

    port: str
    points: int = 1024
    who: dict[str, Value] = field(default_factory=dict)
    up: bool = False
    why: str = ""
    running: bool = False
    epoch: int = 0
    error: str = ""
    lost: int = 0
    damaged: int = 0
    last: dict[str, Value] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
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
                self.epoch, self.error = int(told["epoch"]), str(told["error"])
            case "link":
                self.up, self.why = bool(told["up"]), str(told["why"])
                self.lost, self.damaged = int(told["lost"]), int(told["damaged"])
            case "log":
                self.log.append(str(told["text"]))
            case "refused":
                self.log.append(str(told["why"]))

    def _epoch(self, told: Mapping[str, Value]) -> None:
        values = dict(told)
        epoch = int(values["epoch"])
        if epoch <= int(self.last.get("epoch", 0)):  # another run
            self.tracks.clear()
        self.running, self.epoch, self.error, self.last = True, epoch, "", values
        for name in CURVES:
            if name in values and (name != "valid_loss" or values["valid_rows"]):
                self.tracks.setdefault(name, Track(self.points)).add(epoch, float(values[name]))
