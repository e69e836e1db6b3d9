"""`scripts/bench options`: what each option of the codec is worth, on rows held out of training."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from bench.codec.sets import ROOT, data_folder
from bench.codec.sets import SETS as ALL_SETS
from bench.options import page
from bench.options.rows import QUESTIONS, SETS, Row, rows_of

__all__ = ["main"]

KEPT = ROOT / "docs" / "results" / "options.md"


def _picked(given: str, known: Iterable[str], usual: Iterable[str], what: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise click.ClickException(
            f"no {what} is called {unknown[0]}; there are {', '.join(known)}"
        )
    return names or list(usual)


@click.command(name="options", help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
@click.option("--sets", "given", default="", metavar="A,B", help="Only these sets.")
@click.option("--questions", "asked", default="", metavar="A,B", help="Only these: a table each.")
@click.option("--budget", "budgets", multiple=True, type=click.IntRange(256), help="8192, 2048.")
@click.option("--seeds", default=3, type=click.IntRange(1), help="Of the network that learns.")
@click.option("--write", is_flag=True, help="Write docs/results/options.md.")
def main(
    as_json: bool, given: str, asked: str, budgets: tuple[int, ...], seeds: int, write: bool
) -> None:
    data_folder()
    names = _picked(given, ALL_SETS, SETS, "set")
    questions = _picked(asked, QUESTIONS, QUESTIONS, "question")
    sizes = list(dict.fromkeys(budgets)) or [8192, 2048]
    found = {
        "schema": "tinydream.bench.options/1",
        "command": _command(names, questions, sizes, seeds),
        "seeds": seeds,
        "rows": list(_measured(names, questions, sizes, seeds)),
    }
    text = page.make(found)
    if write:
        _write(KEPT, text)
    click.echo(json.dumps(found, indent=1) if as_json else text)


def _measured(
    names: list[str], questions: list[str], sizes: list[int], seeds: int
) -> Iterator[dict[str, Any]]:
    """A figure of each set, budget and option set."""
    from bench.options.measure import scores

    for name in names:
        for budget in sizes:
            for row in rows_of(name, questions):
                _tell(name, budget, row)
                yield (
                    {"set": name, "budget": budget} | row.told() | scores(name, budget, row, seeds)
                )


def _tell(name: str, budget: int, row: Row) -> None:
    if sys.stderr.isatty():
        click.echo(f"  {name} {budget} {row.question}: {row.label}", err=True)


def _command(names: list[str], questions: list[str], sizes: list[int], seeds: int) -> str:
    parts = ["scripts/bench options"]
    parts += [f"--sets {','.join(names)}"] if tuple(names) != SETS else []
    parts += [f"--questions '{','.join(questions)}'"] if questions != list(QUESTIONS) else []
    parts += [f"--budget {size}" for size in sizes] if sizes != [8192, 2048] else []
    parts += [f"--seeds {seeds}"] if seeds != 3 else []
    return " ".join(parts)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
