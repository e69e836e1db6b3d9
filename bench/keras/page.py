"""What `scripts/bench keras` found, in Markdown."""

from typing import Any

import numpy as np

from bench.codec.statistics import paired, spread
from bench.core.table import table

__all__ = ["make"]

KINDS = ("representatives", "all rows")


def make(found: dict[str, Any]) -> str:
    """The page, from what `main` collected."""
    return (
        "# Keras and LiteRT\n\n"
        f"Made by `{found['command']}`; percent of test rows, mean and 95 % interval over"
        " seeds.\n\n" + _integers(found["integers"]) + "\n\n" + _transfer(found["transfer"]) + "\n"
    )


def _integers(found: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for name, cells in found.items():
        apart = paired(*([100 * cell[kind] for cell in cells] for kind in KINDS))
        rows.append(
            (
                name,
                *(_told([100 * cell[kind] for cell in cells]) for kind in ("float32", *KINDS)),
                f"{apart.mean:+.2f} ({apart.low:+.2f}..{apart.high:+.2f})",
                f"{cells[0]['rows']:,}",
            )
        )
    means = [
        [100 * float(np.mean([cells[s][kind] for cells in found.values()])) for s in _seeds(found)]
        for kind in KINDS
    ]
    mean = paired(*means)
    verdict = "no more accuracy" if mean.high >= 0 else "**more accuracy**"
    head = ("set", "float32", "int8 on representatives", "int8 on all rows", "difference", "rows")
    return (
        "## int8, calibrated\n\n"
        "A network (two convolutions where rows have a shape, else 32 hidden units) trained by the"
        " device's code on representatives of 32 KiB, written as an int8 .tflite, calibrated on"
        f" {next(iter(found.values()))[0]['drawn']} drawn rows as `pull --quantise int8` does, and"
        " on all training rows; both run by LiteRT.\n\n"
        + table(head, rows)
        + f"\n\nMean of the sets, paired over {len(means[0])} seeds: {mean.mean:+.3f} points"
        f" ({mean.low:+.3f}..{mean.high:+.3f}): calibrated on representatives it loses {verdict}."
    )


def _transfer(found: dict[str, list[dict[str, Any]]]) -> str:
    rows = []
    for arm in ("new", "new and old"):
        for at, who in enumerate(("the new person", "old people")):
            sides = [
                [100 * float(np.mean([cell[arm][side][at] for cell in cells]))
                 for cells in found.values()]
                for side in ("before", "after")
            ]  # fmt: skip
            apart = paired(sides[1], sides[0])
            change = f"{apart.mean:+.1f} ({apart.low:+.1f}..{apart.high:+.1f})"
            rows.append((arm, who, *map(_told, sides), change))
    frozen = all(cell[arm]["frozen"] for cells in found.values() for cell in cells
                 for arm in ("new", "new and old"))  # fmt: skip
    each = [
        (
            person,
            *(
                f"{100 * np.mean([cell[arm][side][0] for cell in cells]):.1f}"
                for arm, side in (("new", "before"), ("new", "after"), ("new and old", "after"))
            ),
            str(cells[0]["rows"]),
        )
        for person, cells in found.items()
    ]
    count = len(next(iter(found.values())))
    return (
        "## Transfer: a new person\n\n"
        "geotec_har_watch, 50x6, axes in units of the old people's spread: Keras trains conv1d 16"
        " 5/2, conv1d 16 5/2, global average pool, dense 5 on people 1..14; all but the dense layer"
        " is frozen, and this trains on a device (the simulator, which is the device to the bit)"
        " from 4 KiB of representatives: of half of a new person's rows, or of these, repeated, and"
        " as many of the old people's. Scored on rows that nobody learnt"
        f" from, mean and 95 % interval over {len(found)} new people, {count} backbones each."
        f" The frozen weights {'stayed' if frozen else '**did not stay**'} as they were, to the"
        " bit.\n\n"
        + table(("learnt from", "scored on", "before", "after", "change"), rows)
        + "\n\n"
        + table(
            ("person", "before", "after, own rows", "after, own and old", "rows of the person"),
            each,
        )
    )


def _seeds(found: dict[str, list[dict[str, Any]]]) -> range:
    return range(min(map(len, found.values())))


def _told(values: list[float]) -> str:
    return f"{np.mean(values):.1f} ± {spread(values):.1f}"
