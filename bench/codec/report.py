"""The figures as a page: tables, what must hold and whether it does, and the command."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.codec.cells import Cells, core_stamp, stamp
from bench.codec.figures import Figures
from bench.codec.pictures import draw
from bench.codec.sets import SETS
from bench.codec.suite import BUDGETS, CNN_MISSING, CNN_SET, FEWER, PAPER_ROWS, SEEDS
from bench.codec.units import METHODS
from bench.codec.verdicts import verdicts

__all__ = ["figures", "markdown", "write_results"]

COMMAND = "scripts/bench codec"
RANDOM = ("random 8", "random", "stratified 8", "stratified")


def figures(names: Sequence[str], quick: bool, cells: Cells) -> dict[str, Any]:
    """Everything that the cells tell, ready for JSON."""
    made = Figures(names, FEWER if quick else SEEDS, cells)
    told: dict[str, Any] = {
        "schema": "tinydream.bench.codec/1",
        "command": f"{COMMAND}{' --quick' if quick else ''}",
        "codec": stamp(True),
        "core": core_stamp(),
        "updates": {name: SETS[name].steps for name in names},
        "table": made.table(),
        "means": {task: made.means(task) for task in ("classification", "regression")},
        "against random": made.against(RANDOM),
        "against k-means": made.against(["k-means"]),
        "against the rival": made.against(["rival"]),
        "against all rows": made.against(["all"]),
        "not winning": made.not_winning(),
        "gaps": made.gaps(),
        "memory": made.memory(),
        **made.smaller(),
    }
    told["verdicts"] = verdicts(told)
    return told


def write_results(folder: Path, told: dict[str, Any]) -> None:
    """codec.md, and a picture a set under codec/."""
    pictures = folder / "codec"
    pictures.mkdir(parents=True, exist_ok=True)
    for name, svg in draw(told["table"]).items():
        (pictures / f"{name}.svg").write_text(svg, encoding="utf-8")
    page = markdown(told) + "\n## Pictures\n\n![accuracy against bytes](codec/pareto.svg)\n"
    (folder / "codec.md").write_text(page, encoding="utf-8")


def markdown(told: dict[str, Any]) -> str:
    """The page as text."""
    parts = [HEAD.format(command=told["command"])]
    for title, body in (
        ("What must hold", _verdicts(told["verdicts"])),
        ("Means", _means(told["means"])),
        ("By set", _by_set(told["table"])),
        ("Where we do not win", _not_winning(told)),
        ("Memory", _memory(told["memory"])),
        ("Options", _ablation(told["ablation"])),
        ("Labels that are wrong", _nested(told["noise"], "share")),
        ("Other learners", _nested(told["learners"], "learner")),
        (f"A convolutional network on {CNN_SET}", _cnn(told["cnn"])),
        ("What the codec has not seen", _unseen(told["unseen"])),
        (f"California housing, {PAPER_ROWS} representatives", _paper(told["paper"])),
        ("Seconds to fit", _fit(told["fit"])),
    ):
        if body:
            parts.append(f"## {title}\n\n{body}")
    return "\n\n".join(parts) + "\n"


HEAD = """# Representatives beside everything else at equal bytes

Made by `{command} --write`. Points: share of test rows right in %, or R2 x 100 (below 0 counts
as 0). Each method: the same 32-unit network on the C core, as many updates (twice as many gain
all rows less than a point), Adam at a rate of 0.001, 0.003 or 0.01, the last quarter of the
updates at a tenth. Rate and bits are chosen on held-out training rows: whole persons or units
where a set names them. Seeds are paired and decide initial weights, order, deviations, and
how a method makes its rows: which rows or clusters are drawn, and on which rows and with which
first weights EntroGeDe makes its choices. ± and "sure" are 95 % (Student). Bytes are all that the
device holds for the data: rows, labels, weights, grids, scales, and a projection. A method whose
first row does not fit scores as the most frequent class, or the mean, does. Of more than 20,000
test rows 20,000 are scored.

k-means is seeded in eight rounds, ends with ten passes of Lloyd's, and leaves less error than
MiniBatchKMeans; its clusters are drawn as often as they weigh, as ours are. Stratified rows of
numbers are one of each slice by target. The rival is the network trained on all rows, at 4, 8 or
32 bits a weight, with as many hidden units as fit."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _kib(budget: int | str) -> str:
    budget = int(budget)
    return f"{budget // 1024} KiB" if budget >= 1024 else f"{budget} B"


def _verdicts(rows: list[dict[str, Any]]) -> str:
    marks = {True: "yes", False: "**no**", None: "-"}
    made = [[r["row"], r["found"], marks[r["must"]], marks[r["aim"]]] for r in rows]
    return table(["", "measured", "must", "aim"], made)


def _means(means: dict[str, dict[str, dict[str, float]]]) -> str:
    parts = []
    for task, by_method in means.items():
        if not by_method:
            continue
        names = list(by_method["sets"])
        rows = [
            [METHODS[m].text, *(f"{by_budget[str(b)]:.1f}" for b in BUDGETS)]
            for m, by_budget in by_method.items()
            if m != "sets"
        ]
        parts.append(f"{task.capitalize()}: {len(names)} sets ({', '.join(names)}).")
        parts.append(table(["method", *map(_kib, BUDGETS)], rows))
    return "\n\n".join(parts)


def _by_set(sets: dict[str, dict[str, dict[str, Any]]]) -> str:
    present = [m for m in METHODS if any(m in row for by in sets.values() for row in by.values())]
    rows = []
    for name, by_budget in sets.items():
        for budget, row in by_budget.items():
            cells = [_points(row.get(m), m == "k-means") for m in present]
            size = f"{row['ours']['rows']}" if "ours" in row else ""
            time = f"{row['ours']['seconds']:.1f}" if "ours" in row else ""
            rows.append([name, _kib(budget), *cells, size, time])
    return table(["set", "", *present, "rows of ours", "seconds of ours"], rows) + (
        "\n\nRows and seconds: of the first seed; read, compress and train, of one core's time. In"
        " brackets: bits of k-means."
    )


