"""The arena over the phases of a batch: which bytes are whose, and when."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from tinydream.plan import Buffer, Plan
from tinydream.report import draw

__all__ = ["lives"]

WIDE, HIGH = 360.0, 200.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 6.0, 8.0, 22.0  # margins: bytes to the left, phases below
LETTER = 6.2  # width of one, about
COLOURS = 7  # as in the bars of the region above


def lives(plan: Plan) -> list[tuple[str, Markup]]:
    """A title and a drawing each: the whole arena, and what of it belongs to a batch."""
    kinds = {buffer.name: f"m{i % COLOURS + 1}" for i, buffer in enumerate(plan.arena)}
    batch = [buffer for buffer in plan.arena if buffer.life == "batch"]
    drawings = [("the whole arena", plan.arena), ("of it, what a batch uses", batch)]
    return [(title, _drawing(part, plan.phases, kinds)) for title, part in drawings]


def _drawing(buffers: Sequence[Buffer], phases: Sequence[str], kinds: dict[str, str]) -> Markup:
    low = min(buffer.offset for buffer in buffers)
    high = max(buffer.offset + buffer.bytes for buffer in buffers)
    step = (WIDE - LEFT - RIGHT) / len(phases)
    unit = (HIGH - TOP - BOTTOM) / (high - low)
    parts = []
    for value in (t for t in draw.ticks(low, high) if low <= t <= high):
        y = HIGH - BOTTOM - (value - low) * unit
        parts.append(f'<path class="grid" d="M{LEFT:g} {draw.number(y)}H{WIDE - RIGHT:g}"/>')
        parts.append(_text(LEFT - 5, y + 4, f"{value:,.0f}", "end"))
    for buffer in buffers:
        x, wide = LEFT + buffer.first * step, (buffer.last - buffer.first + 1) * step
        y, high_ = HIGH - BOTTOM - (buffer.offset + buffer.bytes - low) * unit, buffer.bytes * unit
        box = " ".join(
            f'{name}="{draw.number(value)}"'
            for name, value in (("x", x), ("y", y), ("width", wide), ("height", high_))
        )
        title = f"<title>{escape(buffer.name)}: {buffer.bytes:,} bytes</title>"
        parts.append(f'<rect class="{kinds[buffer.name]}" {box}>{title}</rect>')
        if high_ >= 12 and wide >= LETTER * len(buffer.name):
            parts.append(_text(x + wide / 2, y + high_ / 2 + 4, buffer.name, "middle", "on"))
    parts += _phases(phases, step)
    told = ", ".join(f"{b.name} {b.bytes:,}" for b in buffers)
    return draw.svg(WIDE, HIGH, parts, f"bytes of the arena over a batch: {told}", "chart lives")


def _phases(phases: Sequence[str], step: float) -> list[str]:
    """Names below the drawing, words before arrows, as many as do not touch."""
    parts: list[str] = []
    taken: list[tuple[float, float]] = []
    names = [each.replace("forward ", "→").replace("backward ", "←") for each in phases]
    for i in sorted(range(len(names)), key=lambda i: not names[i].isalpha()):
        x, half = LEFT + (i + 0.5) * step, LETTER * len(names[i]) / 2
        if all(abs(x - other) >= half + wide for other, wide in taken):
            parts.append(_text(x, HIGH - 8, names[i], "middle"))
            taken.append((x, half))
    return parts


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    place = f'x="{draw.number(x)}" y="{draw.number(y)}"'
    return f'<text {place} text-anchor="{anchor}"{style}>{escape(words)}</text>'
