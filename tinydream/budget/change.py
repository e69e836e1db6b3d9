"""What would make a plan fit a board: changes that were tried, not guessed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tinydream.board import Board
from tinydream.budget.again import computed_again
from tinydream.budget.cores import stack_bound
from tinydream.budget.use import Use, budget
from tinydream.errors import BudgetError
from tinydream.plan import Layer, Optimizer, Plan

__all__ = ["Change", "changes", "check_budget", "fitted", "stack_lacks"]

STEPS = 64  # hidden layers are tried at so many parts of their sizes


@dataclass(frozen=True)
class Change:
    """Options that make a plan fit a board, as one types them, and the plan that comes of them.

    plan: None where the representatives change, which are then to be compressed anew.
    """

    options: str
    plan: Plan | None


def fitted(plan: Plan, board: Board) -> Plan:
    """The plan for this board; one row at a time where RAM or stack are too small for more.

    Where that is still too much, without the last layer's gradients (`Plan.late`); and where that
    is, too, convolutions and the like compute outputs again in the backward pass.
    """
    plan = replace(plan, board=board.id)
    more = _over(plan, board, "ram") or stack_lacks(plan, board)
    plan = replace(plan, slice=1) if more else plan
    plan = plan.late if _over(plan, board, "ram") else plan
    over = _over(plan, board, "ram") if plan.windows else 0  # dense outputs are next to nothing
    return computed_again(plan, plan.arena_bytes - over) if over else plan


def changes(plan: Plan, board: Board) -> list[Change]:
    """Changes of which each alone makes the plan fit, the least first; none when it fits.

    Plans that they lead to have been budgeted. Empty, too, when no change of ours would do.
    """
    plan = fitted(plan, board)
    if not any(use.over for use in budget(plan, board)):
        return []
    if _over(plan, board, "flash") and (less := _fewer_rows(plan, board)):
        return [less] if not _over(plan, board, "ram") else []
    return list(_networks(plan, board))


def check_budget(plan: Plan, board: Board) -> tuple[Use, ...]:
    """As `budget`; raises BudgetError when a region or the stack is too small, with what helps."""
    if lacks := stack_lacks(plan, board):
        raise BudgetError(
            f"the stack of board {board.id!r} has {board.stack_bytes} bytes and our code may take"
            f" {board.stack_bytes + lacks} ({lacks} over); raise its stack_bytes"
        )
    uses = budget(plan, board)
    for use in uses:
        if use.over:
            largest = max(use.buffers, key=lambda buffer: buffer.bytes)
            found = changes(plan, board)
            advice = f"try {found[0].options}" if found else "take a board with more memory"
            if _fits(fitted(plan, board), board):
                advice = "try a slice of one row"
            raise BudgetError(
                f"board {board.id!r} has {use.have} bytes of {use.region} for us; the plan needs"
                f" {use.need} ({use.over} over). The largest part is {largest.name!r} with"
                f" {largest.bytes} bytes; {advice}"
            )
    return uses


def stack_lacks(plan: Plan, board: Board) -> int:
    """Bytes by which the board's stack is smaller than what our code may take."""
    bound = stack_bound(plan, board)
    return max(0, bound.value - board.stack_bytes) if bound else 0


def _over(plan: Plan, board: Board, region: str) -> int:
    return next(use.over for use in budget(plan, board) if use.region == region)


def _fewer_rows(plan: Plan, board: Board) -> Change | None:
    """Fewer bytes of representatives, as long as half of them stay."""
    left = plan.representative_bytes - _over(plan, board, "flash")
    if left < plan.representative_bytes // 2:
        return None
    return Change(f"compress --budget-bytes {left}", None)


def _networks(plan: Plan, board: Board) -> Iterator[Change]:
    """Another optimiser, single rows, smaller layers: of each the largest network that fits."""
    now = plan.optimizer
    plain = replace(plan, optimizer=Optimizer("sgd", clip=now.clip, decay=now.decay))
    single = replace(plain, batch=1, slice=1)
    others = [(plan, "")]
    if now.state:
        others.append((plain, "--momentum 0" if now.kind == "sgd" else "--optimizer sgd"))
    if single.gradients < plan.gradients:
        others.append((single, f"{others[-1][1]} --batch 1".strip()))
    for other, options in others:
        other = fitted(other, board)
        if options and _fits(other, board):
            yield Change(options, other)
        elif smaller := _smaller(other, board):
            sizes = ",".join(str(x.outputs) for x in smaller.dense[:-1])
            yield Change(f"{options} --hidden {sizes}".strip(), smaller)


def _fits(plan: Plan, board: Board) -> bool:
    return not (any(use.over for use in budget(plan, board)) or stack_lacks(plan, board))


def _smaller(plan: Plan, board: Board) -> Plan | None:
    """The largest even scaling of hidden layers that fits."""
    if len(plan.dense) == 1 or plan.windows:  # convolutions are not scaled
        return None
    low, high, best = 0, STEPS, None
    while high - low > 1:
        part = (low + high) // 2
        tried = fitted(replace(plan, layers=_scaled(plan.layers, part)), board)
        if _fits(tried, board):
            low, best = part, tried
        else:
            high = part
    return best


def _scaled(layers: tuple[Layer, ...], part: int) -> tuple[Layer, ...]:
    """Hidden layers of `part` of STEPS parts of their units; the last Dense stays."""
    last = max(i for i, layer in enumerate(layers) if layer.kind == "dense")
    made, width = [], layers[0].inputs
    for i, layer in enumerate(layers):
        if layer.kind == "dense":
            units = layer.outputs if i == last else max(1, layer.outputs * part // STEPS)
            limit = float(np.float32(math.sqrt(6 / (width + units))))
            made.append(replace(layer, inputs=width, outputs=units, limit=limit))
            width = units
        else:
            made.append(replace(layer, inputs=width, outputs=width))
    return tuple(made)
