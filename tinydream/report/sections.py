"""What each section of the page says: evidence in, plain values and drawings out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import numpy as np
from markupsafe import Markup

from tinydream.budget import Use, budget, estimate_pace
from tinydream.report import draw
from tinydream.report.elf import Linked
from tinydream.report.evidence import Evidence
from tinydream.report.portraits import picture_shape
from tinydream.saving import keeping

__all__ = ["comparison", "entropy", "heldout", "learning", "memory", "network", "score"]

BAND = 64  # features in a row of the entropy map
CELLS = 16_384  # bits that the map shows at most
NAMED = 40  # more features than that lose their names in the map
TABLE = 30  # more classes than that are no table
PAIRS = 12
POINTS = 500
COLOURS = 7  # of buffers, m1..m7; the stack is m8, grey

# buffers whose symbol in the program has another name
SYMBOLS = {"names": "", "plan": "td_plan", "stack": ".stack"}

RIVALS = (
    ("all_rows", "all rows", "other"),
    ("device", "device", "own"),
    ("random_rows", "random rows, as many bytes", "other"),
)


def score(evidence: Evidence, values: Sequence[float]) -> str:
    """A mean in words: a share of rows, or R2 in a regression; '' of nothing."""
    if not values:
        return ""
    return f"{mean(values):.3f}" if evidence.regression else f"{100 * mean(values):.1f} %"


def spread(evidence: Evidence, values: Sequence[float]) -> str:
    """Standard deviation over seeds, in words; '' for one seed."""
    if len(values) < 2:
        return ""
    sd = stdev(values)
    return f"± {sd:.3f}" if evidence.regression else f"± {100 * sd:.1f}"


def network(evidence: Evidence) -> str:
    """The network in a line: 61 → 32 → 10."""
    made = evidence.plan.operations  # type: ignore[union-attr]
    return " → ".join(map(str, [made[0].inputs, *(layer.outputs for layer in made)]))


# ---- entropy ----


@dataclass(frozen=True)
class Strip:
    """One drawing of the entropy map, and what it is of."""

    name: str
    bits: int
    image: Markup


def entropy(evidence: Evidence) -> dict[str, Any] | None:
    """The map as planes of a picture, as a line for each feature, or in bands of features."""
    told, plan = evidence.entropy, evidence.plan
    if told is None or plan is None or len(told.bits) != len(plan.features):
        return None
    most = told.values.shape[1]
    shown = min(len(told.bits), max(1, CELLS // most))
    shape = picture_shape(plan)
    if shape and shown == len(told.bits):
        kind, strips = "planes", _planes(told.values, told.bits, shape)
    elif len(told.bits) <= NAMED:
        kind, strips = "lines", _lines(plan.features, told.values, told.bits)
    else:
        kind, strips = "bands", _bands(told.values[:shown])
    total = float(np.nansum(told.values, dtype=np.float64))
    return {
        "kind": kind,
        "strips": strips,
        "most": most,
        "shown": shown,
        "of": len(told.bits),
        "bits": int(told.bits.sum()),
        "total": total,
    }


def _planes(values: Any, bits: Any, shape: tuple[int, int]) -> list[Strip]:
    """A picture for each bit, the most significant of the widest column first."""
    most, made = values.shape[1], []
    for plane in range(most):
        # of a narrower column the same plane means the same power of two
        at = plane - (most - bits)
        cell = np.where(at >= 0, np.take_along_axis(values, np.maximum(at, 0)[:, None], 1)[:, 0], 0)
        name = f"bit {most - 1 - plane}"
        label = f"Entropy of {name} of each pixel"
        made.append(Strip(name, 1, draw.heat(cell.reshape(shape), 0, 1, label, "picture")))
    return made


def _lines(names: Sequence[str], values: Any, bits: Any) -> list[Strip]:
    label = "Entropy of each bit of {}, most significant first: {}"
    return [
        Strip(
            name,
            int(count),
            draw.heat(row[None, :], 0, 1, label.format(name, _shares(row[:count])), "line"),
        )
        for name, row, count in zip(names, values, bits, strict=True)
    ]


def _shares(row: Any) -> str:
    return " ".join(f"{value:.1f}" for value in row) or "constant"


def _bands(values: Any) -> list[Strip]:
    made = []
    for start in range(0, len(values), BAND):
        band = values[start : start + BAND]
        name = f"features {start} to {start + len(band) - 1}"
        full = np.full((values.shape[1], min(BAND, len(values))), np.nan)
        full[:, : len(band)] = band.T
        label = f"Entropy of each bit of {name}, most significant bit on top"
        made.append(Strip(name, len(band), draw.heat(full, 0, 1, label)))
    return made


# ---- memory ----


@dataclass(frozen=True)
class Part:
    """One buffer of a region: bytes as planned and, where they are known, as linked and as the
    device told them."""

    name: str
    kind: str
    planned: int | None
    linked: int | None
    life: str
    observed: int | None = None


@dataclass(frozen=True)
class RegionMap:
    """A region of the board: need and have in bytes, linked in all, its parts, two drawings."""

    name: str
    need: int
    have: int
    linked: int | None
    parts: tuple[Part, ...]
    whole: Markup
    filled: Markup


def memory(evidence: Evidence) -> list[RegionMap] | None:
    """Each region of the board, as planned and as linked."""
    if evidence.plan is None or evidence.board is None:
        return None
    found = [_region(use, evidence.linked) for use in budget(evidence.plan, evidence.board)]
    return [_observed(region, evidence.observed) for region in found]


def costs(evidence: Evidence) -> list[str]:
    """Sentences about time, energy and the life of flash; where they are known."""
    plan, board = evidence.plan, evidence.board
    if plan is None or board is None:
        return []
    pace = estimate_pace(plan, board)
    told = [pace.words(board)] if pace else []
    if board.storage and (kept := keeping(plan, board.storage)):
        told.append(kept.words(board.mark("storage, endurance")))
    return told


def _observed(region: RegionMap, sizes: Mapping[str, int]) -> RegionMap:
    """With what the device told of its RAM."""
    if region.name != "ram":
        return region
    names = {"the arena in all": "arena"}
    parts = (replace(p, observed=sizes.get(names.get(p.name, p.name))) for p in region.parts)
    return replace(region, parts=tuple(parts))


def _region(use: Use, linked: Linked | None) -> RegionMap:
    filled, parts, at = [], list[Part](), 0
    for i, buffer in enumerate(use.buffers):
        kind = "m8" if buffer.name == "stack" else f"m{i % COLOURS + 1}"
        own = buffer.bytes - buffer.shared
        filled.append((buffer.name, float(own), kind))
        inside = buffer.region == "arena"
        symbol = "" if inside else SYMBOLS.get(buffer.name, buffer.name)
        real = linked.parts.get(symbol) if linked else None
        at = at + own if inside else at
        name = f"arena: {buffer.name}" if inside else buffer.name
        life = f"{buffer.life}, {buffer.shared:,} more shared" if buffer.shared else buffer.life
        parts.append(Part(name, kind, own, real, life))
        last = i + 1 == len(use.buffers) or use.buffers[i + 1].region != "arena"
        if inside and last:
            held = linked.parts.get("arena") if linked else None
            parts.append(Part("the arena in all", "", at, held, ""))
    total = None if linked is None else linked.flash if use.region == "flash" else linked.ram
    if total is not None:
        rest = total - sum(part.linked or 0 for part in parts)
        parts.append(Part("code, libraries, texts", "", None, rest, "always"))
    free = f"{use.region}: {use.need:,} of {use.have:,} bytes planned"
    whole = draw.stack([("planned", min(use.need, use.have), "m1")], use.have, free)
    names = ", ".join(f"{name} {size:,.0f}" for name, size, _ in filled)
    label = f"{use.region}, what the plan puts there in bytes: {names}"
    return RegionMap(
        use.region, use.need, use.have, total, tuple(parts), whole,
        draw.stack(filled, use.need, label),
    )  # fmt: skip


# ---- learning ----


def learning(evidence: Evidence) -> dict[str, Any] | None:
    """Loss and, in a classification, share of drawn rows right, epoch by epoch."""
    epochs = evidence.epochs
    if not epochs:
        return None
    last, loss = epochs[-1], [each.loss for each in epochs]
    charts = [
        (
            "loss",
            draw.curve(
                loss,
                f"Loss over {len(epochs)} epochs: from {loss[0]:.3g} to {loss[-1]:.3g}",
                "epoch",
                0.0,
                max(loss),
            ),
        )
    ]
    if not evidence.regression:
        right = [100 * each.accuracy for each in epochs]
        label = f"Drawn rows right over {len(epochs)} epochs: {right[0]:.1f} to {right[-1]:.1f} %"
        low = 10 * (min(right) // 10)
        charts.append(("drawn rows right, %", draw.curve(right, label, "epoch", low, 100.0)))
    ticks = sum(each.ticks for each in epochs)
    return {"last": last, "charts": charts, "ticks": ticks // max(last.step, 1)}


# ---- held-out rows ----


def heldout(evidence: Evidence) -> dict[str, Any] | None:
    """A table of classes, or of pairs taken for each other; points in a regression."""
    rows = evidence.heldout
    if rows is None or not len(rows.truth):
        return None
    made = _points(evidence) if evidence.regression else _confusion(evidence)
    return {"rows": len(rows.truth)} | made


def _confusion(evidence: Evidence) -> dict[str, Any]:
    rows, k = evidence.heldout, len(evidence.classes)
    assert rows is not None
    count = np.zeros((k, k), int)
    np.add.at(count, (rows.truth, rows.predicted), 1)
    right = int(np.trace(count))
    if k > TABLE:
        wrong = count - np.diag(np.diag(count))
        order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
        at = [divmod(int(i), k) for i in order]
        names = evidence.classes
        pairs = [(names[a], names[b], int(wrong[a, b])) for a, b in at if wrong[a, b]]
        return {"kind": "pairs", "right": right, "pairs": pairs}
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    lines = [
        (
            name,
            list(zip(count[i].tolist(), share[i].round(3).tolist(), strict=True)),
            f"{100 * share[i, i]:.0f} %" if count[i].sum() else "",
        )
        for i, name in enumerate(evidence.classes)
    ]
    short = all(len(name) <= 3 for name in evidence.classes)
    heads = evidence.classes if short else tuple(f"{i}" for i in range(1, k + 1))
    return {"kind": "table", "right": right, "lines": lines, "heads": heads, "short": short}


def _points(evidence: Evidence) -> dict[str, Any]:
    rows = evidence.heldout
    assert rows is not None
    truth, predicted = (
        np.asarray(each, float).reshape(len(rows.truth), -1)
        for each in (rows.truth, rows.predicted)
    )
    some = np.unique(np.linspace(0, len(truth) - 1, min(POINTS, len(truth))).astype(int))
    targets = []
    for j, name in enumerate(evidence.targets[: truth.shape[1]]):
        error = predicted[:, j] - truth[:, j]
        around = float(((truth[:, j] - truth[:, j].mean()) ** 2).sum())
        r2 = 1 - float((error**2).sum()) / around if around else float("nan")
        label = f"{name}: predicted against true values of {len(some)} held-out rows, R2 {r2:.3f}"
        chart = draw.scatter(truth[some, j], predicted[some, j], label, ("true", "predicted"))
        targets.append((name, r2, float((error**2).mean() ** 0.5), chart))
    return {"kind": "points", "points": len(some), "targets": targets}


# ---- comparison ----


def comparison(evidence: Evidence) -> dict[str, Any] | None:
    """Scores over seeds, beside those of other rows; None when nothing else was trained."""
    accuracy = evidence.report.accuracy
    rows = [(name, accuracy.get(key, []), kind) for key, name, kind in RIVALS]
    rows = [row for row in rows if row[1]]
    if len(rows) < 2:
        return None
    told = [(name, score(evidence, values), spread(evidence, values)) for name, values, _ in rows]
    words = "; ".join(f"{name} {value} {around}".strip() for name, value, around in told)
    unit = "" if evidence.regression else "%"
    return {"chart": draw.dots(rows, f"Scores by seed: {words}", unit), "rows": told}
