"""Time and energy of training, estimated from counted instructions, manuals and datasheets."""

from dataclasses import dataclass

from tinydream.board import Board
from tinydream.budget.cores import core_costs
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
    """What an epoch of so many rows does, by kind: drawn numbers, products, units, parameters."""
    done = plan.operations
    lowest = next(i for i, layer in enumerate(done) if layer.train != "none")
    forward = sum(x.products for x in done)
    weights = sum(x.products for x in done if x.train in ("all", "late"))
    back = sum(x.products for x in done[lowest + 1 :])
    steps = -(-rows // plan.batch)
    optimizer = plan.optimizer.kind if plan.gradients else "descent"
    return {
        "drawn": rows * plan.rows.columns,
        "products": rows * (forward + weights + back),
        "units": rows * sum(x.outputs for x in done),
        f"moved_{optimizer}": steps * plan.moving,
    }
