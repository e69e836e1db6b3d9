"""What cores cost: bytes of code, stack, instructions; measured on emulated boards (cores.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tinydream.board import Board
from tinydream.budget.kernels import kernels
from tinydream.plan import Plan

__all__ = ["SHARED", "Estimate", "core_costs", "estimate_code", "stack_bound"]

SHARED = "TD_WITH_WINDOWS"  # what all operations with windows have in common: td_config.h


@dataclass(frozen=True)
class Estimate:
    """A number that was not counted on this very plan. source: what it comes from."""

    value: int
    source: str


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("tinydream.budget").joinpath("cores.toml").read_text("utf-8"))


def core_costs(board: Board) -> tuple[Mapping[str, Any], str] | None:
    """What is known of the board's core, or of the most similar one, and which one that is.

    None for a core that nothing is known of, such as a host's.
    """
    table = _table()
    name = table["like"].get(board.core, board.core)
    if name not in table["core"]:
        return None
    return table["core"][name], name


def estimate_code(plan: Plan, board: Board) -> Estimate | None:
    """Bytes of code and its constants that the linker will keep; None on a host.

    Where a framework builds, its own code is among the reserved bytes of the board's flash.
    """
    if (found := core_costs(board)) is None:
        return None
    costs, core = found
    on = kernels(plan, board)
    on[SHARED] = int(any(layer.window for layer in plan.layers))
    code = costs[f"code_{on['TD_TILE']}"]
    total = code["base"] + sum(cost for name, cost in code.items() if on.get(name))
    return Estimate(total, _source(board, core))


def stack_bound(plan: Plan, board: Board) -> Estimate | None:
    """Bytes of stack that no path through our code exceeds, with an interrupt; None on a host."""
    if (found := core_costs(board)) is None:
        return None
    costs, core = found
    on = kernels(plan)
    windows = on["TD_WITH_LATE"] or any(layer.window for layer in plan.layers)
    name = "windows" if windows else "tile"
    return Estimate(costs["stack"][f"{name}_{on['TD_TILE']}"], _source(board, core))


def _source(board: Board, core: str) -> str:
    measured = f"measured on {core}"
    return measured if board.core == core and board.qemu else f"{measured}; unverified here"
