"""One plan on an emulated board: built by PlatformIO, trained over the protocol, looked into."""

import json
import re
import shutil
import socket
import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

from bench.core.target import ROOT, do
from bench.core.workload import digits_plan
from tinydream.board import Board, list_boards, load_board
from tinydream.bridge import Device, QemuLink
from tinydream.budget import budget
from tinydream.build import build
from tinydream.codegen import write_project
from tinydream.network import SGD
from tinydream.plan import Plan
from tinydream.report.elf import read_elf
from tinydream.simulator import Simulator
from tinydream.training import Metrics

__all__ = ["EMULATED", "PREFIXES", "observe", "on_board", "simulated", "versions"]

BUILD = ROOT / "build/bench/boards"
EMULATED = tuple(board for board in list_boards() if load_board(board).qemu)
PREFIXES = tuple(dict.fromkeys(load_board(board).prefix for board in EMULATED))
KNOBS: dict[str, Any] = {"epochs": 2, "rate": 0.05, "seed": 1, "weights_seed": 1}
PAINT = 0x5AC35AC3


def versions() -> dict[str, str]:
    """Of compilers and emulators."""
    tools = [f"{prefix}gcc" for prefix in PREFIXES]
    found = {tool: do([tool, "-dumpfullversion"]).strip() for tool in tools}
    for tool in dict.fromkeys(
        board.qemu.program for board in map(load_board, EMULATED) if board.qemu
    ):
        version = re.search(r"version ([\d.]+)", do([tool, "--version"]))
        found[tool] = version[1] if version else "unknown"
    return found


def _plan(board_id: str) -> Plan:
    """64-32-10 on single rows, plain SGD: what 16 KB of RAM hold."""
    return replace(digits_plan(SGD(), 1), board=board_id)


def simulated() -> str:
    """CRC-32 of the weights that the simulator comes to."""
    simulator = Simulator(_plan("native"))
    simulator.train(**KNOBS)
    return f"{crc32(simulator.weights.tobytes()):08x}"


def on_board(board_id: str) -> dict[str, Any]:
    """What the board came to; sizes in bytes, as linked; stack as it was used."""
    board, plan = load_board(board_id), _plan(board_id)
    folder = BUILD / board_id
    shutil.rmtree(folder, ignore_errors=True)
    write_project(plan, folder)
    program = build(folder)
    linked = read_elf(program.read_bytes())
    flash = next(use for use in budget(plan, board) if use.region == "flash")
    return {
        "core": board.core,
        "fpu": board.fpu,
        **observe(board, plan, program),
        "flash": linked.flash,
        "code": linked.flash - sum(b.bytes for b in flash.buffers if b.name != "code"),
        "ram": linked.ram,
        "stack_given": board.stack_bytes,
    }


def observe(board: Board, plan: Plan, program: Path, **changes: Any) -> dict[str, Any]:
    """Train over the protocol, and look at the stack, which the board paints when it starts.

    changes: knobs that differ from KNOBS. Raises RuntimeError when the board tells another figure.
    """
    assert board.qemu
    ram = board.region("ram").start  # the stack is the first that lies there
    with tempfile.TemporaryDirectory() as place:
        line = Path(place, "qmp")
        also = ("-qmp", f"unix:{line},server=on,wait=off")
        qemu = replace(board.qemu, options=(*board.qemu.options, *also))
        heard: list[Metrics] = []
        with Device.open(QemuLink(qemu, program)) as device:
            device.expect(plan)
            device.train(**KNOBS | changes, on_metrics=heard.append)
            crc = crc32(device.pull().astype("<f4").tobytes())
            told = device.counts().stack
            left = _memory(line, ram, board.stack_bytes, Path(place, "stack"))
    steps = sum(-(-m.rows // plan.batch) for m in heard)
    words = struct.unpack(f"<{board.stack_bytes // 4}I", left)
    untouched = next((i for i, word in enumerate(words) if word != PAINT), len(words))
    stack = board.stack_bytes - 4 * untouched
    if told != stack:
        raise RuntimeError(f"{board.id} tells {told} bytes of stack, and {stack} were used")
    return {
        "weights_crc32": f"{crc:08x}",
        "instructions": round(sum(m.ticks for m in heard) / steps),
        "stack": stack,
    }


def _memory(line: Path, start: int, size: int, into: Path) -> bytes:
    """Bytes of the machine as its core sees them, asked of QEMU's monitor."""
    save = {"val": start, "size": size, "filename": str(into), "cpu-index": 0}
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.connect(str(line))
        answers = monitor.makefile("r")
        answers.readline()  # its greeting
        _ask(monitor, answers, {"execute": "qmp_capabilities"})
        _ask(monitor, answers, {"execute": "stop"})
        _ask(monitor, answers, {"execute": "memsave", "arguments": save})
        answers.close()
    return into.read_bytes()


def _ask(monitor: socket.socket, answers: Any, request: dict[str, Any]) -> None:
    monitor.sendall(json.dumps(request).encode())
    while "return" not in (answer := json.loads(answers.readline())):
        if "error" in answer:
            raise RuntimeError(f"QEMU refused {request['execute']}: {answer['error']['desc']}")
