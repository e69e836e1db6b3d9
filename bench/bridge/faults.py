"""A bad line: is anything corrupted accepted, and does training come to the same?"""

import tempfile
import time
from pathlib import Path
from typing import Any

from bench.bridge.device import FAST, make_program, work
from bench.bridge.noise import NoisyLink
from tinydream.bridge import Device, ProcessLink
from tinydream.errors import DeviceError

__all__ = ["run"]

SHARES = (1 / 1000, 1 / 200, 1 / 50, 1 / 20)  # of bytes that are spoilt


def run(frames: int, progress: bool = False) -> list[dict[str, Any]]:
    """At least `frames` frames over each line; what became of them."""
    with tempfile.TemporaryDirectory() as folder:
        program = make_program(Path(folder))
        with Device.open(ProcessLink([program]), **FAST) as device:
            wanted = work(device).tobytes()
        return [_line(program, share, frames / len(SHARES), wanted) for share in SHARES]


def _line(program: str, share: float, frames: float, wanted: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"spoilt": share, "frames": 0, "arrived": 0, "wrong": 0}
    told |= {"runs": 0, "equal": 0, "link_errors": 0, "repeated": 0}
    started = time.monotonic()
    while told["frames"] < frames:
        noisy = NoisyLink(ProcessLink([program]), told["runs"], share)
        try:
            with Device.open(noisy, **FAST) as device:
                told["equal"] += work(device).tobytes() == wanted
                told["repeated"] += device.health.repeated
        except DeviceError:  # a clear end; anything else is a bug, and ends the bench
            told["link_errors"] += 1
        told["runs"] += 1
        for name in ("frames", "arrived", "wrong"):
            told[name] += getattr(noisy, name)
    told["seconds"] = round(time.monotonic() - started, 1)
    return told
