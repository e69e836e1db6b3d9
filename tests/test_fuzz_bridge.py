"""Foreign bytes on the line, to the device (in C, with sanitizers) and to the host."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tinydream.bridge.answer import MESSAGES
from tinydream.bridge.frame import Decoder, Frame, encode
from tinydream.errors import FirmwareError

HEARD = [kind for number, kind in MESSAGES.items() if number >= 0x80]
ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "runs"),
    [
        pytest.param("frame", 200_000, marks=pytest.mark.needs("cc")),
        pytest.param("bridge", 20_000, marks=pytest.mark.needs("cc")),
        pytest.param("host", 5_000, marks=pytest.mark.needs("atheris")),
    ],
)
def test_fuzzers_find_nothing(target, runs):
    """Few inputs; docs/results/fuzz.json has what more of them came to."""
    run = subprocess.run(
        [ROOT / "scripts/fuzz", target, "--runs", str(runs)],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{target}: {runs:,} executions, 0 findings" in run.stdout


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
