"""`scripts/bench bridge`: bad lines, the line's rate, instructions, many boards."""

import json
from pathlib import Path
from typing import Any

import click

from bench.bridge import boards, costs, faults, rate

__all__ = ["main"]

KEPT = Path(__file__).parents[2] / "docs/results/bridge.json"
PARTS = ("faults", "rate", "costs", "boards")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--write", is_flag=True, help="Write these parts of docs/results/bridge.json.")
@click.option("--quick", is_flag=True, help="Fewer frames, fewer minutes.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only this part.")
def main(as_json: bool, write: bool, quick: bool, parts: tuple[str, ...]) -> None:
    """What the bridge loses, and what it costs."""
    found: dict[str, Any] = {}
    for part in parts or PARTS:
        found[part] = _measure(part, quick)
        if not as_json:
            _tell(part, found[part])
    if as_json:
        click.echo(json.dumps(found, indent=1))
    if write:
        kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        KEPT.write_text(json.dumps(kept | found, indent=1) + "\n")


def _measure(part: str, quick: bool) -> Any:
    if part == "faults":
        return faults.run(4_000 if quick else 100_000)
    if part == "rate":
        return rate.measure()
    if part == "costs":
        return costs.count()
    return boards.watch(30 if quick else 600)


def _tell(part: str, found: Any) -> None:
    click.echo(part)
    for line in found if isinstance(found, list) else [found]:
        click.echo("  " + ", ".join(f"{name} {value}" for name, value in line.items()))
