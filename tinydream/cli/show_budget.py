"""Tables and JSON of what a plan needs on boards, and of a search."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tinydream.budget import Use, stack_lacks
from tinydream.cli.show import console, line
from tinydream.plan import Plan
from tinydream.saving import keeping
from tinydream.search import Found
from tinydream.sizing import Sized

__all__ = ["every", "facts", "notes", "one", "planned", "regions", "searched"]


def every(found: Sequence[Sized], as_json: bool) -> None:
    """One line a board, and one more for each that is too small."""
    if as_json:
        return print(json.dumps([facts(each) for each in found], indent=2))
    table = _table("board", "RAM", "of", "flash", "of", "fits")
    for each in found:
        cells: list[str] = []
        for name in ("ram", "flash"):
            use = _use(each, name)
            cells += [f"{use.need:,}", f"{use.have:,}{each.board.mark_usable(name)}"]
        table.add_row(each.board.id, *cells, "[green]yes[/]" if each.fits else "[red]no[/]")
    console.print(table)
    for each in found:
        if not each.fits:
            line(_verdict(each))
    if any(each.board.unverified for each in found):
        line("?: a number that nobody has read where its source says")
    line("flash holds an estimate of the code; `tinydream budget --board B` tells each part")


def _verdict(sized: Sized) -> str:
    """By how much a plan does not fit, and what would make it fit."""
    short = {use.region: use.over for use in sized.uses}
    short["stack"] = stack_lacks(sized.plan, sized.board)
    over = " and ".join(f"{n:,} B of {name}" for name, n in short.items() if n)
    ways = " or ".join(change.options for change in sized.changes)
    how = f"it fits with {ways}" if ways else "no change that was tried makes it fit"
    if short["stack"]:
        how = "raise stack_bytes in its file"
    return f"{sized.board.id} lacks {over}; {how}"


def one(sized: Sized, as_json: bool) -> None:
    """Everything about one board."""
    if as_json:
        return print(json.dumps(facts(sized), indent=2))
    regions(sized)
    notes(sized)
    if not sized.fits:
        line(_verdict(sized))


def planned(sized: Sized, found: Found | None, as_json: bool) -> None:
    """A plan that was just made; found: by which search."""
    plan = sized.plan
    if as_json:
        told = {"digest": plan.digest.hex(), **facts(sized)}
        return print(json.dumps(told | ({"search": asdict(found)} if found else {}), indent=2))
    if found:
        searched(found)
    if plan.windows:
        _layers(plan)
    regions(sized)
    notes(sized)
    storage = sized.board.storage
    if storage and (kept := keeping(plan, storage)):
        line(kept.words(sized.board.mark("storage, endurance")))
    rows = f"{plan.tile} row{'s' * (plan.tile > 1)} at a time"
    arena = f"arena {plan.arena_bytes:,} B"
    line(f"plan {plan.digest.hex()}: {plan.parameters:,} weights, {arena}, {rows}")
    if again := [x for x in plan.operations if x.again]:
        more = sum(x.products for x in again) / max(1, sum(x.products for x in plan.operations))
        line(f"outputs of {len(again)} layers are computed again: {more:.0%} of a forward pass")


def _layers(plan: Plan) -> None:
    """Each operation: its outputs, and what it costs; bytes: of all that training keeps of it,
    or holds for a while where outputs are computed again."""
    table = _table("layer", "outputs", "weights", "multiply-adds", "bytes")
    kept = 1 + plan.gradients + plan.optimizer.state + plan.keep_best
    for x in plan.operations:
        numbers = x.parameters + (kept - 1) * x.moving + plan.slice * x.outputs
        w = x.window
        shape = f"{w.out_height}x{w.out_width}x{w.filters}" if w else str(x.outputs)
        counts = (x.parameters, x.products, 4 * numbers)
        name = x.kind.replace("_", " ") + (", again" if x.again else "")
        table.add_row(name, shape, *map(_number, counts))
    console.print(table)


def regions(sized: Sized) -> None:
    """A table of parts for each region: planned and, where they are known, linked and observed."""
    for use in sized.uses:
        linked = sized.linked.get(use.region, {})
        seen = sized.observed if use.region == "ram" else {}
        known = {"linked": linked, "observed": seen}
        columns = {head: sizes for head, sizes in known.items() if sizes}
        heads = ("part", "planned", *columns, "")
        table = _table(*heads)
        table.title = f"{sized.board.id}: {use.region}"
        table.title_justify, table.title_style = "left", "bold"
        for name, planned, note in _rows(sized, use):
            real = [_number(sizes.get(name)) for sizes in columns.values()]
            mark = sized.board.mark("stack_bytes") if name == "stack" else ""
            table.add_row(name, _number(planned) + mark, *real, note)
        console.print(table)


def _rows(sized: Sized, use: Use) -> Iterator[tuple[str, int | None, str]]:
    plan, board, parts = sized.plan, sized.board, sized.parts[use.region]
    for name, count in parts.items():
        yield name, count, _note(sized, name)
        if name == "activations":
            yield "arena", None, f"{plan.arena_bytes:,} in all so far"
    if reserved := board.region(use.region).reserved:
        mark = board.mark(f"region {use.region}, reserved")
        yield "reserved", None, f"{reserved:,}{mark} beside are not ours"
    share = f"{use.need / use.have:.1%} of {use.have:,}{board.mark_usable(use.region)}"
    yield "[bold]in all", use.need, share


def _note(sized: Sized, part: str) -> str:
    if part == "code":
        return "estimate"
    if part == "stack" and sized.stack:
        return f"at most {sized.stack.value:,} used: {sized.stack.source}"
    return ""


def notes(sized: Sized) -> None:
    """Time and energy of an epoch, in a line."""
    if sized.pace:
        line(sized.pace.words(sized.board))


def facts(sized: Sized) -> dict[str, Any]:
    """The same as JSON."""
    memory = {
        use.region: {
            "need": use.need,
            "have": use.have,
            "over": use.over,
            "reserved": sized.board.region(use.region).reserved,
            "parts": dict(sized.parts[use.region]),
            "linked": dict(sized.linked.get(use.region, {})) or None,
            "observed": (dict(sized.observed) or None) if use.region == "ram" else None,
            "buffers": [asdict(buffer) for buffer in use.buffers],
        }
        for use in sized.uses
    }
    return {
        "board": sized.board.id,
        "fits": sized.fits,
        "tile": sized.plan.tile,
        "memory": memory,
        "stack_bound": asdict(sized.stack) if sized.stack else None,
        "epoch": asdict(sized.pace) if sized.pace else None,
        "changes": [change.options for change in sized.changes],
        "unverified": list(sized.board.unverified),
    }


def searched(found: Found) -> None:
    """What a search tried, in its order."""
    table = _table("hidden", "by", "batch", "bytes", "bits", "rows", "RAM", "flash", "score")
    for i, trial in enumerate(found.trials):
        score = f"{trial.over:,} B over" if trial.score is None else f"{trial.score:.4f}"
        table.add_row(
            ",".join(map(str, trial.hidden)),
            *(
                trial.optimizer,
                str(trial.batch),
                f"{trial.budget_bytes:,}",
                str(trial.bits or "auto"),
            ),
            *(f"{trial.representatives:,}", f"{trial.ram:,}", f"{trial.flash:,}"),
            score + (" <- taken" if i == found.chosen else ""),
        )
    console.print(table)
    line(f"scores are of {found.rows:,} training rows that were kept back, after short trainings")


def _use(sized: Sized, region: str) -> Use:
    return next(use for use in sized.uses if use.region == region)


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold")
    for i, column in enumerate(columns):
        words = i == 0 or column in ("", "fits")
        table.add_column(column, justify="left" if words else "right", no_wrap=bool(column))
    return table
