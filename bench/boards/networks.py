"""Random networks on every emulated board: bytes as planned, as linked and as observed."""

import importlib.util
from pathlib import Path
from typing import Any

from bench.boards import trial
from bench.boards.link import Linker
from bench.core.target import ROOT
from tinydream.budget import budget, estimate_code, stack_bound
from tinydream.plan import Plan
from tinydream.report.elf import read_elf

__all__ = ["SEEDS", "on_board", "random_plan", "sizes"]

SEEDS = range(100, 120)
BUILD = ROOT / "build/bench/networks"


def random_plan(seed: int, board_id: str) -> Plan:
    """A legal plan of any kind, as tests draw them."""
    spec = importlib.util.spec_from_file_location("plans", ROOT / "tests/plans.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.random_plan(seed, board=board_id)  # type: ignore[no-any-return]


def sizes(linker: Linker, plan: Plan, program: Path) -> dict[str, Any]:
    """Bytes of a linked program, and `off`: by how many each planned buffer is not as linked."""
    linked = read_elf(program.read_bytes())
    ram, flash = sorted(budget(plan, linker.board), key=lambda use: use.region, reverse=True)
    planned = {b.name: b.bytes for b in flash.buffers if b.name not in ("code", "names")}
    real = {name: linked.parts.get("td_plan" if name == "plan" else name) for name in planned}
    others = {b.name: b.bytes for b in ram.buffers if b.region == "ram"}
    planned |= others | {"arena": plan.arena_bytes}
    held = {name: linked.parts.get(name, 0) for name in ("arena", "node")}
    held["stack"] = linked.parts[".stack"]
    if "port" in planned:
        counter = ("wraps.", "last.")  # static in a function: the compiler adds a number
        held["port"] = sum(n for name, n in linked.parts.items() if name.startswith(counter))
    real |= held
    known = {name: size for name, size in real.items() if size is not None and name in planned}
    code = linked.flash - sum(b.bytes for b in flash.buffers if b.name != "code")
    estimate = estimate_code(plan, linker.board)
    return {
        "off": {
            name: size - planned[name] for name, size in known.items() if size != planned[name]
        },
        "unnamed": [name for name in planned if name not in known],
        "ram": linked.ram,
        "gaps": linked.ram - ram.need,
        "code": code,
        "estimate": estimate.value if estimate else None,
    }


def on_board(board_id: str, seed: int, *, runs: bool = True) -> dict[str, Any]:
    """One network: sizes, and the stack that it used when it trained."""
    linker = Linker(board_id, BUILD / board_id)
    plan = random_plan(seed, board_id)
    program = linker.program(plan)
    found = sizes(linker, plan, program)
    bound = stack_bound(plan, linker.board)
    found["stack_bound"] = bound.value if bound else None
    if runs:
        found["stack"] = trial.observe(linker.board, plan, program, rate=1e-4)["stack"]
    return found
