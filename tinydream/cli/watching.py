"""Watching devices learn: `train` and `monitor`, what they show and what they record."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import click
from rich.console import Console

from tinydream import fleet
from tinydream.bridge import port_names
from tinydream.budget import budget
from tinydream.cli import show
from tinydream.cli.live import View
from tinydream.cli.options import (
    CONTEXT,
    SaveEvery,
    a_course,
    a_file,
    as_json,
    out,
    ports_of,
)
from tinydream.errors import InputError, TinydreamError
from tinydream.ports import link_opener
from tinydream.run import Run
from tinydream.watch import Csv, Event, JsonLines, Lines, Sink, Teleplot, TensorBoard, Watch

__all__ = ["dashboard", "monitor", "train"]


a_baud = click.option(
    "--baud", type=click.IntRange(1), help="Of serial ports. [default: the board's, or 115200]"
)


# ---- what is recorded ----


@dataclass(frozen=True)
class Record:
    """Where events go besides the screen; '-' is standard output."""

    jsonl: str | None
    csv: str | None
    tensorboard: str | None
    teleplot: str | None
    plain: bool

    @property
    def prints(self) -> bool:
        return "-" in (self.jsonl, self.csv, self.teleplot)

    def check(self, printing: bool = False) -> None:
        """Raise InputError when two things would be printed at once; printing: one is anyway."""
        asked = [self.jsonl, self.csv, self.teleplot].count("-") + printing
        if asked > 1:
            raise InputError("only one thing can be printed; give the others a file's name")

    @contextmanager
    def told(self, *first: Sink, several: bool = False) -> Iterator[Callable[[Event], None]]:
        """Gives what takes events: for `first`, and for each place that was asked for."""
        sinks = list(first)
        try:
            makers = ((JsonLines, self.jsonl), (Csv, self.csv), (TensorBoard, self.tensorboard))
            sinks += [make(to) for make, to in makers if to]
            sinks += [Teleplot(self.teleplot, several)] if self.teleplot else []

            def tell(event: Event) -> None:
                for sink in sinks:
                    sink.take(event)

            yield tell
        finally:
            for sink in sinks:
                sink.close()


def a_record(verb: Callable[..., None]) -> Callable[..., None]:
    """The options of a `Record`, which the verb gets as `record`."""
    options = (
        click.option(
            "--jsonl", type=a_file, metavar="FILE", help="Every event as JSON; - prints it."
        ),
        click.option("--csv", type=a_file, metavar="FILE", help="A row an epoch; - prints it."),
        click.option(
            "--tensorboard", type=a_file, metavar="DIR", help="Event files for TensorBoard."
        ),
        click.option(
            "--teleplot",
            is_flag=False,
            flag_value="-",
            metavar="[HOST:PORT]",
            help="Print lines `>loss:0.1` for Teleplot, or send them by UDP.",
        ),
        click.option("--plain", is_flag=True, help="A line an epoch, instead of the live view."),
    )
    names = [field.name for field in fields(Record)]

    @functools.wraps(verb)
    def with_record(**given: Any) -> None:
        record = Record(**{name: given.pop(name) for name in names})
        verb(record=record, **given)

    for option in reversed(options):
        with_record = option(with_record)
    return with_record


# ---- train ----


@click.command(context_settings=CONTEXT)
@ports_of("sim, native, qemu, keras, /dev/tty... or any pyserial URL; several: several boards.")
@click.option("--epochs", type=int, help="Epochs. [default: the plan's]")
@click.option("--rate", type=float, help="Learning rate. [default: the plan's]")
@click.option("--seed", type=int, help="Of weights, order and dreams. [default: the plan's]")
@a_course
@click.option(
    "--save-every",
    type=SaveEvery(),
    default=0,
    metavar="K|best",
    help="Save on the device every K epochs, or when it is better than ever.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a board that went away is waited for.",
)
@a_record
@out
@as_json
def train(
    ports: tuple[str, ...],
    seed: int | None,
    save_every: int,
    wait: float,
    record: Record,
    folder: str,
    as_json: bool,
    **knobs: Any,
) -> None:
    """Train on a device, and pull the weights.

    A terminal shows how it goes. Each epoch is a line of RUN/log.jsonl; the weights are in
    RUN/weights.npz. Ctrl-C leaves a board that trains alone with it: watch it with monitor.
    Several boards train at once, and must come to the same weights: the run is the first one's.

    \b
    Port keras trains the plan's network with Keras, on the rows that a device would draw: a look at
    what it can learn, or a start for a board (push). Its weights are no device's to the last bit.

    \b
    The time of a step is told in the port's own unit: nanoseconds of a process, instructions of
    an emulated core. Instructions are not time on any chip.

    \b
    Example: tinydream train --port native --epochs 40
    """
    given = {**knobs, "seed": seed, "weights_seed": seed}
    changes = {name: value for name, value in given.items() if value is not None}
    run = Run(folder)
    record.check(printing=as_json)
    names = list(dict.fromkeys(ports))
    shown = _progress(run, knobs["epochs"], record.plain, as_json)
    with record.told(*shown, several=len(names) > 1) as tell:
        trained = fleet.train(run, names, tell, save_every=save_every, wait=wait, **changes)
    if not record.prints:
        show.trained(trained, run.path("weights.npz"), as_json)


def _progress(run: Run, epochs: int | None, plain: bool, silent: bool) -> Sequence[Sink]:
    """On standard error: lines if asked for, and on a terminal the live view."""
    console = show.watched
    if plain:
        return [Lines(console.file)]
    if silent or not console.is_terminal:
        return []
    return [View(console, _memory(run), epochs or run.knobs("plan.json").epochs)]


# ---- monitor ----


@click.command(context_settings=CONTEXT)
@ports_of("Of a device; give it several times for several devices.")
@a_baud
@a_record
@click.option("--until-done", is_flag=True, help="End when no device is training any more.")
@out
def monitor(
    ports: tuple[str, ...], baud: int | None, record: Record, until_done: bool, folder: str
) -> None:
    """Watch devices that learn, one or several.

    Attaches to a device as it is, in the middle of a run too, and changes nothing. A device that
    is unplugged or restarts is waited for, without a key press. Ctrl-C ends the watching, not the
    training. Without a terminal, or with --plain, each epoch is a line.

    \b
    What stands behind ports native and qemu begins and ends with its verb, so that there is
    little to see here: watch these with train. Memory is told where RUN holds a device's plan.

    \b
    Example: tinydream monitor --port /dev/ttyACM0 --port /dev/ttyACM1 --csv log.csv
    """
    run = Run(folder)
    names = list(dict.fromkeys(ports))
    openers = {port: link_opener(run, port, baud) for port in names}
    record.check()
    first = [] if record.prints else [_screen(show.console, record.plain, run)]
    with record.told(*first, several=len(names) > 1) as tell, Watch(openers) as watch:
        for event in watch.events(until_done=until_done):
            tell(event)


def _screen(console: Console, plain: bool, run: Run) -> Sink:
    if plain or not console.is_terminal:
        return Lines(console.file)
    return View(console, _memory(run))


def _memory(run: Run) -> Callable[[str], str]:
    """What to say of the memory of the run's own plan, by its digest."""
    try:
        plan = run.plan()
        uses = budget(plan, run.board(plan))
    except TinydreamError:  # a device can be watched without its run
        return lambda digest: ""
    told = ", ".join(f"{use.region} {use.need:,} of {use.have:,} B" for use in uses)
    stack = next((b.bytes for use in uses for b in use.buffers if b.name == "stack"), 0)
    told += f"; arena {plan.arena_bytes:,}, stack {stack:,}"
    return lambda digest: told if digest == plan.digest.hex() else ""


