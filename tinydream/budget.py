"""Where each byte of RAM and flash goes, and whether it fits, before anything is built."""

from collections.abc import Sequence
from dataclasses import dataclass

from tinydream.board import Board
from tinydream.errors import BudgetError
from tinydream.plan import Buffer, Plan

__all__ = ["Use", "budget", "check_budget", "plan_struct_bytes"]

# a field of a C struct: its bytes, "p" for a pointer, or (bytes, alignment) of a struct
Field = int | str | tuple[int, int]

# td_node_t (link buffers, training state) by bytes of a pointer; main.c asserts that it fits
NODE_BYTES = {4: 880, 8: 952}

# the structs of td.h; td_plan.c asserts what comes of them
INPUTS: list[Field] = [2, 2, 2, 1, 1, *["p"] * 7]
OUTPUTS: list[Field] = [2, "p", "p"]
ROWS: list[Field] = [4, 4, 4, 2, 2, *[1] * 9, *["p"] * 11]
LAYER_BYTES = 16


@dataclass(frozen=True)
class Use:
    """One region of a board: what it must hold and what it has, in bytes."""

    region: str
    buffers: tuple[Buffer, ...]
    have: int

    @property
    def need(self) -> int:
        return sum(buffer.bytes - buffer.shared for buffer in self.buffers)

    @property
    def over(self) -> int:
        """Bytes too many; 0 when it fits."""
        return max(0, self.need - self.have)


def budget(plan: Plan, board: Board) -> tuple[Use, ...]:
    """Each region of the board with the buffers it must hold, planned to the byte.

    The arena is listed by its pieces. Code is not in it: it is known when it is linked.
    """
    ram = [
        *plan.arena,
        Buffer("node", "ram", NODE_BYTES[board.pointer_bytes], 8, "always"),
        Buffer("stack", "ram", board.stack_bytes, 8, "always"),
    ]
    held = {"ram": ram, "flash": _flash(plan, board.pointer_bytes)}
    return tuple(
        Use(region.name, tuple(held[region.name]), region.usable) for region in board.regions
    )


def check_budget(plan: Plan, board: Board) -> tuple[Use, ...]:
    """The same; raises BudgetError when a region is too small, with what to change."""
    uses = budget(plan, board)
    for use in uses:
        if use.over:
            largest = max(use.buffers, key=lambda buffer: buffer.bytes)
            raise BudgetError(
                f"board {board.id!r} has {use.have} bytes of {use.region} for us; the plan needs"
                f" {use.need} ({use.over} over). The largest part is {largest.name!r} with"
                f" {largest.bytes} bytes; try {_advice(use.region, plan)}"
            )
    return uses


def plan_struct_bytes(pointer: int) -> int:
    """sizeof(td_plan_t) on a target with pointers of so many bytes."""
    inputs, outputs, rows = ((_struct(x, pointer), pointer) for x in (INPUTS, OUTPUTS, ROWS))
    head: list[Field] = [2, *[1] * 8, inputs, outputs, rows, "p", 1, 1, 1, 2, 2]
    return _struct([*head, *[4] * 7, 4, "p", 4, 1, "p", "p"], pointer)


def _struct(fields: Sequence[Field], pointer: int) -> int:
    """C's sizeof: each field at a multiple of its alignment, the whole one of the largest."""
    at, most = 0, 1
    for field in fields:
        if isinstance(field, tuple):
            size, align = field
        else:
            size = align = pointer if field == "p" else int(field)
        at = -(-at // align) * align + size
        most = max(most, align)
    return -(-at // most) * most


def _flash(plan: Plan, pointer: int) -> list[Buffer]:
    words = ("shift", "fill", "target_shift", "target_scale", "levels")
    tables = [
        Buffer(
            name, "flash", len(data), 4 if name in words else 2 if name == "axes" else 1, "always"
        )
        for name, data in plan.constants.items()
    ]
    texts = sum(len(text.encode()) + 1 for text in (*plan.classes, plan.board))
    return [
        *tables,
        Buffer("layers", "flash", LAYER_BYTES * len(plan.layers), 4, "always"),
        Buffer("names", "flash", texts + pointer * len(plan.classes), pointer, "always"),
        Buffer("plan", "flash", plan_struct_bytes(pointer), pointer, "always"),
    ]


def _advice(region: str, plan: Plan) -> str:
    if region == "flash":
        return "a smaller --budget-bytes for the representatives"
    if plan.optimizer.state:
        return "--optimizer sgd, smaller --hidden layers, or a smaller --batch"
    return "smaller --hidden layers or a smaller --batch"
