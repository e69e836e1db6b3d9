"""docs/results/speed.md: the figures as tables, with what is asked of each."""

from collections.abc import Callable
from typing import Any

__all__ = ["make"]

Row = dict[str, Any]
Line = Callable[[Row], str]

HEAD = """# Speed of the codec

Made by `scripts/bench speed --write`: {processors} processors, {threads} threads, NumPy {numpy}.
Each figure is the best of a few runs; other work on the machine makes all of them worse.
"""


def _table(head: str, rows: list[Row], line: Line) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, "|---" * columns + "|", *map(line, rows)]) + "\n"


def _says(good: bool) -> str:
    return "yes" if good else "**no**"


def make(found: dict[str, Any]) -> str:
    """The page for what was measured."""
    parts = [HEAD.format(**found["machine"])]
    for name, title, told, head, line in PARTS:
        parts += [f"## {title}\n\n{told}" if told else f"## {title}\n"]
        parts += [_table(head, found[name], line)]
    return "\n".join(parts)


def _bits(r: Row) -> str:
    return (
        f"| {r['rows']:,} x {r['columns']} | {r['dtype']} | {r['sum']:.1f} | {r['one']:.1f} |"
        f" {r['all']:.1f} | {r['ratio_one']:.2f}, {r['ratio_all']:.2f} |"
        f" {_says(r['ratio_all'] >= 0.5)} |"
    )


def _level(r: Row) -> str:
    return (
        f"| {r['rows']:,} x {r['columns']} | {r['level']:.2f} | {r['numpy']:.2f} |"
        f" {r['ratio']:.1f} | {r['deep']:.2f} | {_says(r['level'] >= 1)} |"
    )


def _threads(r: Row) -> str:
    times = r["one"] / r["two"]
    return f"| {r['kernel']} | {r['one']:.3f} | {r['two']:.3f} | {times:.2f} |"


def _slope(r: Row) -> str:
    slope = f"{r['slope']:.2f}" if "slope" in r else ""
    beyond = (r["peak"] - r["bytes"]) / 1e6
    return (
        f"| {r['rows']:,} | {r['seconds']:.2f} | {slope} | {beyond:.0f} | {r['memory']:.2f} |"
        f" {_says(r['memory'] <= 2)} |"
    )


def _choice(r: Row) -> str:
    return (
        f"| {r['rows']:,} x {r['columns']} | {r['none']:.3f} | {r['auto']:.3f} |"
        f" {r['choice']:.3f} | {_says(r['choice'] < 0.5)} |"
    )


def _peers(r: Row) -> str:
    return (
        f"| {r['set']} | {r['rows']} | {r['build']:.3f} | {r['default']:.3f} |"
        f" {r['k_means']:.2f} | {r['times_build']:.1f} | {r['times_default']:.1f} |"
        f" {_says(r['times_build'] >= 5)} | {_says(r['times_build'] >= 20)} |"
    )


# of each part: its name in the figures, title, what is asked, the table's head, and a line of it
PARTS: tuple[tuple[str, str, str, str, Line], ...] = (
    (
        "bits",
        "Bits counted",
        "Asked: half of what a sum over the same bytes reads in the same run.\n",
        "| rows x columns | type | sum, GB/s | one thread | all | of the sum | enough |",
        _bits,
    ),
    (
        "levels",
        "One level of the tree",
        "All rows are split once and both halves measured. Asked: 1 GB/s. Deep: the mean over the"
        " levels of a tree of 256 leaves.\n",
        "| rows x columns | GB/s | NumPy, GB/s | times NumPy | deep, GB/s | enough |",
        _level,
    ),
    ("threads", "Two threads", "", "| kernel | one thread, s | two, s | times |", _threads),
    (
        "slope",
        "fit by rows",
        "4 columns of float32, 8 KiB, no projection. Slope 1 is linear. Memory: peak with the"
        " input, as a multiple of it. Asked: 2. What is condensed at once is bounded, so large"
        " tables stay below it; beside small ones our own working memory weighs more.\n",
        "| rows | seconds | slope | MB beyond the input | memory | enough |",
        _slope,
    ),
    (
        "choice",
        "Choosing a projection",
        "8 KiB, 16 classes, no other choice: seconds of fit without a projection and with the"
        " choice of one; their difference. Asked: 0.5.\n",
        "| rows x columns | none, s | auto, s | choice, s | enough |",
        _choice,
    ),
    (
        "peers",
        "fit and MiniBatchKMeans per class",
        "8 KiB. Build: representatives as such, no projection and no choice of deviations, which"
        " is what k-means does; default: with all choices. k-means: as many centres, 30"
        " iterations, scaling not counted. Asked of build: a fifth of its time; aim: a twentieth."
        "\n",
        "| set | rows | build, s | default, s | k-means, s | times faster: build | default"
        " | a fifth | a twentieth |",
        _peers,
    ),
)
