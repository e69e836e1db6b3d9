"""Convolutional networks counted on an emulated Cortex-M4F: instructions a multiply-add, RAM."""

from typing import Any

from bench.core.table import table
from bench.core.target import CORES, build, run, symbol_bytes
from bench.core.workload import picture_plan, tiled
from tinydream.budget import computed_again
from tinydream.network import SGD, BatchNorm, Conv, Flatten, MaxPool, Relu
from tinydream.plan import Plan

__all__ = ["page", "windows"]

BATCH, STEPS = 8, 5
FLAT = (Conv(8, 3, 2), Relu(), Conv(16, 3, 2), Relu(), Flatten())
DEEP = (
    *(2 * (Conv(4, 3, 1, "same"), BatchNorm(), Relu())),
    MaxPool(2),
    *(2 * (Conv(8, 3, 1, "same"), BatchNorm(), Relu())),
    MaxPool(2),
    Flatten(),
)
MUST, AIM = 4.5, 3.2  # instructions a multiply-add, forward and backward
RAM_MUST, RAM_AIM = 64 << 10, 40 << 10  # bytes in all


def windows() -> dict[str, Any]:
    """28x28, SGD, batches of 8, one row at a time, each with several things kept in memory.

    conv 8 3x3/2, conv 16 3x3/2, dense 10; and twice as deep with batch norms and pools.
    """
    plan, deep = (tiled(picture_plan(SGD(), BATCH, layers), 1) for layers in (FLAT, DEEP))
    several = {"gradients in memory": plan, "rows kept instead": plan.late}
    small = deep.late
    again = {"outputs kept": small, "some computed again": computed_again(small)}
    half = (again["some computed again"].arena_bytes + small.arena_bytes) // 2
    again["half as many bytes saved"] = computed_again(small, half)
    return {"flat": _counted(several), "deep": _counted(again)}


def _counted(plans: dict[str, Plan]) -> dict[str, Any]:
    """Instructions and RAM of plans that come to the same weights."""
    found = {}
    for name, each in plans.items():
        done = each.operations
        products = 2 * sum(x.products for x in done) + sum(x.products for x in done[1:])
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
            "again": sum(x.products for x in done if x.again),
            "weights_crc32": f"{ran.said['weights']:08x}",
        }
    if len({figures["weights_crc32"] for figures in found.values()}) > 1:
        raise RuntimeError("what is kept in memory changed the weights")
    return found


def page(found: dict[str, Any]) -> str:
    """Markdown of what `windows` found."""
    head = ("kept in memory", "instructions a multiply-add", "RAM in all", "drawing a row")
    more = ("outputs", "instructions a row", "RAM in all", "products computed again")
    return (
        "## Convolutions\n\n28x28 inputs, conv 8 3x3/2, conv 16 3x3/2, dense 10; SGD, batches of"
        f" {BATCH}, one row at a time, M4F. Must: {MUST} instructions a multiply-add, forward and"
        f" backward without drawing, {RAM_MUST:,} bytes; aim: {AIM}, {RAM_AIM:,}.\n\n"
        + table(head, [_row(name, figures) for name, figures in found["flat"].items()])
        + "\n\nTwice conv 4 and twice conv 8, 3x3, each with a batch norm, a pool of 2x2 behind"
        " either pair, dense 10; the same training. Outputs that are not kept are computed again in"
        " the backward pass (`plan --recompute`; by itself where RAM is short).\n\n"
        + table(more, [_deep(name, figures, found) for name, figures in found["deep"].items()])
    )


def _row(name: str, figures: dict[str, Any]) -> tuple[str, ...]:
    each = figures["train"] / figures["samples"] / figures["products"]
    return (
        name,
        f"{each:.2f} ({_verdict(each, MUST, AIM)})",
        f"{figures['ram']:,} B ({_verdict(figures['ram'], RAM_MUST, RAM_AIM)})",
        f"{figures['draw'] / figures['samples']:,.0f}",
    )


def _deep(name: str, figures: dict[str, Any], found: dict[str, Any]) -> tuple[str, ...]:
    kept = found["deep"]["outputs kept"]
    return (
        name,
        f"{figures['train'] / figures['samples']:,.0f} ({figures['train'] / kept['train']:.3f}x)",
        f"{figures['ram']:,} B ({figures['ram'] / kept['ram']:.2f}x)",
        f"{figures['again'] / figures['products']:.1%}",
    )


def _verdict(value: float, must: float, aim: float) -> str:
    return "aim" if value <= aim else "must" if value <= must else "**missed**"
