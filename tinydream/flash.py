"""Flashing: the board that is plugged in is found, built for, uploaded to, and asked who it is."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydream import stages
from tinydream.board import Board
from tinydream.bridge import Device, Plugged, hindrance, plugged
from tinydream.build import run_platformio
from tinydream.errors import BuildError, InputError, LinkError
from tinydream.plan import Plan
from tinydream.ports import boards_with
from tinydream.run import Run

__all__ = ["Flashed", "Steps", "flash", "look_ahead"]

WAIT, LOOK = 30.0, 0.1  # seconds for a board to come back, and between two looks
SETTLE = 0.5  # seconds a board has to go away before its port is taken for the new one
PATIENCE = 3.0  # seconds for an answer at one port

# what upload tools say, and what it means: the first that is found counts
SAYINGS = (
    (
        r"Permission denied|LIBUSB_ERROR_ACCESS|Access is denied|EACCES",
        "the port or the USB device may not be used by this user",
        "join the group that owns it (often `sudo usermod -aG dialout $USER`; ST-LINK and boot"
        " loaders want PlatformIO's 99-platformio-udev.rules) and log in again",
    ),
    (
        r"Device or resource busy|port is busy|could not exclusively lock|LIBUSB_ERROR_BUSY",
        "another program holds the port",
        "close it (a serial monitor?), then flash again",
    ),
    (
        r"This chip is [\w-]+,? not|Wrong --chip|not match.*chip"
        r"|unexpected idcode|UNEXPECTED idcode|wrong device|unable to match device",
        "the chip is not the plan's",
        "look which board is plugged in, and plan for that one: `tinydream plan --board ...`",
    ),
    (
        r"Failed to connect to ESP|Wrong boot mode|chip stopped replying|No serial data received"
        r"|Timed out waiting for packet|Invalid head of packet",
        "the boot loader does not answer",
        "hold BOOT (IO0) while uploading begins, and try another cable: some carry no data",
    ),
    (
        r"No accessible RP2040|BOOTSEL|RPI-RP2|No drive|Unable to find.*drive",
        "the board is not in its boot loader",
        "hold BOOTSEL while plugging it in, then flash again",
    ),
    (
        r"No device found on|Please specify .?upload_port|no bootloader|Unable to find.*reset"
        r"|SAM-BA operation failed|HalfKay|press the (?:reset )?button",
        "the board's boot loader was not found",
        "press its reset button (twice quickly on a Nano, once on a Teensy), then flash again",
    ),
    (
        r"LIBUSB_ERROR_NO_DEVICE|Error: open failed|unable to open ftdi|No ST-?LINK|couldn't find"
        r" any .*st-?link|init mode failed",
        "no debug probe answered",
        "plug in the ST-LINK's USB cable, and look whether the board has power",
    ),
    (
        r"verif\w* (?:failed|error)|MD5 of file does not match|contents differ|data mismatch",
        "what was written is not what was sent",
        "flash again with another cable or without a hub; the flash may be worn out",
    ),
    (
        r"could not open port|No such file or directory: '/dev|FileNotFoundError.*COM\d",
        "the port went away",
        "look at cable and power, then flash again",
    ),
    (
        r"HTTPClientError|InternetConnectionError|ConnectionError|Could not find the package",
        "PlatformIO could not download the upload tool of this board",
        "flash once with a connection to the internet",
    ),
)


@dataclass(frozen=True)
class Steps:
    """What `flash` does. port: where; looks: what is plugged in there. built: it is already.
    command: that uploads."""

    board: str
    digest: str
    port: str
    looks: str
    built: bool
    command: tuple[str, ...]


@dataclass(frozen=True)
class Flashed:
    """A board that runs the plan. port: where it is now; seconds: all of it."""

    board: str
    digest: str
    port: str
    seconds: float


def look_ahead(run: Run, port: str | None = None) -> Steps:
    """What `flash` would do, without doing any of it.

    Raises InputError for a board that is not flashed, RunError without a project, LinkError
    unless there is one board that suits.
    """
    made, board = _plan(run)
    found = _find(board, port)
    looks = " ".join(filter(None, (found.usb, found.text)))
    command = ("pio", *_arguments(run, found.port))
    built = stages.is_built(run, made) is not None
    return Steps(board.id, made.digest.hex(), found.port, looks, built, command)


def flash(
    run: Run,
    port: str | None = None,
    *,
    on_output: Callable[[str], Any] | None = None,
    wait: float = WAIT,
) -> Flashed:
    """Build if need be, upload, wait for the board to come back, and check its digest.

    port: of several boards, or one whose USB ids nobody knows; by default the one that is plugged
    in. on_output gets each line of PlatformIO. wait: seconds for the board to answer.

    Raises as `look_ahead` does; BuildError when something cannot be built or uploaded, LinkError
    when the board does not come back, FirmwareError when it runs another plan.
    """
    start = time.monotonic()
    made, board = _plan(run)
    before = _find(board, port)
    if why := hindrance(before.port):
        raise LinkError(why)
    stages.build(run, on_output)
    others = {each.port for each in plugged()} - {before.port}
    _upload(run, before.port, on_output)
    now = _wait_for(_Known(before, others, board), made, wait)
    return Flashed(board.id, made.digest.hex(), now, time.monotonic() - start)


# ---- which board, where ----


def _plan(run: Run) -> tuple[Plan, Board]:
    made = run.plan()
    board = run.board(made)
    if board.platformio is None:
        how = "qemu" if board.qemu else "native"
        raise InputError(
            f"board {board.id!r} is not flashed: `tinydream train --port {how}` runs it; plan for a"
            " board that can be plugged in, which `tinydream boards` lists"
        )
    return made, board


def _find(board: Board, port: str | None) -> Plugged:
    """The port that this board is plugged in at; LinkError when there is none, or several."""
    there = plugged()
    if port is not None:
        return _named(board, port, there)
    ids = {(usb.vid, usb.pid) for usb in board.usb}
    found = [each for each in there if (each.vid, each.pid) in ids]
    if len(found) == 1:
        return found[0]
    if not found:
        raise LinkError(
            f"no {board.name} is plugged in ({_list(there)}); plug it in with a cable that carries"
            " data, or name its port with --port"
        )
    raise LinkError(
        f"{len(found)} ports may be a {board.name} ({_list(found)}); name one with --port"
    )


def _named(board: Board, port: str, there: Sequence[Plugged]) -> Plugged:
    found = next((each for each in there if each.port == port), Plugged(port))
    if "://" in port or not (Path(port).exists() or found in there):
        raise LinkError(
            f"port {port!r} is no serial port of this machine ({_list(there)}); plug in the board"
        )
    others = boards_with(found)
    if others and board.id not in others:
        raise LinkError(
            f"{port} is {' or '.join(others)} ({found.usb}), and the plan is for {board.id}; run"
            f" `tinydream plan --board {others[0]}`, or name another port"
        )
    return found


def _list(there: Sequence[Plugged]) -> str:
    if not there:
        return "there are no serial ports"
    return ", ".join(" ".join(filter(None, (p.port, p.usb, *boards_with(p)))) for p in there)


# ---- upload ----


def _arguments(run: Run, port: str) -> tuple[str, ...]:
    project = str(run.firmware.resolve())
    return ("run", "--project-dir", project, "--target", "upload", "--upload-port", port)


def _upload(run: Run, port: str, on_output: Callable[[str], Any] | None) -> None:
    log = run.firmware.resolve() / ".pio" / "upload.log"
    try:
        log.parent.mkdir(exist_ok=True)
        code, lines = run_platformio(_arguments(run, port), log, on_output or (lambda line: None))
    except BrokenPipeError:  # whoever listens to on_output has gone
        raise
    except OSError as error:
        place, why = error.filename or log, error.strerror or error
        raise BuildError(f"{place} cannot be written: {why}; make room, then flash again") from None
    if code:
        raise BuildError(f"{_why(code, lines)}; the whole output is in {log}")


def _why(code: int, lines: Sequence[str]) -> str:
    said = "\n".join(lines)
    for pattern, what, remedy in SAYINGS:
        if re.search(pattern, said, re.I):
            return f"uploading failed: {what}; {remedy}"
    last = next((line for line in reversed(lines) if line.strip(" =-*")), "nothing")
    return f"uploading failed with code {code}; the tool last said '{last.strip()}'"


# ---- the board comes back ----


@dataclass(frozen=True)
class _Known:
    """before: the port that the board had. others: ports that are not the board's."""

    before: Plugged
    others: set[str]
    board: Board

    def ports(self) -> Iterator[str]:
        """Where the board may be now: on the same place of the bus, or, if its USB ids have
        changed with its program, at a new port with ids of the board."""
        ids = {(usb.vid, usb.pid) for usb in self.board.usb if not usb.boot}
        for each in plugged():
            new = each.port not in self.others and (each.vid, each.pid) in ids
            if new or each.same(self.before):
                yield each.port
        if self.before.vid is None and Path(self.before.port).exists():
            yield self.before.port  # no USB device: nobody lists it


def _wait_for(known: _Known, made: Plan, wait: float) -> str:
    """The port where the board answers with the plan's digest; it may have another name now."""
    deadline, last = time.monotonic() + wait, "it is not plugged in"
    time.sleep(min(SETTLE, wait))
    while (left := deadline - time.monotonic()) > 0:
        for port in known.ports():
            try:
                _ask(port, known.board, made, min(left, PATIENCE))
                return port
            except LinkError as error:  # it may still be starting, or about to go away
                last = str(error).split(";")[0]
        time.sleep(LOOK)
    raise LinkError(
        f"{known.board.name} was uploaded to and did not answer within {wait:g} s ({last}); press"
        " its reset button, then look with `tinydream train --port ...`"
    )


def _ask(port: str, board: Board, made: Plan, patience: float) -> None:
    with Device.open(port, baud=board.baud or 115_200, open_timeout=patience) as device:
        device.expect(made)
