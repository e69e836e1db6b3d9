"""`scripts/bench speed`: the codec against this machine's memory, and against its peer."""

import json
import sys
from typing import Any

import click

from bench.core.target import ROOT
from bench.speed import fits, kernels, page

__all__ = ["main"]

KEPT = ROOT / "docs/results/speed.json"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--write", is_flag=True, help="Write docs/results/speed.json and speed.md.")
@click.option("--quick", is_flag=True, help="Smaller tables, and letter alone against its peer.")
def main(as_json: bool, write: bool, quick: bool) -> None:
    """GB/s of the codec's kernels; seconds and memory of fit; fit against MiniBatchKMeans."""
    found: dict[str, Any] = {"machine": kernels.machine()}
    found["bits"] = _tell("bits", kernels.bits(quick))
    found["levels"] = _tell("levels of the tree", kernels.levels(quick))
    found["threads"] = _tell("threads", kernels.scaling(quick))
    found["slope"] = _tell("fit by rows", fits.slope(quick))
    found["choice"] = _tell("choice of a projection", fits.choice(quick))
    found["peers"] = _tell("fit against its peer", fits.peers(quick))
    text = page.make(found)
    click.echo(json.dumps(found, indent=1) if as_json else text)
    if write:
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        KEPT.write_text(json.dumps(found, indent=1) + "\n")
        KEPT.with_suffix(".md").write_text(text)


def _tell(name: str, found: Any) -> Any:
    if sys.stderr.isatty():
        click.echo(f"  {name}", err=True)
    return found
