"""Cortex-M programs around the core: built bare, run under QEMU, every instruction counted."""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tinydream.board import load_board
from tinydream.codegen import generate
from tinydream.plan import Plan

__all__ = [
    "BOARD",
    "BUILD",
    "CORES",
    "FLAGS",
    "HERE",
    "LIBRARY",
    "PORT",
    "PREFIX",
    "ROOT",
    "Block",
    "Core",
    "Program",
    "Run",
    "build",
    "compiler",
    "do",
    "lacking",
    "run",
    "sections",
    "symbol_bytes",
    "symbols",
    "versions",
]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LIBRARY = ROOT / "firmware/lib/tinydream/src"
PORT = ROOT / "firmware/port/baremetal"
BUILD = ROOT / "build/bench/core"
BOARD = "qemu_netduinoplus2"
PREFIX = "arm-none-eabi-"
STACK = 4096
LOCK = Lock()

FLAGS = (
    *("-std=c99", "-ffreestanding", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections"),
)
WARN = ("-Wall", "-Wextra", "-Wconversion", "-Werror")  # our own; the core is scripts/check's

# what is counted apart from training: drawing rows out of the representatives
DRAWING = ("td_rows_pick", "td_rows_dream", "td_rows_order", "td_rows_draw")


@dataclass(frozen=True)
class Core:
    """A processor core: compiler flags, and the QEMU machine that runs its code."""

    name: str
    flags: tuple[str, ...]
    machine: str
    flash: int
    ram: int


SOFT, SINGLE = ("-mthumb",), ("-mthumb", "-mfloat-abi=hard")
CORES = {
    core.name: core
    for core in (
        # ARMv6-M code is a subset of ARMv7-M: it runs on QEMU's M3, which has RAM enough
        Core("M0+", ("-mcpu=cortex-m0plus", *SOFT), "netduino2", 0x08000000, 0x20000000),
        Core("M3", ("-mcpu=cortex-m3", *SOFT), "netduino2", 0x08000000, 0x20000000),
        Core(
            "M4F",
            ("-mcpu=cortex-m4", *SINGLE, "-mfpu=fpv4-sp-d16"),
            *("netduinoplus2", 0x08000000, 0x20000000),
        ),
        Core(
            "M7",
            ("-mcpu=cortex-m7", *SINGLE, "-mfpu=fpv5-sp-d16"),
            *("mps2-an500", 0x00000000, 0x20000000),
        ),
        Core(
            "M33",
            ("-mcpu=cortex-m33", *SINGLE, "-mfpu=fpv5-sp-d16"),
            *("mps2-an505", 0x10000000, 0x38000000),
        ),
    )
}


@dataclass(frozen=True)
class Program:
    """A linked program and its map; objects: where the object files lie."""

    core: Core
    elf: Path

    @property
    def map(self) -> Path:
        return self.elf.with_suffix(".map")

    @property
    def objects(self) -> Path:
        return self.elf.parent


@dataclass(frozen=True)
class Block:
    """Instructions that ran one after the other, `times` times; then `taken` times elsewhere."""

    first: int
    count: int
    times: int
    taken: int


@dataclass(frozen=True)
class Run:
    """What a program said, and its blocks by (region, group): see count.c."""

    said: dict[str, int]
    blocks: dict[tuple[int, int], list[Block]]

    def instructions(self, region: int, group: int | None = None) -> int:
        groups = (0, 1) if group is None else (group,)
        return sum(b.count * b.times for g in groups for b in self.blocks.get((region, g), []))


def lacking(*, emulator: bool = True) -> list[str]:
    """The programs that are needed and not on PATH; emulator: whether programs shall run."""
    needed = (f"{PREFIX}gcc", *(("cc", "qemu-system-arm") if emulator else ()))
    return [program for program in needed if not shutil.which(program)]


def versions() -> dict[str, str]:
    """Of the compiler and the emulator."""
    emulator = re.search(r"version ([\d.]+)", do(["qemu-system-arm", "--version"]))
    return {"compiler": compiler(), "qemu": emulator[1] if emulator else "unknown"}


def compiler() -> str:
    """GCC's version."""
    return do([f"{PREFIX}gcc", "-dumpfullversion"]).strip()


def build(
    plan: Plan,
    core: Core,
    name: str,
    *,
    optimise: str = "-O2",
    defines: Mapping[str, object] | None = None,
    extra: Sequence[str] = (),
    main: Path = HERE / "program.c",
) -> Program:
    """Compile and link `main`, the core and `plan` into a folder of this name."""
    folder = BUILD / re.sub(r"[^\w+]+", "-", name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    texts = generate(plan, load_board(BOARD))
    for place in ("src/td_plan.h", "src/td_plan.c"):
        (folder / Path(place).name).write_text(texts[place])
    # the kernels that a generated project turns on, and no others
    switches = dict(re.findall(r"-D(TD_\w+)=(\w+)", texts["platformio.ini"]))
    named = [f"-D{key}={value}" for key, value in (switches | dict(defines or {})).items()]
    flags = [*core.flags, *FLAGS, optimise, *named, *extra, f"-I{folder}", f"-I{LIBRARY}"]
    sources = [*sorted(LIBRARY.glob("td_*.c")), PORT / "startup.c", main]
    objects = [_compile(source, folder, flags) for source in [folder / "td_plan.c", *sources]]
    return _link(core, folder, objects)


def _compile(source: Path, folder: Path, flags: Sequence[str]) -> Path:
    made = folder / f"{source.stem}.o"
    warn = WARN if source.parent.parent == HERE.parent else ()
    do([f"{PREFIX}gcc", *flags, *warn, "-c", str(source), "-o", str(made)])
    return made


def _link(core: Core, folder: Path, objects: Sequence[Path]) -> Program:
    elf = folder / "program.elf"
    symbols = {
        **{"FLASH_START": core.flash, "FLASH_BYTES": 1 << 20},
        **{"RAM_START": core.ram, "RAM_BYTES": 192 << 10, "STACK_BYTES": STACK},
    }
    command = [f"{PREFIX}gcc", *core.flags, "-nostdlib", "-T", str(PORT / "link.ld")]
    command += ["-Wl,--gc-sections", "-Wl,--fatal-warnings", f"-Wl,-Map={elf.with_suffix('.map')}"]
    command += [f"-Wl,--defsym={key}={value:#x}" for key, value in symbols.items()]
    do([*command, *map(str, objects), "-lgcc", "-o", str(elf)])
    return Program(core, elf)


def do(command: Sequence[str]) -> str:
    """What a command prints; raises RuntimeError with all it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def sections(program: Program) -> dict[str, int]:
    """Bytes of flash that each object file got, by its name; members of libraries as one."""
    text = program.map.read_text().partition("Linker script and memory map")[2]
    text = re.sub(r"^( \.\S+)\n\s+", r"\1 ", text, flags=re.M)
    line = re.compile(r"^ \.(?:text|rodata|data|vectors)\S* +0x\S+ +(0x\S+) (.+)$", re.M)
    held: dict[str, int] = {}
    for size, origin in line.findall(text):
        name = "libgcc" if "libgcc.a" in origin else Path(origin).name
        held[name] = held.get(name, 0) + int(size, 16)
    return held


def symbol_bytes(program: Program, name: str) -> int:
    """Size of a variable or function; 0 when there is none of that name."""
    for line in do([f"{PREFIX}nm", "-S", str(program.elf)]).splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[3] == name:
            return int(fields[1], 16)
    return 0


# ---- running ----


def _plugin() -> Path:
    source, made = HERE / "count.c", BUILD / "count.so"
    with LOCK:  # programs run two at a time
        if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
            made.parent.mkdir(parents=True, exist_ok=True)
            do(["cc", "-shared", "-fPIC", "-O2", *WARN, str(source), "-o", str(made)])
    return made


def symbols(program: Program) -> dict[str, int]:
    """Address of every function, by name."""
    text = do([f"{PREFIX}nm", str(program.elf)])
    found = (line.split() for line in text.splitlines())
    return {name: int(address, 16) for address, kind, name in found if kind in "tT"}


def run(program: Program) -> Run:
    """Run a program to its end under QEMU, counting."""
    where, counts = symbols(program), program.elf.with_name("counts.txt")
    options = [f"mark={where['mark']:#x}"]
    options += [f"apart={where[name]:#x}" for name in DRAWING if name in where]
    command = ["qemu-system-arm", "-M", program.core.machine, "-kernel", str(program.elf)]
    command += ["-display", "none", "-monitor", "none", "-serial", "none"]
    command += ["-semihosting-config", "enable=on,target=native"]
    command += ["-plugin", ",".join([str(_plugin()), *options]), "-d", "plugin", "-D", str(counts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    text = done.stdout + done.stderr
    lines = counts.read_text().splitlines() if counts.exists() else []
    if done.returncode or "weights" not in text or lines[-1:] != ["end"]:
        raise RuntimeError(f"{' '.join(command)}\n{text}")
    said = {name.strip(): int(value, 16) for name, value in re.findall(r"(\D+?) (\w{8})\n", text)}
    blocks: dict[tuple[int, int], list[Block]] = {}
    for line in lines[:-1]:
        region, group, first, *rest = line.split()
        block = Block(int(first, 16), *map(int, rest))
        blocks.setdefault((int(region), int(group)), []).append(block)
    return Run(said, blocks)