# ---- dashboard ----


@click.command(context_settings=CONTEXT)
@ports_of("Of a device; give it several times for several devices.", required=False)
@a_baud
@click.option(
    "--listen", type=click.IntRange(0, 65535), default=0, help="The page's port; 0 for a free one."
)
@click.option("--open", "browse", is_flag=True, help="Open the page in the browser.")
@out
def dashboard(
    ports: tuple[str, ...], baud: int | None, listen: int, browse: bool, folder: str
) -> None:
    """Watch and steer boards on a page of your browser.

    Live curves of all boards, memory, the state of each link, held-out rows that are taken for
    each other, and buttons: start, pause, stop, save (on the board), pull (into RUN). The page is
    for this machine only, and only for who has the whole address that is printed, with its
    token. Ctrl-C ends it, and leaves boards as they are.

    \b
    Without --port it takes the only serial port there is. Memory and held-out rows are told of
    devices that were built from RUN's plan.

    \b
    Example: tinydream dashboard --port native --port /dev/ttyACM0
    """
    import webbrowser

    from tinydream.dashboard import serve  # here: other verbs need no server

    def ready(address: str) -> None:
        click.echo(f"the dashboard is at {address}")
        if browse:
            webbrowser.open(address)

    run, names = Run(folder), list(dict.fromkeys(ports)) or _only_port()
    links = {port: link_opener(run, port, baud) for port in names}
    serve(run, links, listen=listen, on_ready=ready)


def _only_port() -> list[str]:
    there = port_names()
    if len(there) != 1:
        found = ", ".join(there) or "none"
        raise InputError(
            f"name the devices with --port (serial ports here: {found}); without a board at hand:"
            " tinydream dashboard --port native"
        )
    return there
