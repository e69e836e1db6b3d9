"""Random networks on every emulated board: bytes as planned, as linked and as observed."""

import importlib.util
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from bench.boards import trial
from bench.boards.link import Linker
from bench.core.table import table
from bench.core.target import ROOT
from tinydream.budget import budget, computed_again, estimate_code, fitted, stack_bound, stack_lacks
from tinydream.plan import Plan
from tinydream.report.elf import read_elf

__all__ = ["FIRST", "KEPT", "on_board", "page", "random_plan", "sizes"]

FIRST, MANY = 100, 20  # seeds
BUILD = ROOT / "build/bench/networks"
KEPT = ROOT / "docs/results/networks.json"
RATE = 1e-7  # targets are random and large; it is bytes that are looked at


def random_plan(seed: int, board_id: str) -> Plan:
    """A legal plan of any kind, as tests draw them; of odd seeds with convolutions and the like,
    and of every other one of these with outputs computed again."""
    spec = importlib.util.spec_from_file_location("plans", ROOT / "tests/plans.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plan = module.random_plan(seed, board=board_id)
    if seed % 2:
        plan = module.with_windows(plan, np.random.default_rng(seed), between=True)
        plan = computed_again(plan) if seed % 4 == 1 else plan
    return plan  # type: ignore[no-any-return]


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
    if plan.refill:
        names = {"representatives in RAM": "bits", "plan in RAM": "td_plan"}
        held |= {name: linked.parts.get(symbol, 0) for name, symbol in names.items()}
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


def on_board(board_id: str) -> dict[str, Any]:
    """The first networks of which the budget says that they fit: sizes, and the stack that each
    used when it trained."""
    linker = Linker(board_id, BUILD / board_id)
    found: dict[str, Any] = {}
    for seed in count(FIRST):
        if len(found) == MANY:
            return found
        plan = fitted(random_plan(seed, board_id), linker.board)
        over = any(use.over for use in budget(plan, linker.board))
        if over or stack_lacks(plan, linker.board):
            continue
        program = linker.program(plan)
        each = sizes(linker, plan, program)
        bound = stack_bound(plan, linker.board)
        each["stack_bound"] = bound.value if bound else None
        each["stack"] = trial.observe(linker.board, plan, program, rate=RATE)["stack"]
        found[str(seed)] = each
    raise AssertionError  # there is no last seed


HEAD = (
    *("board", "networks", "bytes off, of all buffers", "gaps in RAM"),
    *("code less its estimate", "most stack used", "nearest to its bound"),
)


def page(found: dict[str, Any]) -> tuple[Path, str]:
    """Where these figures are kept, and their table in Markdown."""
    rows = [_row(board, list(each.values())) for board, each in found["boards"].items()]
    tools = ", ".join(f"{name} {found[name]}" for name in found if "gcc" in name or "qemu" in name)
    return KEPT, (
        "# Random networks: planned, linked, observed\n\n"
        f"Made by `{found['command']}`; {tools}. Networks of all kinds (tests/plans.py), every"
        " other one with convolutions and the like, the first that fit the board (none of the"
        " latter fits the stack of `qemu_microbit`). Each is linked with"
        " the kernels that it asks for, by gcc with the flags of tinydream's platform, and trained"
        " on the emulated board over a painted stack.\n\n"
        + table(HEAD, rows)
        + "\n\nBuffers are the arena, the node, the stack, the port's own, and every table of the"
        " plan; gaps are bytes of RAM that the program has and no buffer. Code is compared with"
        " `tinydream budget`'s estimate, stack with its static bound.\n"
    )


def _row(board: str, networks: list[dict[str, Any]]) -> tuple[object, ...]:
    off = sum(abs(n) for each in networks for n in each["off"].values())
    less = [each["code"] / each["estimate"] - 1 for each in networks]
    used = max(each["stack"] / each["stack_bound"] for each in networks)
    most = max(each["stack"] for each in networks)
    code = f"{100 * min(less):+.1f} to {100 * max(less):+.1f} %"
    gaps = sum(each["gaps"] for each in networks)
    return f"`{board}`", len(networks), off, gaps, code, most, f"{100 * used:.0f} %"
