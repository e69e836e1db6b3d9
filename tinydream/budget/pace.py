"""Time and energy of training, estimated from counted instructions, manuals and datasheets."""

from collections import Counter
from dataclasses import dataclass

from tinydream.board import Board
from tinydream.budget.cores import core_costs
from tinydream.layer import Layer
from tinydream.plan import Plan

__all__ = ["Pace", "estimate_pace", "work"]

MICRO = 1e-6


@dataclass(frozen=True)
class Pace:
    """What an epoch takes, estimated. source: what it was made of, in words.

    instructions, cycles: of one epoch; seconds: None where the clock is unknown; joules: None
    where the board's file tells no current.
    """

    instructions: int
    cycles: int
    seconds: float | None
    joules: float | None
    source: str

    def words(self, board: Board) -> str:
        """In a sentence, with a mark behind what follows from an unverified number of the board."""
        told = [f"about {self.instructions:,} instructions"]
        if self.seconds is not None:
            told.append(f"{_time(self.seconds)}{board.mark('clock_hz')}")
        if self.joules is not None:
            mark = board.mark("power, active_microamps", "power, millivolts")
            told.append(f"{self.joules * 1e3:,.3g} mJ{mark}")
        return f"an epoch, estimated: {', '.join(told)} ({self.source})"


def estimate_pace(plan: Plan, board: Board, epoch_rows: int = 0) -> Pace | None:
    """An epoch of so many drawn rows, 0: as many as representatives stand for; None on a host.

    Flash of a real chip may be slower than its core, which no figure here knows of.
    """
    if (found := core_costs(board)) is None:
        return None
    costs, core = found
    each = costs[f"instructions_{plan.tile}"]
    done = work(plan, epoch_rows or plan.rows.rows)
    instructions = sum(each[name] * count for name, count in done.items())
    cycles = instructions * costs["cycles"]
    seconds = None if board.clock_hz is None or board.qemu else cycles / board.clock_hz
    power = board.power
    joules = None
    if seconds is not None and power is not None:
        joules = seconds * power.active_microamps * power.millivolts * 1e-9
    source = f"instructions as measured on {core}"
    if seconds is not None:
        source += f", cycles of one: {costs['cycles_source']}"
    return Pace(round(instructions), round(cycles), seconds, joules, source)


def _time(seconds: float) -> str:
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:,.3g} {name}"
    return f"{seconds / MICRO:,.3g} us"


def work(plan: Plan, rows: int) -> dict[str, int]:
    """What an epoch of so many rows does, by kind.

    Drawn numbers; products of dense layers, of convolutions, of depthwise ones, forward and
    backward; rows of windows, which have a start and an end of their own; numbers that pools look
    at; outputs of what lies between convolutions, and of everything; parameters.
    """
    done = plan.operations
    lowest = next(i for i, layer in enumerate(done) if layer.train != "none")
    optimizer = plan.optimizer.kind if plan.gradients else "descent"
    moved = sum(x.parameters if x.train == "late" else x.moving for x in done)
    each: Counter[str] = Counter(drawn=plan.rows.columns)
    for i, x in enumerate(done):
        each.update(_of_a_row(x, 1 + (x.train in ("all", "late")) + (i > lowest) + x.again))
    counts = {name: rows * count for name, count in each.items()}
    return counts | {f"moved_{optimizer}": -(-rows // plan.batch) * moved}


def _of_a_row(x: Layer, passes: int) -> dict[str, int]:
    """What one operation does with one row."""
    counts = {"units": x.outputs}
    if x.kind == "dense":
        counts["products"] = passes * x.products
    elif x.window is not None and x.kind == "conv":
        counts["convolved"] = passes * x.products
        counts["strips"] = passes * x.outputs * x.window.rows
    elif x.window is not None and x.kind == "depthwise":
        counts["deep"] = passes * x.products
    elif x.window is not None and x.kind in ("max_pool", "average_pool"):
        counts["pooled"] = passes * x.outputs * x.window.rows * x.window.columns
    else:
        counts["between"] = passes * x.outputs
    return counts
