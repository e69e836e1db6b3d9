"""`scripts/bench windows`: convolutional networks learnt from representatives, and from others."""

import json
import sys
from dataclasses import replace
from typing import Any

import click
import numpy as np

from bench.cells import Cells
from bench.codec.cells import stamp
from bench.codec.cnn import there_is_keras
from bench.codec.sets import ROOT, data_folder
from bench.windows import page
from bench.windows.tasks import ALL, KERAS, OURS, TASKS, Task, fold_of

__all__ = ["main"]

KEPT = ROOT / "docs/results/windows.md"
CELLS = ROOT / "build/bench/windows.jsonl"
HELD, SEEDS = 2, 5  # seeds that choose a rate, and seeds that are told


@click.command(name="windows", help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
@click.option("--quick", is_flag=True, help="A tenth of rows and updates, a seed, no rate chosen.")
@click.option("--set", "names", multiple=True, type=click.Choice([t.set for t in TASKS]))
@click.option("--write", is_flag=True, help="Write docs/results/windows.md.")
def main(as_json: bool, quick: bool, names: tuple[str, ...], write: bool) -> None:
    data_folder()
    if write and (quick or names):
        sys.exit("--quick and --set are for a look; what is written comes of a whole run")
    tasks = [replace(t, quick=quick) for t in TASKS if not names or t.set in names]
    if any(KERAS in task.arms for task in tasks) and not there_is_keras():
        sys.exit("Keras is not installed; run `pip install 'tinydream[keras]'`")
    found = {
        "schema": "tinydream.bench.windows/1",
        "command": "scripts/bench windows",
        "budget": tasks[0].budget,
        **{"held": HELD, "seeds": 1 if quick else SEEDS, "ram": _ram()},
        "tasks": [_task(task, Cells(CELLS)) for task in tasks],
    }
    text = page.make(found)
    if write:
        KEPT.write_text(text, encoding="utf-8")
    click.echo(json.dumps(found, indent=1) if as_json else text)


def _seeds(task: Task, usual: int) -> int:
    return 1 if task.quick else usual


def _ram() -> str:
    """Of the network of images with its last layer's rows kept, as core.json has it."""
    counted = json.loads((ROOT / "docs/results/core.json").read_text("utf-8"))
    return f"{counted['windows']['flat']['rows kept instead']['ram']:,} B"


def _task(task: Task, cells: Cells) -> dict[str, Any]:
    """What each arm came to, at the rate that its rows held out chose."""
    from bench.windows.learn import measure

    made_by = stamp(True)

    def cell(arm: str, rate: float, seed: int, held: bool) -> dict[str, Any]:
        told = (task.quick, task.epochs, task.batch, task.budget, repr(task.optimizer))
        key = json.dumps([made_by, task.set, *told, arm, OURS.get(arm), rate, seed, held])
        if sys.stderr.isatty():
            click.echo(f"  {task.set}: {arm}, rate {rate:g}, seed {seed}", err=True)
        return cells.get(key, lambda: measure(task, arm, rate, seed, held))

    arms = {}
    for arm in task.arms:
        rates = task.rates[1:2] if task.quick else task.rates
        means = [
            np.mean([cell(arm, each, seed, True)["score"] for seed in range(_seeds(task, HELD))])
            for each in rates
        ]
        rate, held = rates[int(np.argmax(means))], float(max(means))
        ran = [cell(arm, rate, seed, False) for seed in range(_seeds(task, SEEDS))]
        scores = [each["score"] for each in ran]
        arms[arm] = ran[0] | {"rate": rate, "held": held, "scores": scores}
    rows = len(fold_of(task, False).X)
    return {
        **{"set": task.set, "title": task.title, "arms": arms, "batch": task.batch},
        **{"against": KERAS if KERAS in arms else ALL, "updates": task.updates(rows)},
        **{"optimizer": type(task.optimizer).__name__, "rates": task.rates},
    }
