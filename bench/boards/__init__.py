"""`scripts/bench boards`: one training on every emulated board, and what each board made of it.

--part networks: random networks, their bytes as planned, linked and observed. --part costs: what
each core costs, for tinydream/budget/cores.toml; to be run when the core's code has changed.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from bench.boards import cores, networks, page, trial
from bench.core.target import ROOT
from tinydream.board import EMULATORS, load_board
from tinydream.doctor import examine

__all__ = ["main"]

KEPT = ROOT / "docs/results/boards.json"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--write", is_flag=True, help="Write what the repository keeps of it.")
@click.option(
    "--part",
    type=click.Choice(["training", "networks", "costs"]),
    default="training",
    show_default=True,
    help="One training; sizes of random networks; costs of cores (minutes).",
)
@click.option(
    "--compare", is_flag=True, help="Run anew; exit 1 if a figure of boards.json changed."
)
@click.option("--board", "boards", multiple=True, type=click.Choice(trial.EMULATED), help="Only.")
def main(as_json: bool, write: bool, part: str, compare: bool, boards: tuple[str, ...]) -> None:
    """Weights, instructions, flash, RAM and stack of the whole firmware on emulated boards."""
    tools = {f"{prefix}gcc" for prefix in trial.PREFIXES} | set(EMULATORS)
    if missing := [check.name for check in examine() if check.name in tools and not check.ok]:
        sys.exit(f"{' and '.join(missing)} not on PATH; run `scripts/setup qemu`")
    if write and boards:
        sys.exit("--board is for a look; what is written comes of all boards")
    chosen = boards or trial.EMULATED
    if part == "costs":
        return _costs(chosen, write)
    found: dict[str, Any] = {"command": f"scripts/bench boards --part {part} --write"}
    if part == "training":
        found["command"] = "scripts/bench boards --write"
    found |= trial.versions()
    if part == "training":
        found["simulator"] = trial.simulated()
    measure = trial.on_board if part == "training" else networks.on_board
    found["boards"] = {board: measure(board) for board in map(_tell, chosen)}
    if compare:
        sys.exit(_compare(found))
    kept, text = (KEPT, page.make(found)) if part == "training" else networks.page(found)
    click.echo(json.dumps(found, indent=1) if as_json else text)
    if write:
        kept.write_text(json.dumps(found, indent=1) + "\n")
        kept.with_suffix(".md").write_text(text)


def _tell(what: str) -> str:
    if sys.stderr.isatty():
        click.echo(f"  {what}", err=True)
    return what


def _costs(boards: Sequence[str], write: bool) -> None:
    found = {load_board(board).core: cores.board_costs(board, _tell) for board in boards}
    text = cores.text(found, trial.versions())
    click.echo(text)
    if write:
        cores.KEPT.write_text(text)


def _compare(found: dict[str, Any]) -> int:
    kept = json.loads(KEPT.read_text())
    changed = [name for name, figures in found["boards"].items() if figures != kept["boards"][name]]
    for name in changed:
        click.echo(f"{name}: {kept['boards'][name]} -> {found['boards'][name]}")
    return int(bool(changed))
