"""The picture of a store: what each column takes, and why it is coded as it is."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from tinydream.store.explain import Column

__all__ = ["reason", "store_svg"]

LABEL, BAR, REASON, LINE, HEAD = 170, 300, 430, 30, 44
LONGEST, LONGEST_REASON = 24, 70
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.why{fill:#666}.page{fill:#fff}"
    ".raw{fill:#e4e2dc}.alone{fill:#a8c5da}.coded{fill:#1f6f8b}@media(prefers-color-scheme:dark){text{fill:#eee}"
    ".why{fill:#aaa}.page{fill:#16181c}.raw{fill:#3a3d44}.alone{fill:#456b80}.coded{fill:#6cc1de}}"
)
KINDS = (
    ("raw", "as given"),
    ("alone", "each number by itself"),
    ("coded", "as coded"),
)


def reason(column: Column) -> str:
    """Which numbers stand for it, what guesses them, and what is known of a guess."""
    return "; ".join(
        filter(None, (column.how, column.guess and f"guess: {column.guess}", column.classes))
    )


def store_svg(columns: Sequence[Column]) -> str:
    """Bars of bytes, a line a column, beside the reason, as one self-contained SVG.

    Bars lie over one another: what shows of the light ones is what coding saves. Each tells its
    bytes when pointed at.
    """
    width, height = LABEL + BAR + REASON, HEAD + len(columns) * LINE + 10
    most = max((max(c.raw, c.alone, c.coded) for c in columns), default=0) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="bytes of {len(columns)} columns of a store">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
    ]
    for i, (kind, words) in enumerate(KINDS):
        x = LABEL + 170 * i
        lines.append(f'<rect class="{kind}" x="{x}" y="14" width="12" height="12"/>')
        lines.append(f'<text x="{x + 17}" y="24">{words}</text>')
    for j, column in enumerate(columns):
        lines += _line(column, HEAD + j * LINE, BAR / most)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _line(column: Column, y: int, scale: float) -> list[str]:
    name = _short(column.name, LONGEST)
    made = [f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{name}</text>']
    bytes_of = {"raw": column.raw, "alone": column.alone, "coded": column.coded}
    for kind, words in KINDS:
        size, inset = bytes_of[kind], 4 * (kind == "coded")
        title = f"<title>{escape(column.name)}, {words}: {size:,} B</title>"
        made.append(
            f'<rect class="{kind}" x="{LABEL}" y="{y + inset}" width="{size * scale:.1f}"'
            f' height="{22 - 2 * inset}">{title}</rect>'
        )
    why = _short(reason(column), LONGEST_REASON)
    x = LABEL + BAR + 12
    return [*made, f'<text class="why" x="{x}" y="{y + 15}">{column.coded:,} B: {why}</text>']


def _short(text: str, most: int) -> str:
    return escape(text if len(text) <= most else text[: most - 1] + "\u2026")
