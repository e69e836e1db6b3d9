"""Foreign bytes on the line, to the device (in C, with sanitizers) and to the host."""

import os
import random
import subprocess
import sys
from pathlib import Path

from conftest import need

from tinydream.bridge.answer import MESSAGES
from tinydream.bridge.frame import Decoder, Frame, encode
from tinydream.errors import FirmwareError

HEARD = [kind for number, kind in MESSAGES.items() if number >= 0x80]
ROOT = Path(__file__).parents[1]


def test_the_device_survives_twenty_seconds_of_foreign_bytes():
    need("cc")
    environment = os.environ | {"PYTHON": sys.executable}
    run = subprocess.run(
        [ROOT / "scripts/fuzz", "bridge", "--seconds", "20"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_host_reads_any_bytes_without_a_traceback():
    rng, frames = random.Random(1), 0
    for _ in range(20_000):
        kind = rng.choice(HEARD)
        data = bytearray(encode(kind.TYPE, rng.randrange(256), rng.randbytes(rng.randrange(60))))
        for _ in range(rng.randrange(3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        for item in Decoder().feed(bytes(data) + b"\0"):
            if isinstance(item, Frame) and item.type >= 0x80:
                frames += 1
                try:
                    MESSAGES.get(item.type, kind).unpack(item.body)
                except FirmwareError:
                    continue
    assert frames > 5_000
