"""`scripts/bench codec`: our representatives beside all else that fits into the same bytes."""

import json
import os
from pathlib import Path

import click

from bench.codec.cells import Cells
from bench.codec.cnn import there_is_keras
from bench.codec.runner import estimate, missing, run
from bench.codec.sets import ROOT, SETS, data_folder
from bench.codec.suite import CNN_MISSING, CNN_SET, QUICK_SETS, jobs

__all__ = ["main"]

CELLS = ROOT / "build" / "bench" / "codec" / "cells.jsonl"
RESULTS = ROOT / "docs" / "results"


def _names(given: str, quick: bool) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = sorted(set(names) - SETS.keys())
    if unknown:
        raise click.ClickException(f"no set is called {unknown[0]}; there are {', '.join(SETS)}")
    return names or list(QUICK_SETS if quick else SETS)


@click.command(name="codec", help=__doc__)
@click.option("--quick", is_flag=True, help="5 sets, 5 seeds, the main methods: under 10 minutes.")
@click.option("--json", "as_json", is_flag=True, help="All figures as JSON.")
@click.option("--sets", "given", default="", metavar="A,B", help="Only these sets.")
@click.option("--jobs", "workers", default=os.cpu_count() or 1, type=click.IntRange(1))
@click.option("--fresh", is_flag=True, help="Measure again what was measured before.")
@click.option("--cached", is_flag=True, help="Measure nothing: tables of the cells that are there.")
@click.option(
    "--estimate", "only_tell", is_flag=True, help="Tell how long it would take, and stop."
)
@click.option("--write", is_flag=True, help="Write docs/results/codec.md and its pictures.")
@click.option("--cells", default=CELLS, type=click.Path(path_type=Path, dir_okay=False))
def main(
    quick: bool,
    as_json: bool,
    given: str,
    workers: int,
    fresh: bool,
    cached: bool,
    only_tell: bool,
    write: bool,
    cells: Path,
) -> None:
    from bench.codec.fit_time import measure_fits
    from bench.codec.report import figures, markdown, write_results

    data_folder()
    names = _names(given, quick)
    kept = Cells(cells, fresh)
    todo = jobs(names, quick)
    lacking = missing(todo, kept)
    if only_tell:
        click.echo(f"about {estimate(lacking) / 60 / workers:.0f} minutes on {workers} cores")
        return
    if not cached:
        if CNN_SET in names and not quick and not there_is_keras():
            click.echo(f"{CNN_MISSING}: pip install 'tinydream[keras]'", err=True)
        run(lacking, kept, workers)
        measure_fits(names, kept)
    told = figures(names, quick, kept)
    if write:
        write_results(RESULTS, told)
    click.echo(json.dumps(told, indent=1) if as_json else markdown(told))
