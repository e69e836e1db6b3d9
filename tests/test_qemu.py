"""Emulated boards: the link to them, and the same weights on each, bit for bit."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from plans import gentle, random_plan, with_windows

from tinydream.board import list_boards, load_board
from tinydream.bridge import Device, ProcessLink, QemuLink
from tinydream.budget import computed_again
from tinydream.codegen import generate
from tinydream.errors import LinkError
from tinydream.layer import WINDOWED
from tinydream.resources import firmware_folder
from tinydream.simulator import Simulator

BOARD = "qemu_netduinoplus2"
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")
CORE = firmware_folder() / "lib" / "tinydream" / "src"
SEEDS = range(100, 120)
EMULATED = [board for board in list_boards() if load_board(board).qemu]
WINDOWS = (0, 4, 6, 7)  # networks with every kind of layer between them
SMALL = (5, 6, 7)  # networks that 16 KB hold: Adam, with validation rows, for targets
PORT = firmware_folder() / "port"

pytestmark = [pytest.mark.needs("qemu"), pytest.mark.slow]


class Maker:
    """Compiles the core and a port once, then links one plan after the other to them."""

    def __init__(self, board_id: str, folder: Path) -> None:
        self.board, self.folder = load_board(board_id), folder
        self.compiler = f"{self.board.prefix}gcc" if self.board.prefix else "cc"
        bare = ("-ffreestanding",) if self.board.prefix else ()
        macros = self.board.devices.defines if self.board.devices else ()
        self.flags = (*self.board.cpu_flags, *FLAGS, *bare, f"-I{CORE}")
        self.flags += tuple(f"-D{macro}" for macro in macros)
        sources = [*CORE.glob("*.c"), *(PORT / self.board.port).glob("*.c")]
        self.call(*self.flags, "-c", *sources)
        self.objects = sorted(folder.glob("*.o"))

    def call(self, *arguments) -> None:
        subprocess.run([self.compiler, *map(str, arguments)], cwd=self.folder, check=True)

    def link_flags(self) -> tuple[str, ...]:
        if not self.board.prefix:
            return ()
        script = PORT / self.board.port / "link.ld"
        sizes = [f"STACK_BYTES={self.board.stack_bytes}"]
        for region in self.board.regions:
            name = region.name.upper()
            sizes += [f"{name}_START={region.start}", f"{name}_BYTES={region.usable}"]
        defined = [f"-Wl,--defsym={size}" for size in sizes]
        bare = ("-nostdlib", "-Wl,--gc-sections", "-T", str(script))
        return (*self.board.link_flags, *bare, *defined, "-lgcc")

    def program(self, plan) -> Path:
        for name in ("td_plan.c", "td_plan.h"):
            (self.folder / name).write_text(generate(plan)[f"src/{name}"])
        program, objects = self.folder / "program", ("td_plan.o", "main.o")
        self.call(*self.flags, "-I.", "-c", "td_plan.c", PORT / "main.c")
        flags = self.link_flags() if self.board.prefix else self.flags
        self.call(*objects, *self.objects, *flags, "-o", program)
        return program


class Makers(dict):
    """A maker for each board that is asked for."""

    def __init__(self, folder) -> None:
        self.folder = folder

    def __missing__(self, board_id: str) -> Maker:
        self[board_id] = Maker(board_id, self.folder(board_id))
        return self[board_id]


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    return Makers(tmp_path_factory.mktemp)


def device(plan, makers):
    maker = makers[plan.board]
    program, qemu = maker.program(plan), maker.board.qemu
    return Device.open(QemuLink(qemu, program) if qemu else ProcessLink([str(program)]))


# ---- the same numbers everywhere ----


def test_the_random_networks_are_of_both_kinds():
    tasks = [random_plan(seed).task for seed in SEEDS]
    assert min(tasks.count("classification"), tasks.count("regression")) >= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_simulator_process_and_emulated_core_train_the_same_weights(seed, makers):
    rate = 0.01 * gentle(random_plan(seed))
    knobs = {"epochs": 3, "rate": rate, "seed": seed, "weights_seed": seed + 1}
    told = {}
    for board in ("native", BOARD):
        plan, heard = random_plan(seed, board=board), []
        with device(plan, makers) as found:
            found.expect(plan)
            found.train(**knobs, on_metrics=heard.append)
            told[board] = found.pull().tobytes(), {without_ticks(m) for m in heard}
    simulator = Simulator(random_plan(seed))
    history = {without_ticks(m) for m in simulator.train(**knobs)}
    assert told["native"][0] == told[BOARD][0] == simulator.weights.tobytes()
    # an epoch shorter than a message may find the line busy, and is then not told
    assert told["native"][1] <= history and told[BOARD][1] <= history and told[BOARD][1]


def without_ticks(metrics):
    return metrics.epoch, metrics.step, metrics.rows, metrics.correct, metrics.loss


@pytest.mark.parametrize("board_id", EMULATED)
@pytest.mark.parametrize("seed", SMALL)
def test_every_board_trains_the_weights_of_the_simulator(board_id, seed, makers, require):
    require("riscv" if "rv32" in board_id else "qemu")
    plan = random_plan(seed, board=board_id)
    knobs = {"epochs": 3, "rate": 0.01 * gentle(plan), "seed": seed, "weights_seed": seed + 1}
    simulator, heard = Simulator(plan), []
    history = {without_ticks(m) for m in simulator.train(**knobs)}
    with device(plan, makers) as found:
        found.expect(plan)
        assert found.tick_unit == "instructions (emulated)"
        found.train(**knobs, on_metrics=heard.append)
        assert found.pull().tobytes() == simulator.weights.tobytes()
        before = found.status()
        found.reset()  # the same program starts anew, and has forgotten all
        found.expect(plan)
        assert found.status() != before
        found.train(**knobs)
        assert found.pull().tobytes() == simulator.weights.tobytes()
    assert heard and {without_ticks(m) for m in heard} <= history


@pytest.mark.parametrize(
    ("board_id", "seed"),
    [*((BOARD, seed) for seed in WINDOWS), ("qemu_microbit", 4), ("qemu_rv32imc", 4)],
)
def test_windows_and_what_lies_between_train_the_weights_of_the_simulator(
    board_id, seed, makers, require
):
    require("riscv" if "rv32" in board_id else "qemu")
    plan = windowed_plan(seed, board_id)
    knobs = {"epochs": 3, "rate": 0.01 * gentle(plan), "seed": seed, "weights_seed": seed + 1}
    simulator = Simulator(plan)
    simulator.train(**knobs)
    with device(plan, makers) as found:
        found.train(**knobs)
        assert found.pull().tobytes() == simulator.weights.tobytes()


def windowed_plan(seed, board_id):
    rng = np.random.default_rng(seed)
    plan = with_windows(random_plan(seed, board=board_id), rng, between=True)
    return computed_again(plan) if seed % 2 else plan


def test_these_networks_have_every_kind_of_layer():
    layers = [layer for seed in WINDOWS for layer in windowed_plan(seed, BOARD).operations]
    assert {layer.kind for layer in layers} == {"dense", *WINDOWED}
    assert any(layer.again for layer in layers)


def test_ticks_are_instructions_and_the_same_in_every_run(makers):
    plan, runs = random_plan(3, board=BOARD), []
    for _ in range(3):
        with device(plan, makers) as found:
            assert found.tick_unit == "instructions (emulated)"
            heard = []
            found.train(epochs=6, on_metrics=heard.append)
            runs.append({m.epoch: m.ticks for m in heard})
    epochs = set.intersection(*map(set, runs))  # that all three heard of
    assert epochs and all(len({run[epoch] for run in runs}) == 1 for epoch in epochs), runs


# ---- the link ----


@pytest.fixture
def link(makers):
    link = QemuLink(load_board(BOARD).qemu, makers[BOARD].program(random_plan(3, board=BOARD)))
    yield link
    link.close()


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_the_emulator_is_gone_when_its_link_is_closed(link):
    with Device.open(link):
        assert alive(link.process.pid)
    assert not alive(link.process.pid)
    with pytest.raises(LinkError, match="was killed by SIGKILL; start it again"):
        link.read(0.1)
    link.write(b"nobody")
    link.close()


def test_an_emulator_that_dies_says_how(link):
    with Device.open(link) as device:

        def kill(metrics):
            link.process.send_signal(signal.SIGTERM)

        with pytest.raises(LinkError, match="of 1000: the emulator .* ended .*signal 15"):
            device.train(epochs=1000, on_metrics=kill)


def test_a_firmware_that_is_none_is_told_with_qemus_own_words(tmp_path):
    for program in (tmp_path / "absent.elf", Path(__file__)):
        with pytest.raises(LinkError, match="qemu-system-arm.*(ended|killed).*saying .qemu"):
            Device.open(QemuLink(load_board(BOARD).qemu, program), open_timeout=3.0)


def test_an_emulator_that_never_calls_is_given_up_and_killed(tmp_path, monkeypatch):
    fake = tmp_path / "qemu-system-arm"
    fake.write_text("#!/bin/sh\necho $$ > pid\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinkError, match="opened no serial line in 0.5 s.*tinydream doctor"):
        QemuLink(load_board(BOARD).qemu, tmp_path, start_timeout=0.5)
    assert not alive(int(Path("pid").read_text()))


HOST = """
import sys, time
from pathlib import Path
from tinydream.board import load_board
from tinydream.bridge import QemuLink
link = QemuLink(load_board("qemu_netduinoplus2").qemu, Path(sys.argv[1]))
print(link.process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv (util-linux) is not here")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_emulator_dies_with_its_host_however_that_ends(makers, number):
    program = makers[BOARD].program(random_plan(3, board=BOARD))
    command = [sys.executable, "-c", HOST, str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        emulator = int(host.stdout.readline())
        assert alive(emulator)
        host.send_signal(number)
    until = time.monotonic() + 5
    while alive(emulator) and time.monotonic() < until:
        time.sleep(0.02)
    assert not alive(emulator)
