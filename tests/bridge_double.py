"""A device for tests: the C node with a fake trainer, as a process; and a link that fails."""

import atexit
import functools
import random
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from conftest import need
from numpy.typing import NDArray

from tinydream.board import load_board
from tinydream.bridge import Device, Link, ProcessLink
from tinydream.codegen import generate
from tinydream.plan import Inputs, Layer, Optimizer, Outputs, Plan, Rows

__all__ = [
    "FAST",
    "NODE",
    "FaultyLink",
    "MuteLink",
    "compile_c",
    "node_program",
    "process",
    "small_plan",
    "two_runs",
]

ROOT = Path(__file__).parents[1]
CORE = ROOT / "firmware/lib/tinydream/src"
STRICT = (
    "-std=c99 -pedantic -Wall -Wextra -Wconversion -Wdouble-promotion -Wvla -Wshadow -Werror"
    " -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"
).split()

NODE = ("td_frame.c", "td_node.c", "td_node_ask.c", "td_node_answer.c")

# a process answers at once: short times keep the tests short
FAST = {"timeout": 0.1, "tries": 50, "open_timeout": 5.0, "silence": 0.1}


@functools.cache
def compile_c(name: str, *arguments: str) -> str:
    """Compile C files (relative to the repository) with all warnings and sanitizers."""
    need("cc")
    folder = Path(tempfile.mkdtemp(prefix="tinydream-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    program = folder / name
    files = [str(ROOT / a) if a.endswith(".c") else a for a in arguments]
    includes = [f"-I{CORE}", f"-I{ROOT / 'tests/c'}"]
    subprocess.run(["cc", *STRICT, *includes, *files, "-o", str(program)], check=True)
    return str(program)


def node_program(*options: str, main: str = "firmware/port/main.c") -> str:
    """The firmware as a native program, with the fake trainer and the digest of `small_plan`."""
    core = "firmware/lib/tinydream/src/"
    files = (*(core + name for name in NODE), "tests/c/fake_train.c")
    port = (main, "firmware/port/native/port.c")
    digest = ",".join(map(str, small_plan().digest))
    switches = (f"-DFAKE_DIGEST={digest}", "-DTD_WITH_SAVE=0")
    return compile_c("node", *files, *port, *switches, *options)


def process(*options: str) -> ProcessLink:
    return ProcessLink([node_program(*options)])


def two_runs(device: Device) -> NDArray[np.float32]:
    """The second run goes on from the first one's weights: doing one of them twice would show."""
    seen: list[int] = []
    device.train(epochs=40, seed=1, on_metrics=lambda m: seen.append(m.epoch))
    assert seen == sorted(set(seen))
    done = device.train(epochs=40, seed=2, fresh=False)
    assert (done.epoch, done.step) == (40, 200)
    return device.pull()


@functools.cache
def small_plan(board: str = "native") -> Plan:
    """The smallest plan with the fake trainer's number of parameters (150)."""
    one = np.ones(1, np.uint8)
    rows = Rows(14, 4, one, one, one, np.zeros(0), ((1, 1),), np.zeros(3))
    inputs = Inputs(np.ones(14, bool), np.zeros(1), np.zeros(1))
    layers = (Layer("dense", 14, 10, 0.1), Layer("softmax", 10, 10))
    names = tuple(f"f{i}" for i in range(14)), tuple(f"c{i}" for i in range(10))
    return Plan(
        board, *names, ("class",), inputs, Outputs(), rows, layers, Optimizer("sgd"), 10, 10
    )


class FaultyLink:
    """A link over a bad line: each frame suffers one of `faults` with probability `share`."""

    FAULTS = ("drop", "flip", "insert", "twice", "cut", "text", "delay", "lose")

    def __init__(
        self, link: Link, seed: int, share: float, faults: tuple[str, ...] = FAULTS
    ) -> None:
        self.link, self.name = link, link.name
        self.faults, self.share = faults, share
        self.injected: dict[str, int] = dict.fromkeys(faults, 0)
        self._random = random.Random(seed)
        self._late = b""

    def read(self, timeout: float) -> bytes:
        return self._spoil(self.link.read(timeout))

    def write(self, data: bytes) -> None:
        self.link.write(self._spoil(data))

    def close(self) -> None:
        self.link.close()

    def _spoil(self, data: bytes) -> bytes:
        frames = re.findall(rb"\0[^\0]+\0|[^\0]+|\0", data)
        return b"".join(self._maybe(frame) for frame in frames)

    def _maybe(self, frame: bytes) -> bytes:
        if self._random.random() > self.share:
            return frame
        fault = self._random.choice(self.faults)
        self.injected[fault] += 1
        return self._apply(fault, frame, self._random.randrange(len(frame)))

    def _apply(self, fault: str, frame: bytes, at: int) -> bytes:
        match fault:
            case "drop":
                return frame[:at] + frame[at + 1 :]
            case "flip":
                return frame[:at] + bytes((frame[at] ^ 1 << at % 8,)) + frame[at + 1 :]
            case "insert":
                return frame[:at] + self._random.randbytes(3) + frame[at:]
            case "twice":
                return frame + frame
            case "cut":
                return frame[:at]
            case "text":
                return b"low battery\r\n" + frame
            case "delay":
                time.sleep(0.002)
                return frame
            case _:
                return b""


class MuteLink:
    """A link whose device is heard no more once `mute` is set."""

    def __init__(self, link: Link) -> None:
        self.link, self.name, self.mute = link, link.name, False

    def read(self, timeout: float) -> bytes:
        data = self.link.read(timeout)
        return b"" if self.mute else data

    def write(self, data: bytes) -> None:
        self.link.write(data)

    def close(self) -> None:
        self.link.close()


def compiled(plan, folder):
    """A program with the real core and this plan."""
    need("cc")
    for place, text in generate(plan, load_board("native")).items():
        if place.endswith((".c", ".h")):
            (folder / place.rpartition("/")[2]).write_text(text)
    port = [ROOT / "firmware/port/main.c", *(ROOT / "firmware/port/native").glob("*.c")]
    files = [folder / "td_plan.c", *port, *sorted(CORE.glob("td_*.c"))]
    flags = ["-std=c99", "-O1", "-ffp-contract=off", f"-I{folder}", f"-I{CORE}"]
    subprocess.run(["cc", *flags, *files, "-o", folder / "device"], check=True)
    return str(folder / "device")
