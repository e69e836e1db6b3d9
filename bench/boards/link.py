"""A plan's firmware by plain gcc, with the flags of tinydream's platform: many networks, fast.

Objects are kept by what their source is told: two plans that ask for the same kernels share them,
and so do two that differ in kernels that a file never mentions.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path

from bench.core.target import LIBRARY, ROOT, do
from tinydream.board import load_board
from tinydream.budget import kernels
from tinydream.codegen import generate
from tinydream.plan import Plan

__all__ = ["FLAGS", "Linker"]

PORT = ROOT / "firmware/port"
# those of the platform's builder/main.py
FLAGS = (
    *("-std=c99", "-O2", "-ffp-contract=off", "-ffunction-sections", "-fdata-sections"),
    "-ffreestanding",
)
SHARED = ("td_config.h", "td.h")


class Linker:
    """Programs for one bare-metal board, in a folder.

    objects: 'own' have the plan's kernels and no others. 'mixed': headers that all files share do
    not count as mentioning a kernel; far fewer files are compiled, a few offsets are wrong: for
    code's size within some bytes, not for running. 'whole' have all kernels; the plan and main.c
    have its own: for everything but code.
    """

    def __init__(self, board_id: str, folder: Path, *, objects: str = "own") -> None:
        self.board, self.folder, self._objects = load_board(board_id), folder, objects
        folder.mkdir(parents=True, exist_ok=True)
        devices = self.board.devices.defines if self.board.devices else ()
        self._compiler = (f"{self.board.prefix}gcc", *self.board.cpu_flags, *FLAGS)
        kept = self.board.storage.defines if self.board.storage else ()
        self._defines = tuple(f"-D{macro}" for macro in (*devices, *kept))
        ports = sorted((PORT / self.board.port).glob("*.c"))
        self.objects: tuple[Path, ...] = ()  # of the last program
        self._sources = (*sorted(LIBRARY.glob("*.c")), *ports)

    def program(
        self, plan: Plan, switches: Mapping[str, int] | None = None, extra: Sequence[str] = ()
    ) -> Path:
        """The linked ELF file; switches: kernels, by default the plan's. extra: compiler flags."""
        switches = kernels(plan, self.board) if switches is None else switches
        own = self.folder / _name(plan.digest, switches, extra)
        own.mkdir(exist_ok=True)
        for name in ("td_plan.c", "td_plan.h"):
            (own / name).write_text(generate(plan, self.board)[f"src/{name}"])
        objects = [self._object(source, switches, extra) for source in self._sources]
        also = (*extra, f"-I{own}", *(f"-D{key}={value}" for key, value in switches.items()))
        for source in (own / "td_plan.c", PORT / "main.c"):
            objects.append(self._compile(source, own / f"{source.stem}.o", also))
        self.objects = tuple(objects)
        return self._link(own / "firmware.elf", objects)

    def _object(self, source: Path, switches: Mapping[str, int], extra: Sequence[str]) -> Path:
        skip = SHARED if self._objects == "mixed" else SHARED[:1]
        known = frozenset() if self._objects == "whole" else _mentioned(source, skip)
        told = {key: value for key, value in switches.items() if key in known}
        made = self.folder / f"{source.stem}-{_name(told, extra, _sources())}.o"
        if made.exists():
            return made
        also = (*extra, *(f"-D{key}={value}" for key, value in told.items()))
        return self._compile(source, made, also)

    def _compile(self, source: Path, made: Path, also: Sequence[str]) -> Path:
        flags = (*self._compiler, *self._defines, f"-I{LIBRARY}", *also)
        do([*flags, "-c", str(source), "-o", str(made)])
        return made

    def _link(self, elf: Path, objects: Sequence[Path]) -> Path:
        board = self.board
        sizes = {"STACK_BYTES": board.stack_bytes}
        for region in board.regions:
            sizes[f"{region.name.upper()}_START"] = region.start
            sizes[f"{region.name.upper()}_BYTES"] = region.usable
        command = [f"{board.prefix}gcc", *board.link_flags, "-nostdlib", "-Wl,--gc-sections"]
        command += ["-Wl,--fatal-warnings", "-T", str(PORT / board.port / "link.ld")]
        command += [f"-Wl,--defsym={key}={value}" for key, value in sizes.items()]
        do([*command, *map(str, objects), "-lgcc", "-o", str(elf)])
        return elf


def _name(*what: object) -> str:
    return blake2b(repr(what).encode(), digest_size=8).hexdigest()


@cache
def _sources() -> str:
    """Names all sources and headers as they are, so that no object outlives a change of them."""
    files = sorted(file for folder in (LIBRARY, PORT) for file in folder.rglob("*.[ch]"))
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=8).hexdigest()


@cache
def _mentioned(source: Path, skip: tuple[str, ...]) -> frozenset[str]:
    """The switches that a source or a header of the core that it includes speaks of."""
    text = source.read_text(encoding="utf-8")
    found = frozenset(re.findall(r"\bTD_(?:WITH_\w+|TILE)\b", text))
    if "TD_ORDER" in text:
        found |= {"TD_TILE"}
    found = frozenset().union(found, *(_parts()[name] for name in found & _parts().keys()))
    for header in re.findall(r'#include "(\w+\.h)"', text):
        if header not in skip and (LIBRARY / header).exists():
            found |= _mentioned(LIBRARY / header, skip)
    return found


@cache
def _parts() -> dict[str, frozenset[str]]:
    """Switches that td_config.h makes of others, and these others."""
    text = (LIBRARY / "td_config.h").read_text(encoding="utf-8").replace("\\\n", " ")
    made = re.findall(r"#define (TD_WITH_\w+) +\((.*?)\)\n", text)
    parts = {name: frozenset(re.findall(r"TD_WITH_\w+", what)) for name, what in made}
    return {
        name: frozenset().union(own, *(parts[each] for each in own & parts.keys()))
        for name, own in parts.items()
    }
