"""The part of docs/results/core.md about learning from end to end."""

from typing import Any

from bench.core.curves import HOLD, LEVELS, PEER
from bench.core.table import table

__all__ = ["make"]

OURS = "representatives"
MUST, AIM, ENOUGH = 4, 20, 3  # times fewer instructions, on so many sets


def make(found: dict[str, Any]) -> str:
    """Markdown: one table a set, and whether what was asked for is reached."""
    parts = [_head(found), _asked(found["sets"])]
    parts += [_one(name, one) for name, one in found["sets"].items()]
    return "\n\n".join(parts)


def _head(found: dict[str, Any]) -> str:
    return (
        "## Learning, from end to end\n\n"
        "![accuracy against instructions](core-instructions.svg)\n\n"
        "![accuracy against bytes](core-bytes.svg)\n\n"
        "A network with 32 hidden units, batches of 20, on an M4F. Training ran in the simulator,"
        " whose weights are a board's to the last bit; instructions are steps times those of a"
        " step, counted under QEMU for the very network, rows and optimiser, drawing included."
        " `all rows` are drawn from flash as if it had no end, at 16 bits; `AIfES' cost` is the"
        " same learning at the instructions AIfES needs for a sample of 64-32-10, scaled by"
        " multiply-adds, its double square root mended, momentum free, and its rows in RAM for"
        " nothing. Rows are condensed, and projected where that won on held-out rows, on the host,"
        " whose work is not counted; rivals' rows are not projected. Bytes are of the"
        " representatives with all their tables; of all rows, of the"
        " narrowest type that holds them, without labels.\n\n"
        "SGD, SGD with momentum and Adam at three rates each, the same for everyone, and as many"
        " steps for everyone. Which of these, was chosen on validation rows out of the training"
        " rows (whole persons where rows tell theirs): the fewest instructions to 95 % of what all"
        f" rows reach there in the end. Accuracy is on the test rows, the mean of {found['seeds']}"
        " seeds; `to p %` counts until that mean is at p % of what all rows reach at last with"
        f" the setting that ends best, and stays there for {HOLD} looks."
    )


def _asked(sets: dict[str, Any]) -> str:
    rows, reached = [], {MUST: 0, AIM: 0}
    for name, one in sets.items():
        own, peer = one["rivals"][OURS], one["rivals"][PEER]
        share, fewer = own["bytes"] / peer["bytes"], _fewer(own, peer, "95")
        for limit in reached:
            reached[limit] += share <= 0.1 and fewer is not None and fewer >= limit
        rows.append((name, f"{share:.3f}", *(_times(own, peer, str(p)) for p in LEVELS)))
    head = ("set", "bytes, share of all rows'", *(f"fewer to {p} %" for p in LEVELS))
    told = [
        f"At 95 % and a tenth of the bytes: {count} of {len(sets)} sets reach {limit}x"
        f" ({what}: {ENOUGH} of 4)."
        for (limit, count), what in zip(reached.items(), ("must", "aim"), strict=True)
    ]
    title = "### Representatives against AIfES on all rows"
    return f"{title}\n\n{table(head, rows)}\n\n{' '.join([*told, _lost(sets)])}"


def _lost(sets: dict[str, Any]) -> str:
    """Where all rows, on this very core, come to 95 % with fewer instructions."""
    names = []
    for name, one in sets.items():
        fewer = _fewer(one["rivals"][OURS], one["rivals"]["all rows"], "95")
        if fewer is None or fewer < 1:
            names.append(name)
    told = ", ".join(names) or "nowhere"
    return f"All rows on this core get to 95 % sooner than representatives: {told}."


def _fewer(own: dict[str, Any], peer: dict[str, Any], level: str) -> float | None:
    mine, other = own["instructions_to"][level], peer["instructions_to"][level]
    return other / mine if mine and other else None


def _times(own: dict[str, Any], peer: dict[str, Any], level: str) -> str:
    fewer = _fewer(own, peer, level)
    if fewer is None:
        return "never" if not own["instructions_to"][level] else "AIfES never"
    return f"{fewer:.1f}x"


def _one(name: str, one: dict[str, Any]) -> str:
    rows = [
        (
            rival,
            told["setting"],
            f"{told['bytes']:,}",
            told["inputs"],
            f"{told['step']:,}",
            f"{100 * told['final']:.1f} ± {100 * told['spread']:.1f}",
            *(_to(told, str(p)) for p in LEVELS),
        )
        for rival, told in one["rivals"].items()
    ]
    head = ("rows", "setting", "bytes", "inputs", "a step", "accuracy at last, %")
    best = f"{100 * one['all_rows_reach']:.1f} % ({one['all_rows_setting']})"
    return (
        f"### {name}\n\n{one['steps']:,} steps; all rows reach {best}. Instructions in millions,"
        " steps in brackets.\n\n" + table([*head, *(f"to {p} %" for p in LEVELS)], rows)
    )


def _to(told: dict[str, Any], level: str) -> str:
    needed = told["instructions_to"][level]
    return f"{needed / 1e6:,.1f} ({told['steps_to'][level]:,})" if needed else "never"
