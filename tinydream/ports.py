"""What the name after --port stands for: where a plan can be trained, and what that needs."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.board import Board, list_boards, load_board
from tinydream.bridge import (
    Device,
    Link,
    Plugged,
    ProcessLink,
    QemuLink,
    SerialLink,
    hindrance,
    plugged,
)
from tinydream.doctor import examine
from tinydream.errors import FirmwareError, InputError
from tinydream.keras import KerasTwin
from tinydream.plan import Plan
from tinydream.run import Run
from tinydream.simulator import Simulator
from tinydream.training import Metrics

__all__ = [
    "HERE",
    "PASSING",
    "Place",
    "Port",
    "begin",
    "boards_of",
    "boards_with",
    "keeps",
    "link_opener",
    "list_places",
    "open_port",
]

HERE = ("sim", "keras")  # ports in this process
# ports whose device ends with the verb that opened it
PASSING = (*HERE, "native", "qemu")
KEPT = "storage.bin"
BAUD = 115_200  # where no board says otherwise
USUAL = {"sim": "native", "keras": "native", "native": "native", "qemu": "qemu_netduinoplus2"}


class Port(Protocol):
    """What a device offers, in this process or on a wire."""

    @property
    def tick_unit(self) -> str: ...
    def train(
        self,
        *,
        epochs: int,
        rate: float,
        seed: int,
        weights_seed: int,
        epoch_rows: int,
        fresh: bool,
        on_metrics: Callable[[Metrics], object] | None,
    ) -> object: ...
    def pull(self) -> NDArray[np.float32]: ...
    def push(self, weights: ArrayLike, /) -> None: ...
    def predict(self, raw: ArrayLike, /) -> NDArray[Any]: ...
    def predict_proba(self, raw: ArrayLike, /) -> NDArray[np.float32]: ...


@contextlib.contextmanager
def open_port(
    run: Run, made: Plan, port: str, *, save_every: int = 0, other: bool = False, **options: Any
) -> Iterator[Port]:
    """The device behind a port: 'sim', 'native', 'qemu', or anything pyserial can open; behind
    'keras' there is none, but the plan's network in Keras.

    options: on_log, on_values, patience of a `Device`. save_every: epochs after which the device
    saves weights and run, `saving.SAVE_BEST` for whenever the validation loss is the least so far;
    what a process or an emulated board saves is in the run folder. other: the device may be built
    from another plan. Raises InputError for a port that keeps nothing.
    """
    if save_every and port in HERE:
        raise InputError(f"port {port!r} keeps nothing; train on a device, or without --save-every")
    if port in HERE:
        yield Simulator(made) if port == "sim" else KerasTwin(made)
        return
    link = _passing(run, port, save_every > 0) or port
    with Device.open(link, baud=run.board(made).baud or BAUD, **options) as device:
        with contextlib.suppress(*[FirmwareError] * other):
            device.expect(made)
        if save_every:
            device.set(save_every=save_every)
        yield device


def begin(run: Run, made: Plan, device: Port) -> bool:
    """Push the weights that trainings of this plan begin with; True where they are drawn."""
    initial = run.initial(made)
    if initial is not None:
        device.push(initial)
    return initial is None


def link_opener(run: Run, port: str, baud: int | None = None) -> Callable[[], Link]:
    """How to reach the device behind a port, as often as one likes; none is reached yet.

    baud: of a serial port; by default that of the run's board, where there is a run. Raises
    InputError for 'sim' and 'keras', which are no devices on a line.
    """
    if port in HERE:
        raise InputError(
            f"port {port!r} is no device on a line: it ends with the verb that uses it; watch it"
            f" with `tinydream train --port {port}`"
        )
    rate = baud or _baud(run)
    return lambda: _passing(run, port) or SerialLink(port, baud=rate)


def _baud(run: Run) -> int:
    with contextlib.suppress(InputError):
        return run.board(run.plan()).baud or BAUD
    return BAUD


def _passing(run: Run, port: str, keep: bool = False) -> Link | None:
    """A program of the run's plan, started anew; None for a port on a wire.

    keep: what it saves stays in the run folder; so it does when there is something already.
    """
    if port not in PASSING:
        return None
    made = run.plan()
    board, program = _board_for(port, run.board(made)), run.program(made)
    kept = run.path(KEPT)
    keep = board.storage is not None and (keep or kept.exists())
    if board.qemu:
        place = (board.storage, kept) if board.storage and keep else None
        return QemuLink(board.qemu, program, kept=place)
    where = str(kept.resolve()) if keep else ""
    return ProcessLink([str(program)], env={"TINYDREAM_STORAGE": where})


def keeps(run: Run) -> bool:
    """Whether a process or an emulated board of this run has ever saved weights."""
    return run.path(KEPT).exists()


def boards_of(port: str) -> tuple[str, ...]:
    """Of the boards that ship, those whose plans a port can train, the usual one first."""
    boards = list_boards()
    if port in ("native", "qemu"):
        boards = tuple(board for board in boards if _runs(port, load_board(board)))
    return tuple(sorted(boards, key=lambda board: board != USUAL.get(port)))


def _runs(port: str, board: Board) -> bool:
    return board.qemu is not None if port == "qemu" else board.port == port


def _board_for(port: str, board: Board) -> Board:
    if not _runs(port, board):
        what = "a board that QEMU emulates" if port == "qemu" else "board 'native'"
        raise InputError(
            f"port {port!r} runs plans for {what} and this one is for {board.id!r}; run"
            f" `tinydream plan --board {USUAL[port]}`, or train with --port sim"
        )
    return board


# ---- what there is ----


@dataclass(frozen=True)
class Place:
    """A port that can be named after --port. missing: what it still needs, each with a remedy."""

    port: str
    what: str
    boards: tuple[str, ...]
    missing: tuple[str, ...]


def list_places() -> list[Place]:
    """The ports of this machine: those that need no board, then its serial ports."""
    what = {
        "sim": "the device's code, in this process",
        "native": "the firmware as a process",
        "qemu": "the firmware on an emulated core",
        "keras": "the plan's network in Keras",
    }
    checks = examine()
    missing = {
        port: tuple(f"{c.name}: {c.mend}" for c in checks if port in c.needed_for and not c.ok)
        for port in (*PASSING, "serial")
    }
    places = [Place(port, text, boards_of(port), missing[port]) for port, text in what.items()]
    return places + [_wire(each, missing["serial"]) for each in plugged()]


def _wire(each: Plugged, missing: tuple[str, ...]) -> Place:
    what = " ".join(filter(None, (each.text or "a serial port", each.usb)))
    why = hindrance(each.port)
    boards = boards_with(each) or boards_of(each.port)
    return Place(each.port, what, boards, (*missing, why) if why else missing)


def boards_with(each: Plugged) -> tuple[str, ...]:
    """Of the boards that ship, those with the USB ids of a port; cables have ids of their own, so
    several boards may have the same."""
    ids = (each.vid, each.pid)
    boards = [board for board in list_boards() if each.usb and ids in _ids(load_board(board))]
    return tuple(boards)


def _ids(board: Board) -> set[tuple[int, int]]:
    return {(usb.vid, usb.pid) for usb in board.usb}
