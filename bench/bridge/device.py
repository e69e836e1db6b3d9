"""The node as a native program, with the trainer of the tests that is quick."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.core.target import ROOT
from tinydream.bridge import Device

__all__ = ["FAST", "make_program", "work"]

CORE = "firmware/lib/tinydream/src"
FILES = (
    *(
        f"{CORE}/{name}"
        for name in ("td_frame.c", "td_node.c", "td_node_ask.c", "td_node_answer.c")
    ),
    *("tests/c/fake_train.c", "firmware/port/main.c", "firmware/port/native/port.c"),
)
FAST: dict[str, Any] = {"timeout": 0.02, "tries": 2000, "open_timeout": 20.0, "silence": 0.02}


def make_program(folder: Path, parameters: int = 150) -> str:
    """Compile it; returns the program's path."""
    program = folder / f"node{parameters}"
    flags = [
        "-std=c99",
        "-O2",
        f"-DFAKE_PARAMETERS={parameters}",
        "-DTD_WITH_SAVE=0",
        f"-I{CORE}",
        "-Itests/c",
    ]
    subprocess.run(["cc", *flags, *FILES, "-o", str(program)], cwd=ROOT, check=True)
    return str(program)


def work(device: Device) -> NDArray[np.float32]:
    """Every kind of request; what comes of it shows whether any was lost, or done twice."""
    device.train(epochs=20, seed=1)
    device.set(rate=0.25, report=3)
    device.train(epochs=20, seed=2, fresh=False)
    for row in range(4):
        device._row(2, np.full(15, row, np.float32))
    middle = device.pull()
    device.push(middle[::-1])
    device.evaluate()
    device.train(epochs=10, seed=3, fresh=False)
    return np.concatenate([middle, device.pull()])
