"""Verbs that look into a run: inspect, verify, predict, export; and completion for shells."""

import json
import os
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tinydream import archive, looks
from tinydream.cli import show
from tinydream.cli.options import CONTEXT, a_file, as_json, maybe_port, out
from tinydream.errors import InputError
from tinydream.run import Run

__all__ = ["register"]

SHADES = "_.:-=+*#%@"  # entropy of a bit where there are no colours
LOW, HIGH = (40, 44, 52), (90, 170, 240)  # and where there are
MOST_ROWS = 40  # of a picture in a terminal
MOST_LINES = 200  # of one as SVG
SHELLS = ("bash", "zsh", "fish")


def register(group: click.Group) -> None:
    """Add these verbs to the command."""
    for verb in (decompress, inspect, verify, predict, export, completion):
        group.add_command(verb)


# ---- decompress, inspect ----


@click.command(context_settings=CONTEXT)
@click.argument("place", default="run", type=a_file, metavar="[RUN|FILE]")
@click.option(
    "-o", "--to", required=True, type=a_file, metavar="FILE", help="A .csv, .npz or .parquet file."
)
def decompress(place: str, to: str) -> None:
    """Write all rows of a store again, as they were given.

    RUN holds the store that `compress` wrote, or FILE is one. Numbers come back bit for bit, in
    .npz and .parquet with their type.

    \b
    Example: tinydream decompress run -o table.csv
    """
    store = archive.open_store(place)
    looks.save(to, archive.restore(store, to))
    show.line(f"{to} holds {len(store):,} rows of {', '.join(store.names[:5])}")


@click.command(context_settings=CONTEXT)
@click.option("--svg", metavar="FILE", type=a_file, help="Write the entropy picture as SVG, too.")
@click.option(
    "--store-svg", metavar="FILE", type=a_file, help="Write what each column of the store takes."
)
@click.option("--all", "everything", is_flag=True, help="One line a feature, however many.")
@out
@as_json
def inspect(
    svg: str | None, store_svg: str | None, everything: bool, folder: str, as_json: bool
) -> None:
    """Show what the run holds: bits, representatives, bytes.

    The picture has a line a feature and a cell a bit, most significant first. Dark bits are the
    same in all rows and cost nothing; bright ones are noise, which representatives leave to the
    deviation model.

    \b
    Example: tinydream inspect --svg entropy.svg
    """
    seen = looks.inspect(Run(folder))
    if svg:
        most = len(seen.names) if everything else MOST_LINES
        picture = looks.entropy_svg(*looks.condense(seen.names, seen.entropy, most))
        looks.save(svg, picture.encode())
    if store_svg:
        looks.save(store_svg, looks.store_svg(seen.store).encode())
    if as_json:
        return click.echo(json.dumps(seen.as_dict(), indent=2))
    _picture(seen, len(seen.names) if everything else MOST_ROWS)
    _groups(seen)
    _projection(seen)
    _deviations(seen)
    _tables(seen)
    _store(seen)
    for place in filter(None, (svg, store_svg)):
        show.line(f"{place} is a picture")


def _picture(seen: looks.Inspected, most: int) -> None:
    names, entropy = looks.condense(seen.names, seen.entropy, most)
    wide = min(max(map(len, names), default=0), 24, max(8, 78 - entropy.shape[1]))
    show.console.print(Text("entropy of each bit, most significant first", "bold"))
    for name, row in zip(names, entropy.tolist(), strict=True):
        text = Text(name[:wide].rjust(wide) + " ")
        for h in row:
            text.append_text(_cell(h))
        show.console.print(text)
    if not show.console.is_terminal:
        show.line(f"{'':{wide}} {SHADES[0]} constant ... {SHADES[-1]} 1 bit, nobody can guess it")
    show.line("")


def _cell(entropy: float) -> Text:
    if entropy != entropy:
        return Text("")
    if not show.console.is_terminal:
        return Text(SHADES[min(int(entropy * len(SHADES)), len(SHADES) - 1)])
    r, g, b = (round(a + (z - a) * entropy) for a, z in zip(LOW, HIGH, strict=True))
    return Text(" ", f"on rgb({r},{g},{b})")


