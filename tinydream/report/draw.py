"""Numbers in, SVG text out; colours and fonts are the page's (style.css)."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, isfinite, log10

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

__all__ = ["bars", "curve", "dots", "heat", "number", "scatter", "spark", "stack", "svg", "ticks"]

LEVELS = 15  # shades that an eye can tell apart
WIDE, HIGH = 360, 200  # a chart; on a phone it has one pixel a unit
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 34  # its margins
ROW = 42  # height of a row of dots


def number(value: float) -> str:
    """A coordinate: two decimals at most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def svg(width: float, height: float, parts: Iterable[str], label: str, kind: str = "") -> Markup:
    """A picture with a name; parts are SVG text, label is plain text."""
    style = f' class="{escape(kind)}"' if kind else ""
    stretch = ' preserveAspectRatio="none"' if kind == "stack" else ""
    return Markup(
        f'<svg{style} viewBox="0 0 {number(width)} {number(height)}"{stretch} role="img"'
        f' aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def heat(values: ArrayLike, low: float, high: float, label: str, kind: str = "heat") -> Markup:
    """A map of values (rows, columns): the closer to `high`, the darker; NaN is no cell at all.

    Cells of one shade are one path, and neighbours in a row one rectangle: pictures stay small.
    """
    array = np.asarray(values, float)
    there = np.isfinite(array)
    share = (np.where(there, array, low) - low) / (high - low if high > low else 1.0)
    shade = np.rint(np.clip(share, 0, 1) * LEVELS).astype(int)
    parts = [f'<path class="bed" d="{_rectangles(there)}"/>']
    for level in range(1, LEVELS + 1):
        if path := _rectangles(there & (shade == level)):
            parts.append(f'<path fill-opacity="{number(level / LEVELS)}" d="{path}"/>')
    return svg(array.shape[1], array.shape[0], parts, label, kind)


def _rectangles(mask: NDArray[np.bool_]) -> str:
    """A path of all true cells of (rows, columns)."""
    edge = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (row, start), (_, end) = np.nonzero(edge == 1), np.nonzero(edge == -1)
    runs = zip(row.tolist(), start.tolist(), (end - start).tolist(), strict=True)
    return "".join(f"M{x} {y}h{w}v1h-{w}z" for y, x, w in runs)


def stack(parts: Sequence[tuple[str, float, str]], total: float, label: str) -> Markup:
    """One bar of `total`, filled from the left with (name, value, class)."""
    at, made = 0.0, ['<rect class="bed" width="1000" height="10"/>']
    for name, value, kind in parts:
        width = 1000 * value / total if total else 0.0
        made.append(
            f'<rect class="{escape(kind)}" x="{number(at)}" width="{number(width)}" height="10">'
            f"<title>{escape(name)}: {value:,.0f} B</title></rect>"
        )
        at += width
    return svg(1000, 10, made, label, "stack")


def spark(values: ArrayLike, low: float, high: float, label: str) -> Markup:
    """A curve of (n,) values between low and high, without axes."""
    array = np.asarray(values, float)
    x = np.linspace(1, 99, len(array))
    y = 39 - 38 * (array - low) / (high - low if high > low else 1.0)
    return svg(100, 40, [_polyline(x, y)], label, "spark")


def bars(values: ArrayLike, low: ArrayLike, high: ArrayLike, label: str) -> Markup:
    """A bar for each of (n,) values, each between its own low and high (n,)."""
    array, low, high = (np.asarray(each, float) for each in (values, low, high))
    share = np.clip((array - low) / np.where(high > low, high - low, 1), 0, 1)
    step = 100 / len(array)
    made = [
        f'<rect x="{number((j + 0.12) * step)}" y="{number(39 - 38 * s)}"'
        f' width="{number(0.76 * step)}" height="{number(1 + 38 * s)}"/>'
        for j, s in enumerate(share.tolist())
    ]
    return svg(100, 40, made, label, "bars")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most so many round numbers that lie in low..high."""
    if not (isfinite(low) and isfinite(high)) or high <= low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(s for s in (power, 2 * power, 5 * power, 10 * power, 20 * power) if s >= raw)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def curve(values: Sequence[float], label: str, x: str, low: float, high: float) -> Markup:
    """A line chart of values over 1, 2, ... n, between low and high; x: what is counted."""
    n = len(values)
    across = _Scale(1, max(n, 2), LEFT, WIDE - RIGHT)
    up = _Scale(low, high, HIGH - BOTTOM, TOP)
    parts = _axes([t for t in ticks(1, max(n, 2)) if t == int(t)], across, ticks(low, high), up, x)
    places = across(np.arange(1, n + 1)), up(np.clip(np.asarray(values, float), low, high))
    if n > 1:
        parts.append(_polyline(*places))
    else:
        parts.append(_point(float(places[0][0]), float(places[1][0])))
    return svg(WIDE, HIGH, parts, label, "chart")


def scatter(x: ArrayLike, y: ArrayLike, label: str, names: tuple[str, str]) -> Markup:
    """Points (n,) against (n,), both on one scale, and the line on which they are equal."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    low, high = float(min(a.min(), b.min())), float(max(a.max(), b.max()))
    pad = (high - low or 1.0) * 0.03
    low, high = low - pad, high + pad
    side = WIDE - LEFT - RIGHT
    across, up = _Scale(low, high, LEFT, WIDE - RIGHT), _Scale(low, high, TOP + side, TOP)
    marks = ticks(low, high)
    parts = _axes(marks, across, marks, up, names[0], bottom=TOP + side)
    ends = np.array([low, high])
    parts.append(_polyline(across(ends), up(ends), "even"))
    parts += map(_point, across(a).tolist(), up(b).tolist())
    parts.append(_words(LEFT + 6, TOP + 12, names[1]))
    return svg(WIDE, TOP + side + BOTTOM, parts, label, "chart scatter")


def dots(rows: Sequence[tuple[str, Sequence[float], str]], label: str, unit: str = "%") -> Markup:
    """A row of dots for each (name, values, class), and a bar at their mean."""
    everything = [value for _, values, _ in rows for value in values]
    low, high = min(everything), max(everything)
    pad = (high - low) * 0.08 or 0.01
    across = _Scale(low - pad, high + pad, 12, WIDE - 12)
    bottom = 6 + ROW * len(rows)
    parts = [
        f'<path class="grid" d="M{number(x)} 0V{number(bottom)}"/>'
        + _words(x, bottom + 15, _mark(value, unit), "middle")
        for value in ticks(low - pad, high + pad)
        for x in [float(across(np.float64(value)))]
    ]
    for i, (name, values, kind) in enumerate(rows):
        y, mean = ROW * i + 32, float(across(np.float64(np.mean(values))))
        parts.append(_words(12, y - 14, name))
        parts.append(f'<g class="{escape(kind)}">')
        parts += [_point(float(across(np.float64(v))), y, 4.5) for v in values]
        parts.append(f'<path class="mean" d="M{number(mean)} {y - 8}v16"/></g>')
    return svg(WIDE, bottom + 22, parts, label, "chart dots")


# ---- parts ----


class _Scale:
    """low..high to a..b."""

    def __init__(self, low: float, high: float, a: float, b: float) -> None:
        self.low, self.a = low, a
        self.slope = (b - a) / (high - low if high > low else 1.0)

    def __call__(self, value: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(self.a + (np.asarray(value, float) - self.low) * self.slope)


def _axes(
    xs: Sequence[float],
    across: _Scale,
    ys: Sequence[float],
    up: _Scale,
    x_name: str,
    bottom: float = HIGH - BOTTOM,
) -> list[str]:
    parts = []
    for value in ys:
        y = float(up(value))
        parts.append(f'<path class="grid" d="M{LEFT} {number(y)}H{WIDE - RIGHT}"/>')
        parts.append(_words(LEFT - 6, y + 4, f"{value:g}", "end"))
    for value in xs:
        parts.append(_words(float(across(value)), bottom + 16, f"{value:g}", "middle"))
    parts.append(_words(WIDE - RIGHT, bottom + 30, x_name, "end"))
    return parts


def _polyline(x: NDArray[np.float64], y: NDArray[np.float64], kind: str = "line") -> str:
    points = " ".join(
        f"{number(a)},{number(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True)
    )
    return f'<polyline class="{kind}" points="{points}"/>'


def _point(x: float, y: float, r: float = 2.5) -> str:
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}"/>'


def _words(x: float, y: float, text: str, anchor: str = "start") -> str:
    where = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{number(x)}" y="{number(y)}"{where}>{escape(text)}</text>'


def _mark(value: float, unit: str) -> str:
    return f"{100 * value:.4g} %" if unit == "%" else f"{value:.4g}"
