"""Verbs that carry weights to and from a board, and for what it keeps over a power cut."""

import click

from tinydream import carry, looks
from tinydream.bridge.answer import STATES
from tinydream.cli import show
from tinydream.cli.options import CONTEXT, a_file, a_port, a_seed, out
from tinydream.keras import QUANTISED
from tinydream.run import Run

__all__ = ["erase", "load", "pull", "push", "refill", "save"]


@click.command(context_settings=CONTEXT)
@a_port
@click.option(
    "--file",
    type=a_file,
    help="Write them here, too: .npz, .safetensors; .keras, .tflite or .h for a whole model.",
)
@click.option(
    "--quantise",
    type=click.Choice(QUANTISED),
    default="none",
    help="Of a .tflite; int8 is calibrated on drawn rows, and takes network inputs.",
)
@out
def pull(port: str, file: str | None, quantise: str, folder: str) -> None:
    """Fetch the weights of a device that runs this plan.

    They are in RUN/weights.npz then. A .keras or .tflite file takes rows in raw units and predicts
    what the device does, to five digits. A .h file is for firmware that only predicts, with weights
    in flash: it needs the C library, and computes the same bits.

    \b
    Example: tinydream pull --port /dev/ttyUSB0 --file gait.safetensors
    Example: tinydream pull --port native --file gait.tflite --quantise float16
    Example: tinydream pull --port native --file gait.h
    """
    run = Run(folder)
    weights = carry.pull(run, port, file, quantise)
    show.line(f"{file or run.path('weights.npz')} holds {len(weights)} weights")


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="WEIGHTS", type=a_file)
@a_port
@out
def push(file: str, port: str, folder: str) -> None:
    """Give a device the weights of a file.

    WEIGHTS is a .npz or .safetensors file with W1, b1, W2, ...: what pull wrote, or a RUN's
    weights.npz. The device checks them before it uses them.

    \b
    Example: tinydream push gait.safetensors --port /dev/ttyUSB0
    """
    weights = carry.push(Run(folder), port, file)
    show.line(f"{port} has taken {len(weights)} weights, and holds them")


@click.command(context_settings=CONTEXT)
@click.argument("file", metavar="[DATA]", required=False, type=a_file)
@a_port
@click.option("--seed", type=a_seed, default=0, help="Of the choice of rows and places.")
@out
def refill(file: str | None, port: str, seed: int, folder: str) -> None:
    """Put new rows in the place of a board's representatives.

    DATA holds features and targets as in the table that was compressed: CSV with columns of their
    names, or NPZ with x and y. Of more rows than there are representatives a random part is taken;
    of fewer, random representatives are replaced. The plan must have been made with --refill; the
    run's plan is then the one with these rows. A board that restarts has those again that it was
    built with: without DATA it gets the run's once more.

    \b
    Example: tinydream refill today.csv --port /dev/ttyACM0
    """
    done = looks.refill(Run(folder), file, port, seed=seed)
    show.line(f"{port} has the run's {done.representatives:,} representatives: plan {done.digest}")


@click.command(context_settings=CONTEXT)
@a_port
@out
def save(port: str, folder: str) -> None:
    """Have a board keep its weights over a power cut.

    A run that is under way is kept with them, where there is room. `train --save-every` does it by
    itself, `plan --boot` says what a starting board does with them.

    \b
    Example: tinydream save --port /dev/ttyACM0
    """
    counts = carry.save(Run(folder), port)
    what = f"weights and run (epoch {counts.kept_epoch})" if counts.kept_run else "weights"
    show.line(f"{port} keeps its {what}; that was save {counts.kept_number:,}")


@click.command(context_settings=CONTEXT)
@a_port
@click.option("--resume", is_flag=True, help="Go on with the run that was under way, too.")
@out
def load(port: str, resume: bool, folder: str) -> None:
    """Have a board take the weights that it keeps.

    \b
    Example: tinydream load --port /dev/ttyACM0 --resume && tinydream monitor --port /dev/ttyACM0
    """
    state = carry.load(Run(folder), port, resume=resume)
    show.line(f"{port} has loaded what it kept; it is {STATES[state.state]}, epoch {state.epoch}")


@click.command(context_settings=CONTEXT)
@a_port
@out
def erase(port: str, folder: str) -> None:
    """Have a board forget what it keeps, another plan's weights too.

    The weights that it works with stay as they are.

    \b
    Example: tinydream erase --port /dev/ttyACM0
    """
    carry.erase(Run(folder), port)
    show.line(f"{port} keeps nothing any more")
