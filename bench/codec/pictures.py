"""Points against bytes as SVG: a small picture a set, and all of them on one sheet."""

from collections.abc import Sequence
from typing import Any

__all__ = ["draw"]

WIDTH, HEIGHT, COLUMNS = 250, 170, 4
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 24, 20
LINES = (  # method, colour, dashes
    ("ours", "#c2410c", ""),
    ("k-means", "#1d4ed8", ""),
    ("stratified", "#15803d", ""),
    ("random 8", "#6b7280", ""),
    ("rival", "#7e22ce", "4 3"),
)
STYLE = (
    "text{font:10px system-ui,sans-serif;fill:#222}.t{font-weight:600;font-size:11px}"
    ".a{stroke:#bbb;stroke-width:1}.l{fill:none;stroke-width:1.8}"
)


def draw(table: dict[str, dict[str, dict[str, Any]]]) -> dict[str, str]:
    """SVG by name: each set's own, and `pareto` with all of them."""
    made = {name: _sheet([_panel(name, rows)]) for name, rows in table.items()}
    return made | {"pareto": _sheet([_panel(name, rows) for name, rows in table.items()])}


def _sheet(panels: Sequence[str]) -> str:
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // COLUMNS)
    width, height = max(columns * WIDTH, 2 * WIDTH), lines * HEIGHT + 24
    body = "".join(
        f'<g transform="translate({i % COLUMNS * WIDTH},{i // COLUMNS * HEIGHT + 24})">{each}</g>'
        for i, each in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}"><style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>'
        f"{_legend()}{body}</svg>\n"
    )


def _legend() -> str:
    made, x = [], LEFT
    for name, colour, dashes in (*LINES, ("all rows", "#222", "1 3")):
        made.append(
            f'<line x1="{x}" y1="13" x2="{x + 18}" y2="13" stroke="{colour}" stroke-width="1.8"'
            f' stroke-dasharray="{dashes}"/><text x="{x + 22}" y="16">{name}</text>'
        )
        x += 34 + 6 * len(name)
    return "".join(made)


def _panel(name: str, by_budget: dict[str, dict[str, Any]]) -> str:
    budgets = sorted(by_budget, key=int)
    shown = [m for m, *_ in LINES] + ["all"]
    points = [row[m]["mean"] for row in by_budget.values() for m in shown if m in row]
    if not points:
        return f'<text class="t" x="{LEFT}" y="14">{name}: not measured</text>'
    low, high = _range(points)

    def y(value: float) -> float:
        inner = HEIGHT - TOP - BOTTOM
        return TOP + inner * (1 - (min(max(value, low), high) - low) / (high - low))

    def x(index: int) -> float:
        return LEFT + 14 + index * (WIDTH - LEFT - RIGHT - 28) / max(len(budgets) - 1, 1)

    parts = [f'<text class="t" x="{LEFT}" y="14">{name}</text>', _axes(low, high, y, x, budgets)]
    everything = [row["all"]["mean"] for row in by_budget.values() if "all" in row]
    if everything:
        at = y(everything[0])
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#222"'
            ' stroke-dasharray="1 3"/>'
        )
    for method, colour, dashes in reversed(LINES):
        path = [
            (x(i), y(by_budget[b][method]["mean"]))
            for i, b in enumerate(budgets)
            if method in by_budget[b]
        ]
        parts.append(_line(path, colour, dashes))
    return "".join(parts)


def _range(points: list[float]) -> tuple[float, float]:
    """What is worth showing: down to where most methods are, in steps of 5 points."""
    ordered = sorted(points)
    low = 5 * int(ordered[len(ordered) // 10] // 5)
    high = 5 * int(-(-ordered[-1] // 5))
    return float(low), float(max(high, low + 5))


def _axes(low: float, high: float, y: Any, x: Any, budgets: Sequence[str]) -> str:
    parts = [f'<line class="a" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>']
    for value in (low, (low + high) / 2, high):
        parts.append(
            f'<line class="a" x1="{LEFT - 3}" x2="{LEFT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 3:.1f}" text-anchor="end">{value:g}</text>'
        )
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="a" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    for i, budget in enumerate(budgets):
        parts.append(
            f'<text x="{x(i):.1f}" y="{HEIGHT - 6}" text-anchor="middle">'
            f"{int(budget) // 1024} KiB</text>"
        )
    return "".join(parts)


def _line(at: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    if not at:
        return ""
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in at)
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.6" fill="{colour}"/>' for a, b in at)
    return (
        f'<polyline class="l" points="{path}" stroke="{colour}" stroke-dasharray="{dashes}"/>{dots}'
    )
