"""Two pictures of learning: accuracy against instructions, and against bytes held."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["by_bytes", "by_instructions"]

WIDE, HIGH = 330, 220  # of a panel's plot
LEFT, TOP, GAP_X, GAP_Y = 52, 78, 70, 76
COLORS = {
    "representatives": "#0b6e4f",
    "random rows": "#c8553d",
    "all rows": "#3d5a99",
    "all rows, AIfES' cost": "#8a8a8a",
}
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.t{font-size:13px;font-weight:600}"
    ".a{font-size:11px;fill:#666}.g{stroke:#e4e4e4}.x{stroke:#999}"
    ".h{font-size:15px;font-weight:600}"
)
Point = tuple[float, float]


@dataclass(frozen=True)
class Panel:
    """One set: lines by rival, in numbers of its own; y is a share from `low` to `high`."""

    title: str
    lines: dict[str, list[Point]]
    dots: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        xs = [x for line in self.lines.values() for x, _ in line]
        return math.log10(min(xs)), math.log10(max(xs))

    @property
    def heights(self) -> tuple[float, float]:
        ys = [y for line in self.lines.values() for _, y in line]
        return math.floor(10 * min(ys)) / 10, min(1.0, math.ceil(20 * max(ys)) / 20)


def by_instructions(found: dict[str, Any]) -> str:
    """SVG: accuracy on held-out rows after so many instructions of an M4F."""
    panels = []
    for name, one in found["sets"].items():
        lines = {}
        for rival, told in one["rivals"].items():
            pairs = zip(one["points"], told["curve"], strict=True)
            lines[rival] = [(told["step"] * step, right) for step, right in pairs]
        panels.append(Panel(name, lines))
    return _picture("Held-out accuracy against instructions executed (M4F, emulated)", panels)


def by_bytes(found: dict[str, Any]) -> str:
    """SVG: accuracy after all steps, by bytes that stand for the data."""
    panels = []
    for name, one in found["sets"].items():
        lines: dict[str, list[Point]] = {}
        for rival, told in one["rivals"].items():
            if "AIfES" not in rival:  # the same rows
                held = [(size, right) for size, right in told.get("by_bytes", [])]
                lines[rival] = [*held, (told["bytes"], told["final"])]
        panels.append(Panel(name, lines, dots=True))
    return _picture("Held-out accuracy against bytes held for the data", panels)


def _picture(title: str, panels: Sequence[Panel]) -> str:
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    width = LEFT + columns * (WIDE + GAP_X) - GAP_X + 24
    height = TOP + rows * (HIGH + GAP_Y) - GAP_Y + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img"><title>{escape(title)}</title>',
        f"<style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text class="h" x="{LEFT}" y="22">{escape(title)}</text>',
        *_legend([*panels[0].lines]),
    ]
    for i, panel in enumerate(panels):
        at = (LEFT + i % columns * (WIDE + GAP_X), TOP + i // columns * (HIGH + GAP_Y))
        parts += _panel(panel, *at)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], LEFT
    for name in names:
        parts.append(f'<rect x="{x}" y="35" width="18" height="4" fill="{COLORS[name]}"/>')
        parts.append(f'<text x="{x + 24}" y="41">{escape(name)}</text>')
        x += 48 + 7 * len(name)
    return parts


def _panel(panel: Panel, left: int, top: int) -> list[str]:
    (low_x, high_x), (low_y, high_y) = panel.ends, panel.heights

    def place(point: Point) -> Point:
        x = (math.log10(point[0]) - low_x) / (high_x - low_x)
        y = (max(point[1], low_y) - low_y) / (high_y - low_y)
        return left + WIDE * x, top + HIGH * (1 - y)

    parts = [f'<text class="t" x="{left}" y="{top - 8}">{escape(panel.title)}</text>']
    parts += _axes(panel, left, top, place)
    for name, line in panel.lines.items():
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, line))
        color = COLORS[name]
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"'
            ' stroke-linejoin="round"/>'
        )
        if panel.dots:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>'
                for x, y in map(place, line)
            ]
    return parts


def _axes(panel: Panel, left: int, top: int, place: Callable[[Point], Point]) -> list[str]:
    (low_x, high_x), (low_y, high_y) = panel.ends, panel.heights
    parts, bottom = [], top + HIGH
    step = 5 if high_y - low_y <= 0.3 else 10
    for percent in range(round(100 * low_y), round(100 * high_y) + 1, step):
        y = place((10**low_x, percent / 100))[1]
        parts.append(f'<line class="g" x1="{left}" x2="{left + WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="a" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>'
        )
    for power, digit in _ticks(low_x, high_x):
        x = place((digit * 10.0**power, low_y))[0]
        parts.append(f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(
            f'<text class="a" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">'
            f"{_short(power, digit)}</text>"
        )
    parts.append(f'<line class="x" x1="{left}" x2="{left + WIDE}" y1="{bottom}" y2="{bottom}"/>')
    return parts


def _ticks(low: float, high: float) -> list[tuple[int, int]]:
    """(power, digit) of digit * 10**power between these powers: decades, 2 and 5 where few."""
    digits = (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(math.floor(low), math.floor(high) + 1)
    each = [(power, digit) for power in powers for digit in digits]
    return [(p, d) for p, d in each if low <= p + math.log10(d) <= high + 1e-9]


def _short(power: int, digit: int) -> str:
    """10, 200, 1 k, 50 k, ... for digit * 10**power."""
    unit = ("", " k", " M", " G", " T")[power // 3]
    return f"{digit * 10 ** (power % 3)}{unit}"
