"""docs/results/options.md: by question, points of each option set beside the first of it."""

from typing import Any

from bench.codec.report import table

__all__ = ["make"]

HEAD = """# What the codec's options are worth

Made by `{command} --write`. Rows of each training table are held out (whole persons or units
where a set names them), the codec condenses the others, a network of 32 units learns from that
(Adam, 0.003, as many updates as in codec.md) and is scored on the rows held out: points, accuracy
in % or R2 x 100, mean of {seeds} seeds of that network; the codec fits once. Test rows play no
part. In brackets: against the first row of the table. "No choice": no projection, the measured
spread for all rows alike, no factors. A shape offers the codec a Haar transform, which it takes
where rows of its own choosing say so. "-": the budget is too small. Empty: not asked there."""


def make(found: dict[str, Any]) -> str:
    """The page for what was measured."""
    parts = [HEAD.format(**found)]
    for question in dict.fromkeys(row["question"] for row in found["rows"]):
        rows = [row for row in found["rows"] if row["question"] == question]
        parts += [f"## {question.capitalize()}", _table(rows)]
    return "\n\n".join(parts) + "\n"


def _table(rows: list[dict[str, Any]]) -> str:
    """A line an option set and budget, a column a set."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    labels = list(dict.fromkeys(row["label"] for row in rows))
    means = {(r["label"], r["budget"], r["set"]): r["mean"] for r in rows}
    lines = []
    for budget in dict.fromkeys(row["budget"] for row in rows):
        for label in labels:
            cells = []
            for name in sets:
                now, first = (means.get((each, budget, name)) for each in (label, labels[0]))
                known = (label, budget, name) in means
                cells.append(_cell(now, first, label == labels[0]) if known else "")
            lines.append([label, f"{budget:,}", *cells])
    return table(["options", "bytes", *sets], lines)


def _cell(now: float | None, first: float | None, is_first: bool) -> str:
    if now is None:
        return "-"
    if is_first or first is None:
        return f"{now:.1f}"
    return f"{now:.1f} ({now - first:+.1f})"
