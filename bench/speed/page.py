"""docs/results/speed.md: the figures as tables, with what is asked of each."""

from collections.abc import Callable
from typing import Any

__all__ = ["make"]

HEAD = """# Speed of the codec

Made by `scripts/bench speed --write`: {processors} processors, {threads} threads, NumPy {numpy}.
Each figure is the best of a few runs; other work on the machine makes all of them worse.
"""


def _table(head: str, rows: list[dict[str, Any]], line: Callable[[dict[str, Any]], str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|---" * columns + "|", *map(line, rows)]) + "\n"


def _says(good: bool) -> str:
    return "yes" if good else "**no**"


def make(found: dict[str, Any]) -> str:
    """The page for what was measured."""
    parts = [HEAD.format(**found["machine"])]
    parts += [
        "## Bits counted\n\nAsked: half of what a sum over the same bytes reads in the same run.\n"
    ]
    parts += [
        _table(
            "| rows x columns | type | sum, GB/s | one thread | all | of the sum | enough |",
            found["bits"],
            lambda r: (
                f"| {r['rows']:,} x {r['columns']} | {r['dtype']} | {r['sum']:.1f} |"
                f" {r['one']:.1f} | {r['all']:.1f} | {r['ratio_one']:.2f}, {r['ratio_all']:.2f} |"
                f" {_says(r['ratio_all'] >= 0.5)} |"
            ),
        )
    ]
    parts += [
        "## One level of the tree\n\nAll rows are split once and both halves measured."
        " Asked: 1 GB/s. Deep: the mean over the levels of a tree of 256 leaves.\n",
        _table(
            "| rows x columns | GB/s | NumPy, GB/s | times NumPy | deep, GB/s | enough |",
            found["levels"],
            lambda r: (
                f"| {r['rows']:,} x {r['columns']} | {r['level']:.2f} | {r['numpy']:.2f} |"
                f" {r['ratio']:.1f} | {r['deep']:.2f} | {_says(r['level'] >= 1)} |"
            ),
        ),
        "## Two threads\n",
        _table(
            "| kernel | one thread, s | two, s | times |",
            found["threads"],
            lambda r: (
                f"| {r['kernel']} | {r['one']:.3f} | {r['two']:.3f} | {r['one'] / r['two']:.2f} |"
            ),
        ),
        "## fit by rows\n\n4 columns of float32, 8 KiB, no projection. Slope 1 is linear."
        " Memory: peak with the input, as a multiple of it. Asked: 2.\n",
        _table(
            "| rows | seconds | slope | memory | enough |",
            found["slope"],
            lambda r: (
                f"| {r['rows']:,} | {r['seconds']:.2f} | {r.get('slope', float('nan')):.2f} |"
                f" {r['memory']:.2f} | {_says(r['memory'] <= 2)} |"
            ),
        ),
        "## fit and MiniBatchKMeans per class\n\n8 KiB; k-means: as many centres, 30 iterations,"
        " scaling not counted. Asked: a fifth of its time; aim: a twentieth. Auto: with the choice"
        " of a projection.\n",
        _table(
            "| set | rows | ours, s | auto, s | k-means, s | times faster | auto | a fifth |",
            found["peers"],
            lambda r: (
                f"| {r['set']} | {r['rows']} | {r['none']:.3f} | {r['auto']:.3f} |"
                f" {r['k_means']:.2f} | {r['times_none']:.1f} | {r['times_auto']:.1f} | "
                f"{_says(r['times_none'] >= 5)}, {_says(r['times_auto'] >= 5)} |"
            ),
        ),
    ]
    return "\n".join(parts)
