"""How much of a line's rate weights get, over terminals that let bytes through in time."""

import multiprocessing
import os
import select
import subprocess
import tempfile
import time
import tty
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from bench.bridge.device import make_program
from tinydream.bridge import Device

__all__ = ["measure"]

BAUDS = (115_200, 921_600)
BITS = 10  # of a byte on the line: start, eight, stop
PIECE = 0.004  # seconds of the line that are let through at once: the grain of a busy machine
PARAMETERS = 20_000
FORK = multiprocessing.get_context("fork")


def carry(source: int, sink: int, baud: int) -> None:
    """Bytes from one file to another, no faster than a line of so many baud."""
    free, piece = 0.0, int(PIECE * baud / BITS)  # free: when the line has sent what it was given
    while True:
        waited = not select.select([source], [], [], 0)[0]
        data = os.read(source, piece)
        # what lay there already follows at once, however late this process may be
        free = (max(free, time.monotonic()) if waited else free) + len(data) * BITS / baud
        time.sleep(max(0.0, free - time.monotonic()))
        os.write(sink, data)


def measure() -> list[dict[str, Any]]:
    """Bytes of weights a second, as a share of the bytes that the line moves."""
    with tempfile.TemporaryDirectory() as folder:
        program = make_program(Path(folder), PARAMETERS)
        return [_pull(program, baud) for baud in BAUDS]


def _terminal() -> tuple[int, int]:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return ours, theirs


def _pull(program: str, baud: int) -> dict[str, Any]:
    (near, port), (far, wire) = _terminal(), _terminal()
    node = subprocess.Popen([program], stdin=wire, stdout=wire)
    ways = [FORK.Process(target=carry, args=(*way, baud)) for way in ((near, far), (far, near))]
    for way in ways:
        way.start()
    try:
        with Device.open(os.ttyname(port), timeout=5.0) as device:
            started = time.monotonic()
            weights = device.pull()
            seconds = time.monotonic() - started
            state = device.status()
            device.push(weights)
            pushed = time.monotonic() - started - seconds
    finally:
        node.kill()
        for way in ways:
            way.kill()
        node.wait()
        for file in (near, far, port, wire):
            os.close(file)
    if zlib.crc32(weights.astype("<f4").tobytes()) != state.crc32:
        raise RuntimeError("the weights are not the device's")
    moved = np.array([seconds, pushed])
    shares = weights.nbytes * BITS / baud / moved
    return {"baud": baud, "pull": round(float(shares[0]), 3), "push": round(float(shares[1]), 3)}
