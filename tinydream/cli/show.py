"""Tables, progress and JSON; silent where there is no terminal to watch."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tinydream.report import Report
from tinydream.stages import Trained
from tinydream.store import Store
from tinydream.training import Metrics

__all__ = [
    "compressed",
    "console",
    "counting",
    "kept",
    "line",
    "projection",
    "report",
    "sheet",
    "stages",
    "trained",
    "training",
    "working",
]

console = Console(highlight=False, soft_wrap=True)
watched = Console(stderr=True, highlight=False)


def line(text: str) -> None:
    console.print(escape(text))


def _json(content: Any) -> None:
    print(json.dumps(content, indent=2))


def sheet(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """A table of names and values."""
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", show_header=False, box=None
    )
    table.add_column(style="dim")
    table.add_column()
    for name, value in rows:
        table.add_row(escape(name), escape(value))
    console.print(table)


def _bytes(count: int) -> str:
    return f"{count:,} B"


# ---- progress: on standard error, and only where somebody looks ----


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner while something takes long."""
    with watched.status(what) if watched.is_terminal else _nothing():
        yield


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _valid(m: Metrics) -> str:
    return f"  validation loss {m.valid_loss:.4f}" if m.valid_rows else ""


@contextmanager
def training(silent: bool) -> Iterator[Callable[[Metrics], None]]:
    """One line that follows the epochs."""
    if silent or not watched.is_terminal:
        yield lambda metrics: None
        return
    with watched.status("train") as status:
        yield lambda m: status.update(
            f"epoch {m.epoch}  loss {m.loss:.4f}  drawn rows right {m.accuracy:.1%}{_valid(m)}"
        )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of what is done, of how many."""
    if not watched.is_terminal:
        yield lambda done, of: None
        return
    columns = (SpinnerColumn(), TextColumn(what), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=watched, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


@contextmanager
def stages(seeds: int) -> Iterator[Callable[[int, str], None]]:
    """A bar of stages done, over all seeds."""
    if not watched.is_terminal:
        yield lambda seed, stage: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=watched, transient=True) as progress:
        tasks = [progress.add_task(f"seed {seed}", total=None) for seed in range(seeds)]

        def tell(seed: int, stage: str) -> None:
            done = stage == "done"
            total = 1 if done else None
            progress.update(
                tasks[seed], description=f"seed {seed}  {stage}", total=total, completed=int(done)
            )

        yield tell


# ---- tables ----


def compressed(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return _json(facts)
    size, raw = facts["representative_bytes"], facts["raw_bytes"]
    dropped = facts["features"] - facts["kept"]
    kind = "classes" if facts["classes"] else "targets"
    told = facts[kind]
    constant = f", {dropped} constant ones dropped" if dropped else ""
    rows = [
        ("rows", f"{facts['rows']:,} to train on, {facts['heldout']:,} held out"),
        ("features", f"{facts['features']}{constant}"),
        (kind, ", ".join(told[:12]) + (" ..." if len(told) > 12 else "")),
        ("raw", f"{_bytes(raw)} as {facts['raw_dtype']}"),
        ("representatives", f"{facts['representatives']:,} of {facts['row_bits']} bits"),
        ("bytes", f"{_bytes(size)}, all counted: 1/{raw / size:.1f} of raw"),
    ]
    sheet("compressed", rows)
    line(projection(facts))
    for note in facts["notes"]:
        line(f"note: {note}")


def projection(facts: dict[str, Any]) -> str:
    """What `compress` chose to store of the inputs, and why, in a line."""
    inputs, of = facts["inputs"], facts["scaled_inputs"]
    if not facts["trials"]:
        asked = facts["options"]["projection"] == "none"
        why = "as asked" if asked else "too few rows, or bytes, to try one"
        return f"projection: none, {why}; all {of} inputs"
    chosen, trials = facts["trials"][facts["chosen"]]["candidate"], facts["trials"]
    tried = {tuple(t["candidate"].values()): t for t in reversed(trials)}  # the first model's
    best, rows = tried.pop(tuple(chosen.values())), trials[0]["rows"]
    score = f"{best['score']:.3f}"
    on = f"on {rows:,} held-out rows"
    if chosen["kind"] != "none":
        plain = [t["score"] for t in tried.values() if t["candidate"]["kind"] == "none"]
        against = f" against {plain[0]:.3f} without" if plain else ""
        text = f"{chosen['kind']}, {inputs} of {of} inputs, {chosen['bits']} bits"
        return f"projection: {text}: {score}{against}, {on}"
    if not tried:
        return f"projection: none; all {of} inputs: {score}, {on}"
    rival = max(tried.values(), key=lambda t: t["score"])
    other = (
        f"{rival['score']:.3f} with {rival['candidate']['kind']} of {rival['candidate']['rank']}"
    )
    return f"projection: none; all {of} inputs: {score} against {other}, {on}"


def trained(result: Trained, place: Path, as_json: bool) -> None:
    metrics = result.metrics
    if as_json:
        step = {"step_ticks": result.step_ticks, "tick_unit": result.tick_unit}
        return _json({"port": result.port, "seconds": result.seconds, **step, **asdict(metrics)})
    rows = [
        ("port", result.port),
        ("epochs", f"{metrics.epoch}, {metrics.step:,} updates"),
        ("loss", f"{metrics.loss:.4f} over the drawn rows of the last epoch"),
        *_validation(metrics),
        ("seconds", f"{result.seconds:.2f}"),
        *_step(result),
        ("weights", f"{place}, CRC verified"),
    ]
    sheet("trained", rows)


def _validation(m: Metrics) -> list[tuple[str, str]]:
    if not m.valid_rows:
        return []
    right = f", {m.valid_correct} right" if m.correct else ""
    told = f"{m.valid_loss:.4f} over {m.valid_rows} rows{right}; the least was in epoch {m.best}"
    return [("validation loss", told)]


def _step(result: Trained) -> list[tuple[str, str]]:
    """One row, or none for a port without a clock."""
    if result.step_ticks is None:
        return []
    return [("a step", f"{result.step_ticks:,.0f} {result.tick_unit}, on average")]


def _spread(values: list[float], metric: str) -> str:
    if not values:
        return "not trained: the table is gone or has changed"
    form = ".3f" if metric == "r2" else ".2%"
    text = f"{mean(values):{form}}"
    more = f" +- {stdev(values):{form}} over {len(values)} seeds" if len(values) > 1 else ""
    return text + more


def kept(store: Store, place: Path) -> str:
    """What a store of the whole table takes, in a sentence."""
    size, raw = place.stat().st_size, store.raw_nbytes
    return f"all {len(store):,} rows are in {place}, lossless: {_bytes(size)} of {_bytes(raw)}"


def report(made: Report, place: Path, as_json: bool) -> None:
    if as_json:
        return _json(made.as_dict())
    equal = "trained by Keras"
    if made.weights_equal is not None:
        equal = f"device == simulator: {'yes' if made.weights_equal else 'NO'}"
    metric = "R2" if made.metric == "r2" else made.metric
    ratio = made.raw_bytes / made.representative_bytes
    rows = [
        ("board, port", f"{made.board}, {made.port}"),
        ("rows", f"{made.rows:,} x {made.features}, {_bytes(made.raw_bytes)} as {made.raw_dtype}"),
        (
            "representatives",
            f"{made.representatives:,}, {_bytes(made.representative_bytes)}: 1/{ratio:.1f}",
        ),
        (f"{metric}, device", _spread(made.accuracy["device"], made.metric)),
        ("  all rows", _spread(made.accuracy["all_rows"], made.metric)),
        ("  random rows, same bytes", _spread(made.accuracy["random_rows"], made.metric)),
        ("arena", _bytes(made.arena_bytes)),
        ("constants in flash", _bytes(made.flash_bytes)),
        (
            "weights",
            f"CRC-32 {made.weights_crc32}, {equal}",
        ),
        ("seconds", "  ".join(f"{stage} {value:.1f}" for stage, value in made.seconds.items())),
    ]
    sheet("tinydream", rows)
    line(f"report: {place.with_suffix('.html')}, and {place}")
