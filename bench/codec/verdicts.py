"""Each thing that must hold, and whether it does."""

from typing import Any

__all__ = ["verdicts"]

GAPS = {"2048": (3.5, 1.5), "8192": (1.5, 0.5), "32768": (1.0, 0.2)}  # must, aim: points


def verdicts(told: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of (row, found, must, aim); must and aim are None where nothing was measured."""
    rows = [_random(told["against random"]), _k_means(told["against k-means"])]
    rows += [_unseen(told["unseen"]), *_gaps(told["gaps"])]
    rows += [_memory(told["memory"]), _fit(told["fit"]), _paper(told["paper"])]
    return rows


def _row(row: str, found: str, must: bool | None, aim: bool | None) -> dict[str, Any]:
    return {"row": row, "found": found, "must": must, "aim": aim}


def _random(a: dict[str, Any]) -> dict[str, Any]:
    row = "random and stratified rows: never surely below; aim: above in 95 % of the cells"
    if not a["cells"]:
        return _row(row, "not measured", None, None)
    below = [where for where, *_ in a["sure below"]]
    found = f"{len(below)} of {a['cells']} surely below, {a['above']} above" + _list(below)
    return _row(row, found, not below, a["above"] >= 0.95 * a["cells"])


def _k_means(a: dict[str, Any]) -> dict[str, Any]:
    row = (
        "weighted k-means at its best bits: not surely below in 90 % of the cells; aim: surely"
        " above in 75 %"
    )
    if not a["cells"]:
        return _row(row, "not measured", None, None)
    below = [where for where, *_ in a["sure below"]]
    found = f"{len(below)} of {a['cells']} surely below, {a['sure above']} surely above"
    must = len(below) <= 0.1 * a["cells"]
    return _row(row, found + _list(below), must, a["sure above"] >= 0.75 * a["cells"])


def _list(below: list[str]) -> str:
    return f" (below: {'; '.join(below)})" if below else ""


def _unseen(found: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    row = "a class, person or batch not seen: within 2 points of no projection; aim: no loss"
    apart = {name: each["difference"] for name, each in found.items() if "difference" in each}
    if not apart:
        return _row(row, "not measured", None, None)
    text = ", ".join(f"{name} {mean:+.1f}" for name, (mean, *_) in apart.items())
    must = all(mean >= -2 for mean, *_ in apart.values())
    return _row(row, text, must, all(high >= 0 for *_, high in apart.values()))


def _gaps(gaps: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    rows = []
    for budget, (must, aim) in GAPS.items():
        row = f"mean gap to all rows, tabular and sensor sets, {int(budget) // 1024} KiB"
        row += f": <= {must} points; aim: <= {aim}"
        found = {task: by[budget] for task, by in gaps.items() if budget in by}
        if not found:
            rows.append(_row(row, "not measured", None, None))
            continue
        text = ", ".join(f"{task} {gap:.2f}" for task, gap in found.items())
        gap = found["both"]
        rows.append(_row(row, text, gap <= must, gap <= aim))
    return rows


def _memory(rows: list[dict[str, Any]]) -> dict[str, Any]:
    row = "memory against rows in their narrowest type at <= 1 point lost: 10x on 12 sets; aim:"
    row += " 100x on five"
    if not rows:
        return _row(row, "not measured", None, None)
    ratios = [each.get("ratio", 0) for each in rows]
    ten, hundred = sum(r >= 10 for r in ratios), sum(r >= 100 for r in ratios)
    found = f"10x on {ten} of {len(rows)} sets, 100x on {hundred}"
    return _row(row, found, ten >= 12, hundred >= 5)


def _fit(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    row = "seconds to make as many rows as MiniBatchKMeans per class: <= 1/5; aim: <= 1/20"
    if not found:
        return _row(row, "not measured", None, None)
    text = ", ".join(f"{name} 1/{cell['score']:.1f}" for name, cell in found.items())
    least = min(cell["score"] for cell in found.values())
    return _row(row, text, least >= 5, least >= 20)


def _paper(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    row = "California housing, 92 representatives: above random and k-means; aim: within 0.02 R2 of"
    row += " all rows"
    if not {"ours", "random 8", "k-means", "all"} <= found.keys():
        return _row(row, "not measured", None, None)
    mean = {method: cell["mean"] / 100 for method, cell in found.items()}
    text = ", ".join(f"{method} {value:.3f}" for method, value in mean.items())
    must = mean["ours"] > max(mean["random 8"], mean["k-means"])
    return _row(row, text, must, mean["ours"] >= mean["all"] - 0.02)
