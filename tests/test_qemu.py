"""An emulated Cortex-M4F: the link to it, and the same weights as everywhere, bit for bit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plans import gentle, random_plan

from tinydream.board import load_board
from tinydream.bridge import Device, ProcessLink, QemuLink
from tinydream.codegen import generate
from tinydream.errors import LinkError
from tinydream.resources import firmware_folder
from tinydream.simulator import Simulator

BOARD = "qemu_netduinoplus2"
FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections")
CORE = firmware_folder() / "lib" / "tinydream" / "src"
SEEDS = range(100, 120)
PORT = firmware_folder() / "port"

pytestmark = [pytest.mark.needs("qemu"), pytest.mark.slow]


class Maker:
    """Compiles the core and a port once, then links one plan after the other to them."""

    def __init__(self, board_id: str, folder: Path) -> None:
        self.board, self.folder = load_board(board_id), folder
        self.compiler = f"{self.board.prefix}gcc" if self.board.prefix else "cc"
        bare = ("-ffreestanding",) if self.board.prefix else ()
        self.flags = (*self.board.cpu_flags, *FLAGS, *bare, f"-I{CORE}")
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
        return ("-nostdlib", "-Wl,--gc-sections", "-T", str(script), *defined, "-lgcc")

    def program(self, plan) -> Path:
        for name in ("td_plan.c", "td_plan.h"):
            (self.folder / name).write_text(generate(plan)[f"src/{name}"])
        program = self.folder / "program"
        plan_c = (self.folder / "td_plan.c", PORT / "main.c", "-I.")
        self.call(*self.flags, *plan_c, *self.objects, *self.link_flags(), "-o", program)
        return program


@pytest.fixture(scope="module")
def makers(tmp_path_factory):
    return {board: Maker(board, tmp_path_factory.mktemp(board)) for board in ("native", BOARD)}


def device(plan, makers):
    program = makers[plan.board].program(plan)
    native = plan.board == "native"
    return Device.open(
        ProcessLink([str(program)]) if native else QemuLink(load_board(BOARD).machine, program)
    )


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
    link = QemuLink(load_board(BOARD).machine, makers[BOARD].program(random_plan(3, board=BOARD)))
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
            Device.open(QemuLink("netduinoplus2", program), open_timeout=3.0)


def test_an_emulator_that_never_calls_is_given_up_and_killed(tmp_path, monkeypatch):
    fake = tmp_path / "qemu-system-arm"
    fake.write_text("#!/bin/sh\necho $$ > pid\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LinkError, match="opened no serial line in 0.5 s.*tinydream doctor"):
        QemuLink("netduinoplus2", tmp_path, start_timeout=0.5)
    assert not alive(int(Path("pid").read_text()))


HOST = """
import sys, time
from pathlib import Path
from tinydream.bridge import QemuLink
link = QemuLink("netduinoplus2", Path(sys.argv[1]))
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


# ---- through the verbs ----


def test_the_verbs_train_on_an_emulated_board(table, verb):
    for arguments in (
        ["compress", table, "--target", "kind", "--budget-bytes", 400],
        ["plan", "--board", BOARD, "--epochs", 8, "--hidden", 8],
        ["generate"],
        ["build"],
    ):
        assert verb(*arguments)[0] == 0, arguments
    code, out, err = verb("train", "--port", "qemu")
    assert (code, err) == (0, "") and "instructions (emulated)" in out
    told = json.loads(Path("run/train.json").read_text())
    assert told["tick_unit"] == "instructions (emulated)" and 1e3 < told["step_ticks"] < 1e6
    assert verb("pull", "--port", "qemu")[0] == 0
    code, out, err = verb("report", "--json")
    report = json.loads(out)
    assert (report["board"], report["port"], report["weights_equal"]) == (BOARD, "qemu", True)
    assert verb("verify", "--port", "qemu")[0] == verb("train", "--port", "sim")[0] == 0
    assert json.loads(Path("run/train.json").read_text())["crc32"] == told["crc32"]


def test_a_plan_for_another_board_is_refused_with_the_boards_that_are_emulated(table, verb):
    verb("compress", table, "--target", "kind", "--budget-bytes", 400)
    verb("plan", "--board", "native")
    code, out, err = verb("train", "--port", "qemu")
    assert code == 2 and f"runs plans for board '{BOARD}' and this one is for 'native'" in err
    assert f"`tinydream plan --board {BOARD}`" in err and err.count("\n") == 1
