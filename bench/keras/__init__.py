"""`scripts/bench keras`: integers calibrated on representatives, and a head trained on a device."""

import json
import sys
from typing import Any

import click

from bench.cells import Cells
from bench.codec.cells import stamp
from bench.codec.cnn import there_is_keras
from bench.codec.sets import ROOT, data_folder
from bench.keras import integers, page, transfer

__all__ = ["main"]

KEPT = ROOT / "docs/results/keras.md"
CELLS = ROOT / "build/bench/keras.jsonl"
SEEDS = 10


@click.command(name="keras", help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
@click.option("--quick", is_flag=True, help="Two seeds, two sets, two people.")
@click.option("--write", is_flag=True, help="Write docs/results/keras.md.")
def main(as_json: bool, quick: bool, write: bool) -> None:
    data_folder()
    if write and quick:
        sys.exit("--quick is for a look; what is written comes of a whole run")
    if not there_is_keras():
        sys.exit("Keras is not installed; run `pip install 'tinydream[keras]'`")
    cells, seeds = Cells(CELLS), 2 if quick else SEEDS

    def cell(part: Any, what: str, seed: int) -> dict[str, Any]:
        if sys.stderr.isatty():
            click.echo(f"  {part.__name__}: {what}, seed {seed}", err=True)
        key = json.dumps([stamp(True), part.__name__, part.SETTING, what, seed])
        return cells.get(key, lambda: part.measure(what, seed))

    sets = integers.SETS[: 2 if quick else None]
    people = transfer.PEOPLE[: 2 if quick else None]
    found = {
        "schema": "tinydream.bench.keras/1",
        "command": "scripts/bench keras",
        "integers": {name: [cell(integers, name, s) for s in range(seeds)] for name in sets},
        "transfer": {
            str(person): [cell(transfer, str(person), s) for s in range(max(2, seeds // 2))]
            for person in people
        },
    }
    text = page.make(found)
    if write:
        KEPT.write_text(text, encoding="utf-8")
    click.echo(json.dumps(found, indent=1) if as_json else text)
