"""`scripts/bench boards`: one training on every emulated board, and what each board made of it."""

import json
import sys
from typing import Any

import click

from bench.boards import page, trial
from bench.core.target import ROOT
from tinydream.board import EMULATORS
from tinydream.doctor import examine

__all__ = ["main"]

KEPT = ROOT / "docs/results/boards.json"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--write", is_flag=True, help="Write docs/results/boards.json and boards.md.")
@click.option(
    "--compare", is_flag=True, help="Run anew; exit 1 if a figure of boards.json changed."
)
@click.option("--board", "boards", multiple=True, type=click.Choice(trial.EMULATED), help="Only.")
def main(as_json: bool, write: bool, compare: bool, boards: tuple[str, ...]) -> None:
    """Weights, instructions, flash, RAM and stack of the whole firmware on emulated boards."""
    tools = {f"{prefix}gcc" for prefix in trial.PREFIXES} | set(EMULATORS)
    if missing := [check.name for check in examine() if check.name in tools and not check.ok]:
        sys.exit(f"{' and '.join(missing)} not on PATH; run `scripts/setup qemu`")
    if write and boards:
        sys.exit("--board is for a look; what is written comes of all boards")
    found: dict[str, Any] = {"command": "scripts/bench boards --write", **trial.versions()}
    found["simulator"] = trial.simulated()
    found["boards"] = {}
    for board in boards or trial.EMULATED:
        if sys.stderr.isatty():
            click.echo(f"  {board}", err=True)
        found["boards"][board] = trial.on_board(board)
    if compare:
        sys.exit(_compare(found))
    click.echo(json.dumps(found, indent=1) if as_json else page.make(found))
    if write:
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
        KEPT.with_suffix(".md").write_text(page.make(found))


def _compare(found: dict[str, Any]) -> int:
    kept = json.loads(KEPT.read_text())
    changed = [name for name, figures in found["boards"].items() if figures != kept["boards"][name]]
    for name in changed:
        click.echo(f"{name}: {kept['boards'][name]} -> {found['boards'][name]}")
    return int(bool(changed))
