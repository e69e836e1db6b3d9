"""docs/results/core.md: the figures as tables, with what was asked of them."""

from collections.abc import Iterable
from typing import Any

from bench.core import host, page_curves, windows
from bench.core.counts import AIFES, CASES, DRAWN, FLASH_CASES, TRAINING, Case, count
from bench.core.profile import Code, source
from bench.core.table import table

__all__ = ["make", "profile"]


def make(found: dict[str, Any]) -> str:
    """Markdown of all that was found."""
    parts = [_head(found), _issue(found), _all_cases(found), _flash(found)]
    if "windows" in found:
        parts.append(windows.page(found["windows"]))
    if "host" in found:
        parts.append(host.page(found["host"]))
    if "curves" in found:
        parts.append(page_curves.make(found["curves"]))
    return "\n\n".join(parts) + "\n"


def _head(found: dict[str, Any]) -> str:
    return (
        "# The training core, counted\n\n"
        f"Made by `{found['command']}`; GCC {found['compiler']}, QEMU {found['qemu']}. Counts are"
        " of instructions that an emulated core executed, exact and the same in every run"
        " (`scripts/bench core --compare`); they are no time. The net is 64-32-10, softmax and"
        " cross-entropy, trained on 100 digits of 4 bits a pixel that are dreamt; every core ends"
        " with the same weights to the last bit. RAM is the arena, static memory and the stack as"
        " it was used."
    )


def per_sample(figures: dict[str, Any], *names: str) -> float:
    return float(sum(figures[name] for name in names) / figures["samples"])


def ram(figures: dict[str, Any]) -> int:
    return int(figures["arena"] + figures["static"] + figures["stack"])


def verdict(value: float, must: float, aim: float) -> str:
    """How a figure that should be small stands: 'aim', 'must' or 'missed'."""
    return "aim" if value <= aim else "must" if value <= must else "**missed**"


# ---- the issue's table ----


def _issue(found: dict[str, Any]) -> str:
    rows = [_issue_row(case, found["counts"][case.name]) for case in CASES if case.must]
    rows += list(_drawing_rows(found["counts"]))
    for case in FLASH_CASES:
        if case.must:
            size = found["flash"][case.name]["core"]
            told = f"flash of the core at -Os, {case.name}"
            limits = (f"{case.must:,} B", f"{case.aim:,} B")
            rows.append((told, f"{size:,} B", *limits, verdict(size, case.must, case.aim), ""))
    head = ("what", "here", "must", "aim", "reached", "RAM in all")
    return "## What was asked for\n\nInstructions a sample at -O2, drawing apart.\n\n" + table(
        head, rows
    )


def _issue_row(case: Case, figures: dict[str, Any]) -> tuple[object, ...]:
    value, held = per_sample(figures, "train"), ram(figures)
    reached = verdict(value, case.must, case.aim)
    bytes_told = f"{held:,} B"
    if case.ram:
        bytes_told += f" of {case.ram:,}" + ("" if held <= case.ram else " **missed**")
    return (case.name, f"{value:,.0f}", f"{case.must:,}", f"{case.aim:,}", reached, bytes_told)


def _drawing_rows(counts: dict[str, Any]) -> Iterable[tuple[object, ...]]:
    one, each = counts["M4F SGD 20 tile 4"], counts["M4F SGD 20 tile 4, a grid each"]
    for told, value in (
        ("drawing a row with sigma, 64 features, in training", per_sample(one, "draw")),
        ("the same, each feature with a grid of its own", per_sample(each, "draw")),
        ("one row by itself", one["draw_one"] / DRAWN),
        ("the same, each feature with a grid of its own", each["draw_one"] / DRAWN),
    ):
        yield (told, f"{value:,.0f}", "1,500", "800", verdict(value, 1500, 800), "")


# ---- everything ----


def _all_cases(found: dict[str, Any]) -> str:
    rows = []
    for case in CASES:
        figures = found["counts"][case.name]
        rival = AIFES.get(case.name.partition(" tile")[0], {})
        rows.append(
            (
                case.name,
                f"{per_sample(figures, 'train'):,.0f}",
                f"{per_sample(figures, 'draw'):,.0f}",
                f"{per_sample(figures, 'estimated_cycles'):,.0f}",
                f"{ram(figures):,}",
                f"{figures['predict']:,}",
                _rival(rival, "instructions") + _mended(rival),
                _times(rival, per_sample(figures, "train", "draw")),
                _rival(rival, "ram"),
            )
        )
    head = ("build", "train", "draw", "estimated cycles", "RAM", "predict")
    sources = "\n".join(
        f"- {core}: {source(core)}" for core in dict.fromkeys(case.core for case in CASES)
    )
    return (
        "## Every build\n\nA sample's instructions at -O2 (`train`, and `draw` for drawing it);"
        " `predict` is one row. In brackets AIfES with its double square root mended. `fewer`"
        " compares train and draw with AIfES as it is, which draws nothing.\n\n"
        + table([*head, "AIfES 2.2.0", "fewer", "AIfES' RAM"], rows)
        + "\n\nEstimated cycles, of train and draw together: what was executed, by opcode, times"
        f" the cycles of a table; no flash waits, no caches.\n\n{sources}\n\n{AIFES_NOTE}"
    )


AIFES_NOTE = (
    "AIfES 2.2.0's figures were measured before this project began, on QEMU 7.2 -icount with the"
    " same compiler (M4F: mps2-an386, M3: mps2-an385) on the same net, with its own loop over data"
    " held in RAM as float; its RAM counts parameters, training memory and 8,192 B of stack that"
    " its planner leaves out. None of its code is used here."
)


def _rival(rival: dict[str, int], name: str) -> str:
    return f"{rival[name]:,}" if name in rival else ""


def _mended(rival: dict[str, int]) -> str:
    return f" ({rival['mended']:,})" if "mended" in rival else ""


def _times(rival: dict[str, int], own: float) -> str:
    return f"{rival['instructions'] / own:.1f}x" if rival else ""


def _flash(found: dict[str, Any]) -> str:
    rows = []
    for case in FLASH_CASES:
        size, rival = found["flash"][case.name], AIFES[f"M4F {case.name.split()[0]} 20"]
        own = (f"{size['core']:,}", f"{size['runtime']:,}")
        rows.append((case.name, *own, f"{rival['flash']:,}"))
    head = ("build", "the core", "start-up and libgcc", "AIfES, whole firmware")
    return "## Flash\n\nBytes on M4F at -Os, linked; tables of the plan left out.\n\n" + table(
        head, rows
    )


# ---- one build, looked into ----


def profile(case: Case) -> str:
    """Instructions of a sample by function and by opcode, training and drawing apart."""
    figures, program, ran = count(case)
    code, parts = Code(program), []
    for group, what in ((0, "training"), (1, "drawing")):
        blocks = ran.blocks[TRAINING, group]
        for kind, found in (("function", code.functions(blocks)), ("opcode", code.opcodes(blocks))):
            rows = [
                (name, f"{n / figures.samples:,.1f}")
                for name, n in found.most_common(20)
                if n >= figures.samples / 2
            ]
            parts.append(table((f"{what}, by {kind}", "a sample"), rows))
    return "\n\n".join(parts)
