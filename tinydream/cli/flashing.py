"""The verb flash."""

import json
from dataclasses import asdict

import click

from tinydream.cli import show
from tinydream.cli.options import as_json, maybe_port, out
from tinydream.flash import flash as flash_board
from tinydream.flash import look_ahead
from tinydream.run import Run

__all__ = ["flash"]


@click.command
@maybe_port("Where the board is plugged in, if several could be it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--verbose", "-v", is_flag=True, help="Show PlatformIO's output.")
@out
@as_json
def flash(port: str | None, dry_run: bool, verbose: bool, folder: str, as_json: bool) -> None:
    """Build, upload, and check that the board runs this plan.

    The board is found by its USB ids. PlatformIO uploads, in your own PlatformIO folder: the
    first time it downloads the board's compilers and tools.

    \b
    Example: tinydream flash --dry-run
    """
    run = Run(folder)
    if dry_run:
        return _tell_steps(run, port, as_json)
    with show.working("flash"):
        done = flash_board(run, port, on_output=show.line if verbose else None)
    if as_json:
        return print(json.dumps(asdict(done), indent=2))
    show.line(
        f"{done.board} on {done.port} runs plan {done.digest} ({done.seconds:.0f} s);"
        f" `tinydream train --port {done.port}` trains it"
    )


def _tell_steps(run: Run, port: str | None, as_json: bool) -> None:
    steps = look_ahead(run, port)
    if as_json:
        return print(json.dumps(asdict(steps), indent=2))
    show.line(f"{steps.board} is plugged in at {steps.port} ({steps.looks or 'no USB device'})")
    show.line("it is built already" if steps.built else "it would be built: `tinydream build`")
    show.line("uploaded: " + " ".join(steps.command))
    show.line(f"and asked whether it runs plan {steps.digest}")
