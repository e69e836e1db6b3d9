"""What a program's code costs: a usual least program, and each kernel on top of it.

Programs are linked, so that what the compiler's library adds is counted, too. Costs are taken to
add up, which they do not quite, as kernels share functions: half of what a program with all kernels
has less than their sum is taken from all alike. What operations with windows share counts once.
Tests compare with networks of all kinds.
"""

from collections.abc import Callable, Iterable

import numpy as np

from bench.boards.link import Linker
from tinydream.budget import SHARED, budget, kernels
from tinydream.layer import WINDOWED
from tinydream.plan import Plan
from tinydream.report.elf import read_elf

__all__ = ["WINDOWS", "code_bytes", "code_costs"]

# of each of these a plan has exactly one
CHOICES = (
    ("TD_WITH_SGD", "TD_WITH_ADAM"),
    ("TD_WITH_MSE", "TD_WITH_CROSS_ENTROPY", "TD_WITH_BCE", "TD_WITH_HUBER"),
    ("TD_WITH_GRADIENTS", "TD_WITH_DESCENT"),
)
DREAMS = "TD_WITH_DEVIATION"
WINDOWS = {f"TD_WITH_{kind.upper()}" for kind in WINDOWED}
ONLY_WITH = {"TD_WITH_SOFT": "TD_WITH_CROSS_ENTROPY"}
RICH = {"TD_WITH_ADAM", "TD_WITH_CROSS_ENTROPY"}  # with every option but momentum


def code_bytes(linker: Linker, plan: Plan, switches: dict[str, int] | None = None) -> int:
    """Bytes of flash beside the plan's tables, as linked."""
    linked = read_elf(linker.program(plan, switches).read_bytes())
    tables = next(use for use in budget(plan, linker.board) if use.region == "flash")
    return linked.flash - sum(b.bytes for b in tables.buffers if b.name != "code")


def code_costs(linker: Linker, plan: Plan, tile: int) -> dict[str, int]:
    """'base', and by switch what it adds to a program whose kernels take so many rows."""
    names = [name for name in kernels(plan) if name != "TD_TILE"]

    def measured(on: Iterable[str]) -> int:
        switches = {"TD_TILE": tile} | {name: int(name in {*on}) for name in names}
        return code_bytes(linker, plan, switches)

    least = {DREAMS, *(group[0] for group in CHOICES)}
    base = measured(least)
    costs = {DREAMS: base - measured(least - {DREAMS})}
    for group in CHOICES:
        for name in group[1:]:
            costs[name] = measured(least - {*group} | {name}) - base
    windows = {name for name in names if name in WINDOWS}
    options = {*names} - {*least} - {*costs} - windows
    for name in sorted(options):
        beside = {ONLY_WITH[name]} if name in ONLY_WITH else set[str]()
        with_it = measured(least - {"TD_WITH_MSE"} | {name, *beside} if beside else least | {name})
        costs[name] = with_it - base - sum(costs[other] for other in beside)
    rich = RICH | options - {"TD_WITH_MOMENTUM"}
    real = measured(least - {*CHOICES[0], *CHOICES[1]} | rich) - base
    share = (1 + real / sum(costs[name] for name in rich)) / 2
    for name in rich:
        costs[name] = round(costs[name] * share)
    costs |= _window_costs(lambda on: measured(least | on) - base, sorted(windows))
    return {"base": base - costs[DREAMS], **costs}


def _window_costs(more: Callable[[set[str]], int], names: list[str]) -> dict[str, int]:
    """By operation, and SHARED: what any of them asks for. Least squares over programs with one of
    them, with all, and with all but one. more: bytes that a program has with these kernels."""
    programs = [{*names}, *({name} for name in names), *({*names} - {name} for name in names)]
    matrix = [[1.0, *(float(name in on) for name in names)] for on in programs]
    bytes_ = np.array([more(on) for on in programs], float)
    found = np.linalg.lstsq(np.array(matrix), bytes_, rcond=None)[0]
    return {name: round(float(x)) for name, x in zip((SHARED, *names), found, strict=True)}
