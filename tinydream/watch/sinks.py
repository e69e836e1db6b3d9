"""Where events go: JSON lines, CSV, Teleplot, lines to read. A sink takes events and is closed."""

import csv
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import IO, Protocol, TextIO

from tinydream.errors import InputError
from tinydream.watch.event import KINDS, Event, Value

__all__ = ["Csv", "JsonLines", "Lines", "Sink", "Teleplot", "epoch_line", "step_time"]

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
PLOTTED = ("loss", "accuracy", "valid_loss", "step_ticks")


class Sink(Protocol):
    """Takes events of any device, in the order in which they came."""

    def take(self, event: Event) -> None: ...

    def close(self) -> None: ...


class _Text:
    """A text file by its name, or standard output for '-'; each line is written out at once."""

    def __init__(self, name: str) -> None:
        """Raises InputError when the file cannot be written."""
        self._file: TextIO = sys.stdout
        self._ours = name != "-"
        if self._ours:
            try:
                self._file = open(name, "w", encoding="utf-8", newline="")
            except OSError as error:
                raise InputError(f"{name} cannot be written: {error.strerror or error}") from None

    def line(self, text: str) -> None:
        self._file.write(text + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._ours:
            self._file.close()


class JsonLines(_Text):
    """Every event as a line of JSON: time, device, event, and its values."""

    def take(self, event: Event) -> None:
        self.line(json.dumps(event.as_dict(), allow_nan=False))


class Csv(_Text):
    """A row an epoch; what an epoch does not tell is an empty cell."""

    COLUMNS = ("time", "device", *KINDS["epoch"])

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._rows = csv.DictWriter(self._file, self.COLUMNS, extrasaction="ignore")
        self._rows.writeheader()

    def take(self, event: Event) -> None:
        if event.kind == "epoch":
            self._rows.writerow(event.as_dict())
            self._file.flush()


class Teleplot:
    """Numbers for Teleplot: lines `>name:value` on standard output ('-'), or UDP to host:port.

    With several devices a name begins with its port's last part: `ttyACM0.loss`.
    """

    def __init__(self, to: str, several: bool = False) -> None:
        """Raises InputError when `to` is neither '-' nor host:port."""
        self._several = several
        self._socket: socket.socket | None = None
        if to != "-":
            host, _, port = to.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise InputError(f"--teleplot takes nothing, or HOST:PORT for UDP, not {to!r}")
            self._to = host, int(port)
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def take(self, event: Event) -> None:
        if event.kind != "epoch":
            return
        before = f"{PurePath(event.device).name.replace(':', '_')}." if self._several else ""
        told = {k: v for k, v in event.values.items() if k in PLOTTED}
        if not event.values["valid_rows"]:
            del told["valid_loss"]
        for name, value in told.items():
            self._send(f"{before}{name}:{value:g}")

    def _send(self, text: str) -> None:
        if self._socket is None:
            print(">" + text, flush=True)
            return
        try:
            self._socket.sendto(text.encode(), self._to)
        except OSError as error:
            where = ":".join(map(str, self._to))
            raise InputError(f"nothing can be sent to {where}: {error.strerror}") from None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class Lines:
    """A line to read for each epoch, end of a run, line of a log, and change of the link."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._unit: dict[str, str] = {}

    def take(self, event: Event) -> None:
        told = event.values
        if event.kind == "open":
            self._unit[event.device] = str(told["tick_unit"])
        text = {
            "open": lambda: f"board {told['board']}, plan {told['digest']}",
            "state": lambda: "training" if told["running"] else _end(told, "idle"),
            "epoch": lambda: epoch_line(told, self._unit.get(event.device, "")),
            "done": lambda: _end(told, "done"),
            "link": lambda: _link(told),
            "log": lambda: f"log: {told['text']}",
            "refused": lambda: f"{told['why']}",
        }[event.kind]()
        if text:
            print(f"{event.device}  {text}", file=self._file, flush=True)

    def close(self) -> None:
        """The file is not ours."""


# ---- words ----


def epoch_line(told: Mapping[str, Value], unit: str) -> str:
    """An epoch in a line, as far as it tells; unit: of its ticks."""
    parts = [f"epoch {told['epoch']}", f"loss {told['loss']:.4f}"]
    if "accuracy" in told:
        parts.append(f"drawn rows right {told['accuracy']:.1%}")
    if told["valid_rows"]:
        parts.append(f"validation loss {told['valid_loss']:.4f}")
    if "step_ticks" in told and unit:
        parts.append(f"a step {step_time(float(told['step_ticks']), unit)}")
    return "  ".join(parts)


def step_time(ticks: float, unit: str) -> str:
    """Ticks of a step in words: as time where their unit is one."""
    if unit not in SECONDS:
        return f"{ticks:,.0f} {unit}"
    seconds = ticks * SECONDS[unit]
    small = next((u for u in ("s", "ms", "us") if seconds >= SECONDS[u]), "ns")
    return f"{seconds / SECONDS[small]:.3g} {small}"


def _end(told: Mapping[str, Value], word: str) -> str:
    how = f"{word} after epoch {told['epoch']}" if told["epoch"] else word
    return f"{how}, {told['error']}" if told["error"] else how


def _link(told: Mapping[str, Value]) -> str:
    """Nothing of a link that is as it should be."""
    if not told["up"]:
        return f"link lost: {told['why']}"
    if told["lost"] or told["damaged"]:
        return f"link: {told['lost']} events lost, {told['damaged']} pieces damaged"
    return ""
