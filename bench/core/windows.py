"""A convolutional network counted on an emulated Cortex-M4F: instructions a multiply-add, RAM."""

from typing import Any

from bench.core.table import table
from bench.core.target import CORES, build, run, symbol_bytes
from bench.core.workload import picture_plan, tiled
from tinydream.network import SGD

__all__ = ["page", "windows"]

BATCH, STEPS = 8, 5
MUST, AIM = 4.5, 3.2  # instructions a multiply-add, forward and backward
RAM_MUST, RAM_AIM = 64 << 10, 40 << 10  # bytes in all


def windows() -> dict[str, Any]:
    """28x28, conv 8 3x3/2, conv 16 3x3/2, dense 10: SGD, batches of 8, one row at a time."""
    plan = tiled(picture_plan(SGD(), BATCH), 1)
    done = plan.operations
    products = 2 * sum(x.products for x in done) + sum(x.products for x in done[1:])
    found = {}
    for name, each in {"gradients in memory": plan, "rows kept instead": plan.late}.items():
        defines = {"TD_TILE": each.tile, "STEPS": STEPS}
        program = build(each, CORES["M4F"], f"windows {name}", defines=defines)
        ran = run(program)
        held = [symbol_bytes(program, symbol) for symbol in ("train", "metrics")]
        found[name] = {
            "samples": ran.said["rows"],
            "products": products,
            "train": ran.instructions(1, 0),
            "draw": ran.instructions(1, 1),
            "ram": each.arena_bytes + sum(held) + ran.said["stack"],
            "weights_crc32": f"{ran.said['weights']:08x}",
        }
    if len({figures["weights_crc32"] for figures in found.values()}) > 1:
        raise RuntimeError("what is kept in memory changed the weights")
    return found


def page(found: dict[str, Any]) -> str:
    """Markdown of what `windows` found."""
    rows = []
    for name, figures in found.items():
        each = figures["train"] / figures["samples"] / figures["products"]
        rows.append(
            (
                name,
                f"{each:.2f} ({_verdict(each, MUST, AIM)})",
                f"{figures['ram']:,} B ({_verdict(figures['ram'], RAM_MUST, RAM_AIM)})",
                f"{figures['draw'] / figures['samples']:,.0f}",
            )
        )
    head = ("last layer", "instructions a multiply-add", "RAM in all", "drawing a row")
    return (
        "## Convolutions\n\n28x28 inputs, conv 8 3x3/2, conv 16 3x3/2, dense 10; SGD, batches of"
        f" {BATCH}, one row at a time, M4F. Must: {MUST} instructions a multiply-add, forward and"
        f" backward without drawing, {RAM_MUST:,} bytes; aim: {AIM}, {RAM_AIM:,}.\n\n"
        + table(head, rows)
    )


def _verdict(value: float, must: float, aim: float) -> str:
    return "aim" if value <= aim else "must" if value <= must else "**missed**"
