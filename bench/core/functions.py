"""Code, data and stack of every function of the firmware, as a table that the repository keeps.

GCC tells what a function takes of the stack and whom it calls (-fcallgraph-info=su); the worst
path adds these up. There is no recursion in the core; its only calls through pointers are to a
port's storage (td_port.h), which is the port's to count.
"""

import csv
import difflib
import io
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.core.target import CORES, FLAGS, LIBRARY, PORT, PREFIX, ROOT, compiler, do
from tinydream import load_board

__all__ = ["KEPT", "RENEW", "check", "make", "write"]

KEPT = ROOT / "docs/results/core-functions.csv"
RENEW = "scripts/bench core --part functions --write"
HEAD = ("file", "symbol", "kind", "bytes", "stack", "worst_path", "then")
OPTIMISE = "-O2"

NODE = re.compile(r'^node: \{ title: "(.+?)" label: "(.+?)"', re.M)
STACK = re.compile(r"(\d+) bytes \((.+?)\)")
EDGE = re.compile(r'^edge: \{ sourcename: "(.+?)" targetname: "(.+?)"')
SECTION = re.compile(r"^\.(text|rodata|data|bss)\.(\S+) +(\d+) ", re.M)


@dataclass
class Symbol:
    """A function (with its own stack and whom it calls) or an object of one file."""

    file: str
    name: str
    kind: str
    bytes: int
    stack: int = 0
    calls: set[str] = field(default_factory=set)


def make() -> str:
    """The table as CSV: bytes; stack of the function itself and of the worst path from it."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        files = [*sorted(LIBRARY.glob("td_*.c")), *sorted(PORT.glob("*.c"))]
        found = list(pool.map(partial(_symbols, folder=Path(folder)), files))
    symbols = {title: each for one in found for title, each in one.items()}
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(HEAD)
    told = ("arm-none-eabi-gcc", compiler(), "compiler", "", "", "", "")
    rows.writerow(told)
    for title, each in sorted(symbols.items(), key=lambda item: (item[1].file, item[1].name)):
        row: list[object] = [each.file, each.name, each.kind, each.bytes]
        if each.kind == "code":
            worst, then = _worst(title, symbols)
            row += [each.stack, worst, symbols[then].name if then else ""]
        rows.writerow(row + [""] * (len(HEAD) - len(row)))
    return out.getvalue()


def _symbols(source: Path, folder: Path) -> dict[str, Symbol]:
    """Those of one file, by the name that GCC's call graph has for them."""
    made = folder / f"{source.stem}.o"
    devices = load_board("qemu_netduinoplus2").devices
    macros = [f"-D{each}" for each in devices.defines] if devices else []
    flags = (*CORES["M4F"].flags, *FLAGS, *macros, OPTIMISE, "-fcallgraph-info=su", f"-I{LIBRARY}")
    do([f"{PREFIX}gcc", *flags, "-c", str(source), "-o", str(made)])
    file, symbols = source.relative_to(ROOT / "firmware").as_posix(), {}
    graph = made.with_suffix(".ci").read_text()
    titles = {title.rpartition(":")[2]: title for title, _ in NODE.findall(graph)}
    for place, name, size in SECTION.findall(do([f"{PREFIX}size", "-A", str(made)])):
        kind, name = ("code", name) if place == "text" else ("data", re.sub(r"\.\d+$", "", name))
        title = titles.get(name, name) if kind == "code" else f"{file} {place}.{name}"
        symbols[title] = Symbol(file, name, kind, int(size))
    _add_stack(graph, symbols)
    return symbols


def _add_stack(graph: str, symbols: dict[str, Symbol]) -> None:
    for title, label in NODE.findall(graph):
        if (used := STACK.search(label)) and title in symbols:
            if used[2] not in ("static", "dynamic,bounded"):
                raise RuntimeError(f"the stack of {title} has no bound")
            symbols[title].stack = int(used[1])
    for line in graph.splitlines():
        if (edge := EDGE.match(line)) and edge[1] in symbols:
            symbols[edge[1]].calls.add(edge[2])


def _worst(title: str, symbols: dict[str, Symbol], path: tuple[str, ...] = ()) -> tuple[int, str]:
    """Bytes of the worst path that begins with this function, and whom it goes on to."""
    if title in path:
        raise RuntimeError(f"{title} calls itself, by {' -> '.join(path)}")
    deeper = [
        (_worst(name, symbols, (*path, title))[0], name)
        for name in sorted(symbols[title].calls & symbols.keys())
    ]
    most, then = max(deeper, key=lambda pair: pair[0], default=(0, ""))
    return symbols[title].stack + most, then


def write() -> None:
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(make())


def check() -> tuple[bool, str]:
    """Whether the table that is kept still holds, and what to say: for scripts/check."""
    kept, made = KEPT.read_text().splitlines(), make().splitlines()
    if kept[1] != made[1]:
        here, then = (line.split(",")[1] for line in (made[1], kept[1]))
        return True, f"{KEPT.name} was made with GCC {then}, here is {here}: not compared"
    if kept == made:
        return True, ""
    lines = difflib.unified_diff(kept, made, "in the repository", "now", n=0, lineterm="")
    return False, "\n".join([*lines, f"if that is meant: {RENEW}"])
