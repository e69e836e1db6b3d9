"""What the node costs a Cortex-M4F: instructions, counted."""

from pathlib import Path

from bench.core.target import CORES, build, run
from bench.core.workload import digits_plan, tiled
from tinydream.network import SGD

__all__ = ["count"]

POLLS = 100  # program.c


def count() -> dict[str, int]:
    """Instructions of a poll when nothing is to do, and of a record of metrics."""
    plan = tiled(digits_plan(SGD(), 20, 1), 4)
    program = build(plan, CORES["M4F"], "bridge", main=Path(__file__).with_name("program.c"))
    counted = run(program)
    idle = counted.instructions(1) // POLLS
    return {"idle_poll": idle, "metrics": counted.instructions(3) // POLLS - idle}
