"""The most stack that a program can take: GCC's own figures along the worst path of calls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tinydream.board import Board

__all__ = ["MARGIN", "frame", "worst_path"]

MARGIN = 64  # a function of the compiler's library, of which GCC tells nothing
# what is pushed at an interrupt, aligned: by a Cortex-M without FPU and with one (Arm DDI 0403E,
# B1.5.6); a RISC-V core pushes nothing itself, and its handler as much as registers can hold
FRAMES = {"none": 40, "single": 112}

NODE = re.compile(r'^node: \{ title: "(.+?)" label: "(.+?)"', re.M)
EDGE = re.compile(r'^edge: \{ sourcename: "(.+?)" targetname: "(.+?)"', re.M)
USED = re.compile(r"(\d+) bytes \((.+?)\)")


def frame(board: Board) -> int:
    """Bytes that an interrupt may take beside what it interrupts."""
    return FRAMES["single" if board.core.startswith("RV") else board.fpu]


@dataclass
class _Function:
    stack: int
    calls: set[str] = field(default_factory=set)


def worst_path(graphs: list[Path], first: str) -> int:
    """Bytes of stack below `first`, from call graphs (-fcallgraph-info=su) of all files.

    An unknown function counts MARGIN. Raises RuntimeError for a stack without a bound, a call
    through a pointer, and recursion.
    """
    functions: dict[str, _Function] = {}
    for graph in graphs:
        text = graph.read_text(encoding="utf-8")
        for title, label in NODE.findall(text):
            if used := USED.search(label):
                if used[2] not in ("static", "dynamic,bounded"):
                    raise RuntimeError(f"the stack of {title} has no bound")
                functions[title] = _Function(int(used[1]))
        for caller, called in EDGE.findall(text):
            if called == "__indirect_call":
                raise RuntimeError(f"{caller} calls through a pointer")
            functions[caller].calls.add(called)
    return _worst(first, functions, ())


def _worst(name: str, functions: Mapping[str, _Function], path: tuple[str, ...]) -> int:
    if name in path:
        raise RuntimeError(f"{name} calls itself, by {' -> '.join(path)}")
    if name not in functions:
        return MARGIN
    here = functions[name]
    return here.stack + max((_worst(x, functions, (*path, name)) for x in here.calls), default=0)
