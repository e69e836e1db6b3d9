"""Entropy of each bit as a picture: rows of shades for a terminal, and SVG."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["condense", "entropy_svg"]

CELL, LABEL, HEAD = 14, 150, 46  # pixels: a bit, the names, the title
LONGEST = 20  # characters of a name

STYLE = """
  svg { color-scheme: light dark }
  text { font: 11px system-ui, sans-serif; fill: #333 }
  .page { fill: #fff } .cell { fill: #1f6fb2 } .none { fill: none }
  .edge { fill: none; stroke: #ccc; stroke-width: 0.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .page { fill: #16181c } .cell { fill: #6bb3f0 } .edge { stroke: #444 }
  }
"""


def condense(
    names: Sequence[str], entropy: NDArray[np.float32], most: int
) -> tuple[list[str], NDArray[np.float32]]:
    """At most so many rows: neighbours are averaged, and named by the first and the last."""
    size = -(-len(names) // max(most, 1))
    if size <= 1:
        return list(names), entropy
    starts = range(0, len(names), size)
    groups = [names[at : at + size] for at in starts]
    labels = [g[0] if len(g) == 1 else f"{g[0]} .. {g[-1]}" for g in groups]
    blocks = [entropy[at : at + size] for at in starts]
    counts = [np.maximum((~np.isnan(b)).sum(axis=0), 1) for b in blocks]
    means = [
        np.where(np.isnan(b).all(axis=0), np.nan, np.nansum(b, axis=0) / n)
        for b, n in zip(blocks, counts, strict=True)
    ]
    return labels, np.array(means, np.float32)


def entropy_svg(names: Sequence[str], entropy: NDArray[np.float32]) -> str:
    """The picture (features, bits) as one self-contained SVG, light or dark as the reader's screen.

    A full square is a bit that nobody can guess (1 bit of entropy), an empty one is constant;
    each says its feature, bit and entropy when pointed at.
    """
    features, bits = entropy.shape
    width, height = LABEL + max(bits, 20) * CELL + 10, HEAD + features * CELL + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="entropy of each bit of {features} features">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text x="{LABEL}" y="16">entropy of each bit, most significant first</text>',
    ]
    for bit in range(0, bits, 4):
        lines.append(f'<text x="{LABEL + bit * CELL}" y="{HEAD - 8}">{bit + 1}</text>')
    for j, name in enumerate(names):
        lines += _row(name, entropy[j], HEAD + j * CELL)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _row(name: str, entropy: NDArray[np.float32], y: int) -> list[str]:
    short = name if len(name) <= LONGEST else name[: LONGEST - 1] + "\u2026"
    label = f'<text x="{LABEL - 6}" y="{y + 11}" text-anchor="end">{escape(short)}</text>'
    cells = [
        f'<rect class="edge" x="{LABEL + i * CELL}" y="{y}" width="{CELL}" height="{CELL}"/>'
        f'<rect class="cell" x="{LABEL + i * CELL}" y="{y}" width="{CELL}" height="{CELL}"'
        f' fill-opacity="{h:.3f}"><title>{escape(name)}, bit {i + 1}: {h:.3f}</title></rect>'
        for i, h in enumerate(entropy.tolist())
        if h == h
    ]
    return [label, *cells]
