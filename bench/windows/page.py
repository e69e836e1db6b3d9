"""docs/results/windows.md: what each arm came to, beside published figures of peers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.codec.statistics import spread
from bench.core.table import table

__all__ = ["make"]

HEAD = """# Networks with windows, learnt

Made by `{command} --write`. Everyone trains the same network with as many updates in
batches of as many rows, along the same cosine schedule, from initial weights of Glorot's kind. The
simulator trains it from rows as a device holds them, at {budget:,} bytes; Keras and "all rows" have
every training row. Each arm has its own rate, out of three, chosen by {held} seeds on training rows
held out (whole persons, where a set names them): the column "held out" tells which arm they prefer.
Test rows only score. Accuracy in %, on test rows the mean of {seeds} seeds and half its 95 %
interval. A dreamt row deviates anew each time it is drawn, which helps as augmentation does; all
rows are learnt as they are."""

PUBLISHED = """## Peers, as published

No peer was built here: AIfES is AGPL, and MCUNetV3's compiler wants hand work in an IDE for each
network. These are their own figures, on their own networks and boards, and compare with nothing
above row by row."""

FIGURES = (
    (
        "AIfES",
        'a convolutional network trains in "slightly more than 100 kB RAM" on a Cortex-M4',
        "its article in TPAMI, 2024, abstract",
    ),
    (
        "AIfES on an ESP32-S3",
        "MNIST, 2D convolutions: 82.2 ms an epoch of 5 rows, told in ticks of FreeRTOS",
        "AIfES_for_Arduino, pull request 32",
    ),
    (
        "MCUNetV3 (tiny-training)",
        "its 49 KB configuration takes 189,800 B of SRAM and 478,144 B of flash; int8, part of"
        " a pretrained network",
        "`genModel.h` in its repository",
    ),
)
OURS = "MNIST's network above, batches of 8: {ram} of RAM in all; float32, every layer trained"


def make(found: dict[str, Any]) -> str:
    """The page for what was measured."""
    parts = [HEAD.format(**found)]
    for task in found["tasks"]:
        parts += [f"## {task['set']}, {task['title']}", _table(task), _told(task)]
    ours = ("ours, counted", OURS.format(**found), "[core.md](core.md)")
    parts += [PUBLISHED, table(("who", "figure", "where it is told"), [*FIGURES, ours])]
    return "\n\n".join(parts) + "\n"


def _table(task: dict[str, Any]) -> str:
    head = ("learnt from", "rows", "bytes", "held out", "test", "beside all rows", "rate", "told")
    best = np.mean(task["arms"][task["against"]]["scores"])
    return table(head, [_line(name, arm, float(best)) for name, arm in task["arms"].items()])


def _line(name: str, arm: dict[str, Any], best: float) -> Sequence[str]:
    scores = 100 * np.array(arm["scores"])
    wide = f" +- {spread(scores.tolist()):.1f}" if len(scores) > 1 else ""
    apart = scores.mean() - 100 * best
    sizes = f"{arm['rows']:,}", f"{arm['bytes']:,}"
    found = f"{100 * arm['held']:.1f}", f"{scores.mean():.1f}{wide}", f"{apart:+.1f}"
    return name, *sizes, *found, f"{arm['rate']:g}", arm["told"]


def _told(task: dict[str, Any]) -> str:
    return (
        f"{task['optimizer']}, {task['updates']:,} updates of {task['batch']} rows. Beside all"
        f' rows: points less than "{task["against"]}", or above.'
    )
