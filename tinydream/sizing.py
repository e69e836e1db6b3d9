"""What the run's plan would need on any board, what it was linked to, and a better one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tinydream import source, stages
from tinydream.board import Board
from tinydream.budget import (
    Change,
    Estimate,
    Pace,
    Use,
    budget,
    changes,
    estimate_pace,
    fitted,
    parts,
    stack_bound,
    stack_lacks,
)
from tinydream.codec import EntroGeDe
from tinydream.errors import RunError
from tinydream.network import SGD, Adam
from tinydream.plan import Plan
from tinydream.report.elf import Linked, read_elf
from tinydream.run import Run
from tinydream.search import Found, search

__all__ = ["Sized", "linked_parts", "recompress", "run_search", "run_size", "size"]


@dataclass(frozen=True)
class Sized:
    """A plan on a board: need and have by region, estimates, and changes that make it fit.

    plan: as that board would have it, be it with one row at a time. parts: bytes by what they are
    for, by region. linked: the same as the linker had it, where the run has been built for this
    board; observed: of RAM, what the device told after a training. stack, pace: None where nothing
    is known of the core.
    """

    plan: Plan
    board: Board
    uses: tuple[Use, ...]
    parts: Mapping[str, Mapping[str, int]]
    linked: Mapping[str, Mapping[str, int]]
    observed: Mapping[str, int]
    stack: Estimate | None
    pace: Pace | None
    changes: tuple[Change, ...]

    @property
    def fits(self) -> bool:
        return not (any(use.over for use in self.uses) or stack_lacks(self.plan, self.board))


def size(
    plan: Plan,
    board: Board,
    linked: Linked | None = None,
    observed: Mapping[str, int] = MappingProxyType({}),
) -> Sized:
    """What the plan would take on this board, for which it need not have been made."""
    plan = fitted(plan, board)
    uses = budget(plan, board)
    return Sized(
        plan,
        board,
        uses,
        {use.region: parts(plan, use, board) for use in uses},
        {use.region: linked_parts(linked, plan, use) for use in uses} if linked else {},
        observed,
        stack_bound(plan, board),
        estimate_pace(plan, board),
        tuple(changes(plan, board)),
    )


def run_size(run: Run, board: Board | None = None, plan: Plan | None = None) -> Sized:
    """The run's plan on its own board, with what was linked, or on another one.

    plan: instead of the run's own, which need not be there then.
    """
    if plan is not None and board is not None:
        return size(plan, board)
    made = run.plan()
    own = run.board(made)
    if board is not None and board.text != own.text:
        return size(made, board)
    try:
        linked = read_elf(run.program(made).read_bytes()) if own.port != "native" else None
    except (RunError, OSError):  # not built, or from another plan
        linked = None
    return size(made, own, linked, run.observed(made))


def linked_parts(linked: Linked, plan: Plan, use: Use) -> dict[str, int]:
    """A region's bytes as linked: 'arena', 'node' and 'stack'; or tables as `parts` calls them.

    Flash that is no table of the plan is 'code'.
    """
    if use.region == "ram":
        symbols = {"arena": "arena", "node": "node", "stack": ".stack"}
        found = {part: linked.parts.get(name, 0) for part, name in symbols.items()}
        return found | {"port": linked.ram - sum(found.values())}
    tables = sum(buffer.bytes for buffer in use.buffers if buffer.name != "code")
    return {"code": linked.flash - tables}


# ---- a better plan ----


def run_search(
    run: Run,
    board: Board,
    optimizer: SGD | Adam,
    *,
    activation: str = "relu",
    tell: Callable[[int, int], Any] = lambda done, of: None,
) -> Found:
    """`search` on the run's table; raises RunError when that is gone or has changed."""
    facts = run.read_json("compress.json", "source", "options")
    data = source.load_again(run, facts["source"])
    if data is None:
        raise _gone(facts)
    codec = EntroGeDe(**facts["options"])
    return search(data, board, codec=codec, optimizer=optimizer, activation=activation, tell=tell)


def recompress(run: Run, found: Found) -> bool:
    """Condense anew as the search found best; whether that was needed."""
    facts = run.read_json("compress.json", "source", "options")
    options, best = facts["options"], found.best
    changed = {"budget_bytes": best.budget_bytes, "representatives": None}
    changed |= {"bits": best.bits} if best.bits else {}
    if all(options[name] == value for name, value in changed.items()):
        return False
    told = facts["source"]
    data = source.load_table(told)
    if data is None:
        raise _gone(facts)
    stages.compress(run, data, EntroGeDe(**options | changed), told["seed"], told["validation"])
    return True


def _gone(facts: Mapping[str, Any]) -> RunError:
    return RunError(
        f"{facts['source']['path']} is gone or has changed, and a search needs its rows;"
        " run `tinydream compress` again"
    )
