"""`scripts/bench core`: what training costs on Cortex-M, counted exactly."""

import json
import sys
from typing import Any

import click

from bench.core import counts, curves, draw, functions, host, page, windows
from bench.core.learn import data_folder
from bench.core.target import ROOT, lacking, versions

__all__ = ["main"]

RESULTS = ROOT / "docs/results"
KEPT, CURVES = RESULTS / "core.json", RESULTS / "core-curves.json"
QUICK = ("magic_wand_digits",)
EXACT = ("counts", "flash")  # the same on every machine that has this compiler
PARTS = ("counts", "windows", "functions", "host", "curves")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--write", is_flag=True, help="Write docs/results/core.json and core.md.")
@click.option("--compare", is_flag=True, help="Count anew; exit 1 if a count of core.json changed.")
@click.option("--quick", is_flag=True, help="Fewer seeds and sets.")
@click.option("--profile", metavar="BUILD", help="Where one build's instructions go, and no more.")
@click.option("--set", "names", multiple=True, type=click.Choice([*curves.SETS]), help="Of curves.")
@click.option("--jobs", default=2, show_default=True, help="Processes that train.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), help="Only this part.")
def main(
    as_json: bool,
    write: bool,
    compare: bool,
    quick: bool,
    profile: str | None,
    names: tuple[str, ...],
    jobs: int,
    parts: tuple[str, ...],
) -> None:
    """Instructions, RAM and flash of the training core on emulated Cortex-M."""
    parts = parts or PARTS
    if missing := lacking(emulator=bool(profile) or parts != ("functions",)):
        sys.exit(f"{' and '.join(missing)} not on PATH; run `scripts/setup qemu`")
    if write and quick:
        sys.exit("--quick is for a look; what is written comes of a whole run")
    if profile:
        click.echo(page.profile(_case(profile)))
        return
    if compare:
        sys.exit(_compare(parts))
    if "curves" in parts and not data_folder().is_dir():
        sys.exit(f"the data sets are not in {data_folder()}; set TINYDREAM_DATA")
    found = _read() | {"command": "scripts/bench core --write"}
    if "counts" in parts:
        found |= versions() | counts.count_all(_tell)
    if "windows" in parts:
        found["windows"] = windows.windows()
    if "functions" in parts and write:
        functions.write()
    if "host" in parts:
        found["host"] = host.host()
    if "curves" in parts:
        found["curves"] = _learn(found.get("curves"), names or tuple(curves.SETS), quick, jobs)
    click.echo(json.dumps(found, indent=1) if as_json else page.make(found))
    if write:
        _write(found)


def _learn(
    before: dict[str, Any] | None, names: tuple[str, ...], quick: bool, jobs: int
) -> dict[str, Any]:
    """Curves of these sets; of the others as they were. A quick look is at one set, two seeds."""
    sets: dict[str, Any] = {} if quick or not before else before["sets"]
    seeds = 2 if quick else 5
    for name in QUICK if quick else names:
        _tell(name)
        sets[name] = curves.one_set(name, seeds, jobs)
    return {"seeds": seeds, "sets": {name: sets[name] for name in curves.SETS if name in sets}}


def _read() -> dict[str, Any]:
    """What the last run wrote; figures of parts that are not made anew stay."""
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if CURVES.exists():
        found["curves"] = json.loads(CURVES.read_text())
    return found


def _case(name: str) -> counts.Case:
    for case in counts.CASES:
        if case.name == name:
            return case
    sys.exit(f"no build is called {name!r}; there are {', '.join(c.name for c in counts.CASES)}")


def _tell(name: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"  {name}", err=True)


def _write(found: dict[str, Any]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    KEPT.with_suffix(".md").write_text(page.make(found))
    if learnt := found.pop("curves", None):
        CURVES.write_text(json.dumps(learnt) + "\n")
        (RESULTS / "core-instructions.svg").write_text(draw.by_instructions(learnt))
        (RESULTS / "core-bytes.svg").write_text(draw.by_bytes(learnt))
    KEPT.write_text(json.dumps(found, indent=1) + "\n")


def _compare(parts: tuple[str, ...]) -> int:
    """0 when every exact figure is as the repository has it, or cannot be compared; else 1."""
    good, told = functions.check() if "functions" in parts else (True, "")
    lines = [told] if told else []
    if "counts" in parts:
        lines += _changed_counts()
        good = good and not any("->" in line for line in lines)
    for line in lines:
        click.echo(line)
    return int(not good)


def _changed_counts() -> list[str]:
    kept, here = json.loads(KEPT.read_text()), versions()["compiler"]
    if here != kept["compiler"]:
        told = f"{KEPT.name} was made with GCC {kept['compiler']}, here is {here}: not compared"
        return [told]
    made = counts.count_all(_tell)
    lines = [line for part in EXACT for line in differences(kept[part], made[part], part)]
    return lines and [*lines, "if that is meant: scripts/bench core --write"]


def differences(old: Any, new: Any, place: str) -> list[str]:
    """One line for each figure that differs between two JSON objects."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return [] if old == new else [f"{place}: {old} -> {new}"]
    lines = []
    for key in old | new:
        lines += differences(old.get(key), new.get(key), f"{place}, {key}")
    return lines