def _points(cell: dict[str, Any] | None, bits: bool = False) -> str:
    if cell is None:
        return ""
    return f"{cell['mean']:.1f}±{cell['interval']:.1f}" + (f" ({cell['bits']})" if bits else "")


def _not_winning(told: dict[str, Any]) -> str:
    rows = [[n, _kib(b), peer, f"{apart:+.1f}"] for n, b, peer, apart in told["not winning"]]
    rival = told["against the rival"]
    text = (
        f"The network trained on all rows and shipped in the same bytes is surely ahead of ours in"
        f" {len(rival['sure below'])} of {rival['cells']} cells, surely behind in"
        f" {rival['sure above']}. It cannot be trained on from: it holds no data. The best of all"
        " others, where its mean is above ours:"
    )
    return text + "\n\n" + table(["set", "", "best", "ours less it"], rows)


def _memory(rows: list[dict[str, Any]]) -> str:
    made = []
    for r in rows:
        found = ["", "", "never"]
        if "ratio" in r:
            found = [f"{r['bytes']:,}", f"{r['lost']:.2f}", f"{r['ratio']:.0f}x"]
        made.append([r["set"], f"{r['raw']:,} ({r['dtype']})", *found])
    head = ["set", "bytes of all rows", "bytes of ours", "points lost", "ratio"]
    text = "The smallest of 512 B to 32 KiB at which no more than 1 point is lost on test rows."
    return f"{text}\n\n{table(head, made)}" if rows else ""


def _ablation(by_budget: dict[str, dict[str, dict[str, float]]]) -> str:
    rows, sets = [], sorted({n for b in by_budget.values() for o in b.values() for n in o})
    for budget, by_option in by_budget.items():
        for option, found in by_option.items():
            cells = [f"{found[n]:+.1f}" if n in found else "" for n in sets]
            mean = sum(found.values()) / len(found)
            rows.append([option, _kib(budget), *cells, f"{mean:+.1f}"])
    if not rows:
        return ""
    return "Points against the defaults.\n\n" + table(["option", "", *sets, "mean"], rows)


def _nested(found: dict[str, dict[str, dict[str, float]]], what: str) -> str:
    methods = [m for m in METHODS if any(m in r for by in found.values() for r in by.values())]
    rows = [
        [name, key, *(f"{row[m]:.1f}" if m in row else "" for m in methods)]
        for name, by_key in found.items()
        for key, row in by_key.items()
        if row
    ]
    if len(rows) <= len(found):  # nothing but what stands in the table above
        return ""
    return "At 8 KiB.\n\n" + table(["set", what, *methods], rows)


def _cnn(found: dict[str, dict[str, float]]) -> str:
    """By budget and method; empty where the set was not asked for."""
    if not any(found.values()):
        return f"{CNN_MISSING}, or a run without --quick." if found else ""
    methods = list(dict.fromkeys(m for row in found.values() for m in row))
    rows = [
        [_kib(b) if int(b) else "no limit", *(f"{r[m]:.1f}" if m in r else "" for m in methods)]
        for b, r in found.items()
        if r
    ]
    told = "By Keras: conv 8 and 16, 3x3, stride 2, and a dense layer; as many updates as above.\n"
    told += "Projected rows, and the images scored, are brought back to pixels. Pixels: ours\n"
    told += "without a projection, deviations in a Haar transform.\n\n"
    return told + table(["", *methods], rows)


def _unseen(found: dict[str, dict[str, list[float]]]) -> str:
    rows = []
    for name, row in found.items():
        cells = [f"{v[0]:.1f}±{v[1]:.1f}" for k, v in row.items() if k != "difference"]
        low_high = row.get("difference")
        apart = f"{low_high[0]:+.1f} ({low_high[1]:+.1f}..{low_high[2]:+.1f})" if low_high else ""
        rows.append([name, *cells, apart])
    if not rows:
        return ""
    first = next(iter(found.values()))
    head = ["set", *(f"projection {k}" for k in first if k != "difference"), "difference"]
    text = (
        "One class (or person, or batch, where the set names them) is held out of compression; then"
        " up to 100 of its rows are appended as the device would, and all are trained on, at 8 KiB."
        " Scored: all test rows, or the other half of that person's or batch's rows."
    )
    return f"{text}\n\n{table(head, rows)}"


def _paper(found: dict[str, dict[str, Any]]) -> str:
    rows = [
        [METHODS[m].text, f"{c['mean'] / 100:.3f}±{c['interval'] / 100:.3f}", f"{c['nbytes']:,}"]
        for m, c in found.items()
    ]
    return table(["method", "R2", "bytes"], rows) if rows else ""


def _fit(found: dict[str, dict[str, Any]]) -> str:
    def ratio(c: dict[str, Any]) -> str:
        return f"{c['score']:.1f}, {c['k-means'] / c['default']:.1f} with all choices"

    rows = [
        [n, str(c["rows"]), *(f"{c[k]:.2f}" for k in ("ours", "default", "k-means")), ratio(c)]
        for n, c in found.items()
    ]
    head = ["set", "rows", "ours", "with all choices", "MiniBatchKMeans", "times faster"]
    told = "Seconds at 8 KiB, all cores. Ours: as many rows without a choice of projection and\n"
    told += "model, which k-means has none of; k-means per class, 30 iterations.\n\n"
    return told + table(head, rows) if rows else ""
