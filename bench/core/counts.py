"""Instructions, bytes and estimated cycles of training the net that issue and peers measure."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from bench.core.profile import Code
from bench.core.target import CORES, Program, Run, build, run, sections, symbol_bytes
from bench.core.workload import digits_plan, tiled
from tinydream.network import SGD, Adam
from tinydream.plan import Plan

__all__ = ["AIFES", "CASES", "FLASH_CASES", "Case", "Counted", "Flash", "count_all"]

STEPS = {20: 20, 1: 400}  # by batch: 400 samples either way
DRAWN = 20  # program.c
TRAINING, DRAWING, PREDICTING = 1, 3, 5  # regions of program.c


@dataclass(frozen=True)
class Case:
    """One build of the core and one way to train; must, aim: instructions a sample.

    ram: bytes in all that the figure of `must` may take. grids: of stored numbers, one for all
    columns or one for each.
    """

    name: str
    core: str
    optimizer: SGD | Adam
    batch: int
    tile: int
    must: int = 0
    aim: int = 0
    ram: int = 0
    grids: int = 1

    @property
    def plan(self) -> Plan:
        return tiled(digits_plan(self.optimizer, self.batch, self.grids), self.tile)


CASES = (
    Case("M4F SGD 20 tile 4", "M4F", SGD(), 20, 4, 17_000, 13_000, 21_600),
    Case("M4F Adam 20 tile 4", "M4F", Adam(), 20, 4, 20_000, 16_000),
    Case("M4F SGD 1 tile 1", "M4F", SGD(), 1, 1, 22_000, 17_000, 10_500),
    Case("M4F Adam 1 tile 1", "M4F", Adam(), 1, 1),
    Case("M4F SGD 20 tile 1", "M4F", SGD(), 20, 1, 24_000, 20_000, 20_000),
    Case("M4F Adam 20 tile 1", "M4F", Adam(), 20, 1),
    Case("M4F SGD 20 tile 4, a grid each", "M4F", SGD(), 20, 4, grids=64),
    Case("M3 SGD 20 tile 4", "M3", SGD(), 20, 4, 380_000, 340_000),
    Case("M3 Adam 20 tile 4", "M3", Adam(), 20, 4),
    Case("M0+ SGD 20 tile 4", "M0+", SGD(), 20, 4),
    Case("M7 SGD 20 tile 4", "M7", SGD(), 20, 4),
    Case("M33 SGD 20 tile 4", "M33", SGD(), 20, 4),
)
FLASH_CASES = (
    Case("SGD tile 4", "M4F", SGD(), 20, 4, 10_000, 7_000),
    Case("SGD tile 1", "M4F", SGD(), 20, 1, 10_000, 7_000),
    Case("Adam tile 4", "M4F", Adam(), 20, 4),
    Case("Adam tile 1", "M4F", Adam(), 20, 1),
)

# AIfES 2.2.0 on the same net, measured before this project began with QEMU 7.2 -icount and Debian's
# GCC 12 (M4F: mps2-an386, M3: mps2-an385): instructions a sample at -O2; bytes of RAM in all (with
# the stack that its planner leaves out); bytes of flash of a training-only firmware at -Os.
# `mended`: with its double sqrt replaced by sqrtf. Its code is not used here.
AIFES: dict[str, dict[str, int]] = {
    "M4F SGD 20": {"instructions": 103_600, "ram": 36_336, "flash": 17_500},
    "M4F Adam 20": {"instructions": 236_000, "mended": 131_800, "ram": 55_776, "flash": 18_000},
    "M4F SGD 1": {"instructions": 282_000},
    "M4F Adam 1": {"instructions": 2_932_000, "mended": 846_000},
    "M3 SGD 20": {"instructions": 688_800},
    "M3 Adam 20": {"instructions": 869_200},
}


@dataclass(frozen=True)
class Counted:
    """Sums over `samples` rows unless the name says otherwise; cycles are estimated."""

    samples: int
    train: int  # without drawing
    draw: int  # rows drawn in slices, as training draws them
    draw_one: int  # td_rows_draw, one row at a time; over 20 rows
    predict: int  # one row
    estimated_cycles: int  # of train and draw
    arena: int  # bytes
    static: int
    stack: int
    weights_crc32: str

    @property
    def ram(self) -> int:
        return self.arena + self.static + self.stack


@dataclass(frozen=True)
class Flash:
    """Bytes of code and constants at -Os, without the plan's tables."""

    core: int
    runtime: int  # start-up code and what the compiler's library adds


def built(case: Case, name: str, **options: Any) -> Program:
    """The program of a case, with everything that is counted in it."""
    plan = case.plan
    defines = {"TD_TILE": case.tile, "STEPS": STEPS[case.batch], "DRAW": plan.rows.columns}
    return build(plan, CORES[case.core], name, defines=defines | {"DO_PREDICT": 1}, **options)


def count(case: Case) -> tuple[Counted, Program, Run]:
    """Build and run one case."""
    program = built(case, case.name)
    ran = run(program)
    code, blocks = Code(program), ran.blocks
    figures = Counted(
        samples=ran.said["rows"],
        train=ran.instructions(TRAINING, 0),
        draw=ran.instructions(TRAINING, 1),
        draw_one=ran.instructions(DRAWING),
        predict=ran.instructions(PREDICTING),
        estimated_cycles=code.cycles(blocks[TRAINING, 0] + blocks[TRAINING, 1]),
        arena=case.plan.arena_bytes,
        static=sum(symbol_bytes(program, name) for name in ("train", "metrics")),
        stack=ran.said["stack"],
        weights_crc32=f"{ran.said['weights']:08x}",
    )
    return figures, program, ran


def flash(case: Case) -> Flash:
    """Link a program for size; count what comes from the core's files."""
    program = built(case, f"flash {case.name}", optimise="-Os")
    held = sections(program)
    mine = re.compile(r"td_(?!plan)\w+\.o")
    others = {name: size for name, size in held.items() if not mine.fullmatch(name)}
    core = sum(held.values()) - sum(others.values())
    return Flash(core, sum(others.values()) - others["program.o"] - others["td_plan.o"])


def count_all(tell: Callable[[str], Any] = lambda name: None) -> dict[str, Any]:
    """Every case: a JSON object, the same on every machine with this compiler."""
    with ThreadPoolExecutor(2) as pool:  # each waits for a compiler or an emulator
        counted = dict(_each(pool.map(_named_count, CASES), tell))
        flashes = dict(_each(pool.map(_named_flash, FLASH_CASES), tell))
    _same_weights(counted)
    return {"counts": counted, "flash": flashes}


def _same_weights(counted: dict[str, dict[str, Any]]) -> None:
    """Whatever core and tile: the same training ends with the same bits."""
    first: dict[tuple[Any, int], str] = {}
    for case in CASES:
        crc = counted[case.name]["weights_crc32"]
        if first.setdefault((case.optimizer, case.batch), crc) != crc:
            raise RuntimeError(f"{case.name} ends with other weights than the case before it")


def _each(done: Iterator[tuple[str, Any]], tell: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    for name, figures in done:
        tell(name)
        yield name, asdict(figures)


def _named_count(case: Case) -> tuple[str, Counted]:
    return case.name, count(case)[0]


def _named_flash(case: Case) -> tuple[str, Flash]:
    return case.name, flash(case)