def _columns(title: str, *names: str) -> Table:
    """A table whose columns but the first hold numbers; one called '' holds words."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None)
    for i, name in enumerate(names):
        table.add_column(
            name, justify="right" if i and name else "left", style="" if name else "dim"
        )
    return table


def _groups(seen: looks.Inspected) -> None:
    count, rows = seen.facts["representatives"], seen.facts["rows"]
    title = f"{count:,} representatives of {rows:,} rows, {seen.facts['row_bits']} bits each"
    table = _columns(title, "class", "representatives", "stand for", "weights")
    for group in seen.groups:
        weights = f"{group.lightest:,} .. {group.heaviest:,}"
        table.add_row(escape(group.name), f"{group.representatives:,}", f"{group.rows:,}", weights)
    show.console.print(table)
    show.line("")


def _projection(seen: looks.Inspected) -> None:
    show.line(show.projection(seen.facts))
    if seen.facts["trials"]:
        names = "numbers a row", "bits", "noise", "spread", "score", "uncertain", ""
        table = _columns("", "tried", *names)
        for i, trial in enumerate(seen.facts["trials"]):
            what, model = trial["candidate"], trial["model"]
            table.add_row(
                what["kind"],
                f"{what['rank']}",
                f"{what['bits'] or ''}",
                f"{model['noise']:g}",
                model.get("spread", ""),
                f"{trial['score']:.3f}",
                f"{trial['margin']:.3f}",
                "chosen" if i == seen.facts["chosen"] else "",
            )
        show.console.print(table)
    show.line("")


def _deviations(seen: looks.Inspected) -> None:
    if not seen.spreads:
        return show.line("deviations: none; rows repeat instead of being dreamt\n")
    most = sorted(seen.spreads, key=lambda spread: -spread.stored)[:5]
    title = f"deviations: spread around representatives, largest of {len(seen.spreads)} columns"
    table = _columns(title, "feature", "in raw units", "as stored")
    for spread in most:
        table.add_row(
            escape(spread.name),
            "" if spread.raw is None else f"{spread.raw:.4g}",
            f"{spread.stored:.4g}",
        )
    show.console.print(table)
    show.line("")


def _tables(seen: looks.Inspected) -> None:
    raw = seen.facts["raw_bytes"]
    table = _columns("bytes on the device", "table", "bytes", "")
    for name, size, use in seen.tables:
        table.add_row(name, f"{size:,}", use)
    total = sum(size for _, size, _ in seen.tables)
    ratio = f"1/{raw / total:.1f} of the {raw:,} bytes of the rows as {seen.facts['raw_dtype']}"
    table.add_row("[bold]in all", f"[bold]{total:,}", ratio)
    show.console.print(table)


def _store(seen: looks.Inspected) -> None:
    if not seen.store:
        return
    count = len(seen.store)
    title = "\nstore of all rows: bytes, alone (each number by itself), and as coded"
    table = _columns(title, "column", "raw", "alone", "coded", "")
    for c in seen.store[:MOST_ROWS]:
        why = escape(looks.reason(c))
        table.add_row(escape(c.name), f"{c.raw:,}", f"{c.alone:,}", f"{c.coded:,}", why)
    show.console.print(table)
    if count > MOST_ROWS:
        show.line(f"... and {count - MOST_ROWS} more columns; --json tells all")


# ---- verify, predict, export ----


@click.command(context_settings=CONTEXT)
@maybe_port("Train anew on this device. [default: compare the weights that train brought home]")
@click.option("--model", metavar="FILE", type=a_file, help="Check this .keras or .tflite instead.")
@click.option("--within", default=1e-5, help="How far its outputs may be off.")
@out
@as_json
def verify(port: str | None, model: str | None, within: float, folder: str, as_json: bool) -> None:
    """Check a device against the simulator, bit for bit.

    The simulator repeats the last training; each weight and each held-out prediction must be
    equal. Without --port it is compared with RUN/weights.npz; with --port the device trains anew
    with the same knobs, and its present weights are lost. No file of the run is changed. Ends
    with 1 when something differs.

    --model checks a file instead: it predicts held-out rows as RUN/weights.npz does, or, with
    --port, as a board does with the weights that it holds; nothing is trained.

    \b
    Example: tinydream verify --port native
    Example: tinydream verify --model gait.tflite --port /dev/ttyACM0
    """
    if model:
        return _alike(looks.verify_model(Run(folder), model, within, port), as_json)
    with show.training(as_json) as on_metrics:
        found = looks.verify(Run(folder), port, on_metrics)
    if as_json:
        return click.echo(json.dumps(vars(found) | {"equal": True}, indent=2))
    how = "trained anew" if found.trained else "as train brought them home"
    show.sheet(
        "verified",
        [
            ("port", f"{found.port}, {how}"),
            ("training", f"{found.epochs} epochs of plan {found.digest}"),
            ("weights", f"{found.weights:,} equal bit for bit, CRC-32 {found.crc32}"),
            ("held-out rows", f"{found.probes:,} predicted alike"),
        ],
    )


def _alike(found: looks.Alike, as_json: bool) -> None:
    if as_json:
        return click.echo(json.dumps(vars(found), indent=2))
    show.sheet(
        "verified",
        [
            ("model", found.file),
            ("outputs", f"at most {found.apart:.2g} off the device's"),
            ("held-out rows", f"{found.agree:,} of {found.probes:,} answered alike"),
        ],
    )


@click.command(context_settings=CONTEXT)
@click.argument("file", type=a_file)
@click.option(
    "--weights",
    type=a_file,
    metavar="NPZ",
    help="Other weights of the same plan. [default: RUN/weights.npz]",
)
@click.option("--probabilities", is_flag=True, help="One column more for each class.")
@maybe_port("A device that predicts. [default: sim]")
@click.option("--to", "to", type=a_file, metavar="CSV", help="[default: standard output]")
@out
def predict(
    file: str,
    weights: str | None,
    probabilities: bool,
    port: str | None,
    to: str | None,
    folder: str,
) -> None:
    """Predict new rows with the trained weights.

    FILE holds rows in raw units: CSV with the feature columns by name, in any order (further ones
    are ignored, and a note on standard error says so), an NPZ with an array x, or an .npy. The
    answer is CSV, a line a row. A board on a serial port predicts with the weights that it holds.

    \b
    Example: tinydream predict new.csv --probabilities --to answers.csv
    Example: tinydream predict new.csv --port /dev/ttyACM0
    """
    port = port or "sim"
    found = looks.predict(
        Run(folder), file, weights=weights, probabilities=probabilities, port=port
    )
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    if to is None:
        return click.echo(found.to_csv(), nl=False)
    show.line(f"{looks.save(to, found.to_csv().encode())} holds {len(found.rows):,} predictions")


@click.command(context_settings=CONTEXT)
@click.argument("file", required=False, type=a_file)
@click.option(
    "--format",
    type=click.Choice(looks.FORMATS),
    help="[default: as FILE ends, else npz]",
)
@out
@as_json
def export(file: str | None, format: str | None, folder: str, as_json: bool) -> None:
    """Write the representatives for your own training code.

    FILE is RUN/export.npz, .csv or .h if not given. The NPZ holds them in raw units and as network
    inputs, with classes, weights, deviations and scales; the CSV in raw units, with class and
    weight; the header bit-packed, with functions that unpack a row, for any C99 compiler.

    \b
    Example: tinydream export representatives.h
    """
    made = looks.export(Run(folder), file, format)
    if as_json:
        return click.echo(json.dumps(vars(made), indent=2))
    title = f"{made.path}: {made.representatives:,} representatives, {made.bytes:,} bytes"
    show.sheet(title, list(made.contents.items()))


# ---- completion ----


@click.command(context_settings=CONTEXT)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str | None) -> None:
    """Print the script for Tab completion in your shell.

    It completes verbs, options, boards, ports and files.

    SHELL is the one you use if not given. Put one of these lines into its start-up file:

    \b
    bash, ~/.bashrc     eval "$(tinydream completion bash)"
    zsh, ~/.zshrc       eval "$(tinydream completion zsh)"
    fish, config.fish   tinydream completion fish | source

    \b
    Example: tinydream completion bash > ~/.local/share/bash-completion/completions/tinydream
    """
    from click.shell_completion import get_completion_class

    shell = shell or Path(os.environ.get("SHELL", "")).name
    made = get_completion_class(shell) if shell in SHELLS else None
    if made is None:
        raise InputError(f"$SHELL is {shell!r}; name one: tinydream completion {'|'.join(SHELLS)}")
    group = context.find_root().command
    click.echo(made(group, {}, "tinydream", "_TINYDREAM_COMPLETE").source())
