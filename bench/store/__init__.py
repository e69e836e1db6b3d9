"""`scripts/bench store`: the lossless store beside zstd and Parquet, on every set."""

import json
from pathlib import Path
from typing import Any

import click

from bench.codec.sets import data_folder
from bench.store import measure, page

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "docs/results/store.json"
CELLS = ROOT / ".bench/store.json"  # what has been measured already


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--write", is_flag=True, help="Write docs/results/store.json and store.md.")
@click.option("--sets", default="", metavar="A,B", help="These sets only; nothing is written.")
@click.option("--fresh", is_flag=True, help="Measure all cells anew.")
def main(as_json: bool, write: bool, sets: str, fresh: bool) -> None:
    """Bytes, CPU seconds and a random row: ours, zstd -19, Parquet with zstd."""
    folder = data_folder()
    names = sets.split(",") if sets else measure.names(folder)
    cells: dict[str, Any] = {}
    if CELLS.is_file() and not fresh:
        cells = json.loads(CELLS.read_text())
    code = measure.code_hash()
    for name in names:
        if name not in cells:
            cells[name] = measure.sizes(name, folder)
        if cells[name].get("code") != code:
            cells[name] |= measure.speeds(name, folder) | {"code": code}
        click.echo(f"  {name} {cells[name]['ours'] / cells[name]['raw']:.4f}", err=True)
        CELLS.parent.mkdir(exist_ok=True)
        CELLS.write_text(json.dumps(cells))
    found = {"machine": measure.machine(), "sets": {name: cells[name] for name in names}}
    text = page.make(found)
    click.echo(json.dumps(found | {"summary": page.summary(found)}, indent=1) if as_json else text)
    if write and not sets:
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
        KEPT.with_suffix(".md").write_text(text)
