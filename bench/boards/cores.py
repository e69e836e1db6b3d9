"""tinydream/budget/cores.toml: what each emulated core costs, measured, as data."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.boards.code import WINDOWS, code_costs
from bench.boards.link import Linker
from bench.boards.pace import instruction_costs, plans
from bench.boards.stack import MARGIN, frame, worst_path
from bench.core.target import ROOT
from bench.core.workload import digits_plan
from tinydream.board import load_board
from tinydream.budget import kernels
from tinydream.network import SGD

__all__ = ["KEPT", "LIKE", "board_costs", "text"]

KEPT = ROOT / "tinydream/budget/cores.toml"
BUILD = ROOT / "build/bench/cores"
COUNTS = ROOT / "docs/results/core.json"
TILES = (4, 1)
GRAPH = "-fcallgraph-info=su"
# cores that nothing here emulates, and the measured one that is most like them
LIKE = {
    "Cortex-M0+": "Cortex-M0",
    "Xtensa LX6": "RV32IMAFC",
    "Xtensa LX7": "RV32IMAFC",
}
# which of the counted cases tells cycles an instruction; none for RISC-V
CASES = {
    "Cortex-M0": "M0+ SGD 20 tile 4",
    "Cortex-M3": "M3 SGD 20 tile 4",
    "Cortex-M4F": "M4F SGD 20 tile 4",
    "Cortex-M7": "M7 SGD 20 tile 4",
    "Cortex-M33": "M33 SGD 20 tile 4",
}
NO_MANUAL = 1.5
BESIDE = ("TD_WITH_LATE", "TD_WITH_AGAIN")  # which count as networks with windows


def board_costs(board_id: str, tell: Callable[[str], Any] = lambda what: None) -> dict[str, Any]:
    """Everything that is told of the board's core."""
    board, plan = load_board(board_id), replace(digits_plan(SGD(), 1), board=board_id)
    mixed = Linker(board_id, BUILD / board_id / "mixed", objects="mixed")
    found: dict[str, Any] = {"board": board_id, **_cycles(board.core), "stack": {}}
    for tile in TILES:
        tell(f"{board_id}, {tile} rows at a time")
        found[f"code_{tile}"] = code_costs(mixed, plan, tile)
        whole = Linker(board_id, BUILD / board_id / f"all_{tile}")
        found[f"instructions_{tile}"] = instruction_costs(whole, tile, GRAPH)
        for name in ("tile", "windows"):
            found["stack"][f"{name}_{tile}"] = _stack(whole, board_id, tile, name == "windows")
    return found


def _stack(linker: Linker, board_id: str, tile: int, windows: bool) -> int:
    """The worst path of a program with all kernels, an interrupt and the library's functions.

    windows: those of operations with windows, too.
    """
    plan = plans(board_id, tile)[0]
    on = {name: int(windows or name not in (*WINDOWS, *BESIDE)) for name in kernels(plan)}
    linker.program(plan, on | {"TD_TILE": tile}, (GRAPH,))
    graphs = [each.with_suffix(".ci") for each in linker.objects]  # others are of older sources
    return -(-(worst_path(graphs, "start") + frame(linker.board)) // 8) * 8


def _cycles(core: str) -> dict[str, object]:
    if core not in CASES:
        return {"cycles": NO_MANUAL, "cycles_source": f"assumed {NO_MANUAL}: no manual tells"}
    case = json.loads(COUNTS.read_text(encoding="utf-8"))["counts"][CASES[core]]
    ratio = case["estimated_cycles"] / (case["train"] + case["draw"])
    return {"cycles": round(ratio, 3), "cycles_source": "docs/results/core.md, estimated cycles"}


def text(found: dict[str, dict[str, Any]], tools: dict[str, str]) -> str:
    """The file, from costs by core."""
    told = ", ".join(f"{name} {version}" for name, version in tools.items())
    lines = [
        "# What cores cost; made by `scripts/bench boards --costs --write`, not by hand.",
        f"# {told}, -O2.",
        "#",
        "# code_4, code_1: bytes of a program whose kernels take 4 rows or 1 at a time, and what",
        "# each kernel adds; the port is the bare-metal one. instructions_4, _1: of a drawn",
        "# number, a product of weight and input (forward or backward), a unit's output, a",
        "# parameter that moves. cycles: of an instruction, on average. stack: the worst path of",
        f"# calls with all kernels, an interrupt, and {MARGIN} bytes for a function of the",
        "# compiler's library; tile_4, tile_1 without operations that have windows.",
        "",
        "[like] # cores that are not emulated, and the one whose figures stand in",
        *(f'"{name}" = "{other}"' for name, other in LIKE.items()),
    ]
    for core, costs in found.items():
        tables = {name: value for name, value in costs.items() if isinstance(value, dict)}
        lines += ["", f'[core."{core}"]']
        plain = {name: value for name, value in costs.items() if name not in tables}
        lines += [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
        for name, table in tables.items():
            lines += [f'[core."{core}".{name}]', *(f"{key} = {x}" for key, x in table.items())]
    return "\n".join(lines) + "\n"
