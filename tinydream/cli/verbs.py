"""One short function per verb: options in, one call, one table out."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tinydream import archive, sizing, stages
from tinydream.board import load_board
from tinydream.cli import looks, show, show_budget
from tinydream.cli.budgets import budget
from tinydream.cli.carrying import erase, load, pull, push, refill, save
from tinydream.cli.flashing import flash
from tinydream.cli.options import (
    CONTEXT,
    InOrder,
    a_board,
    a_course,
    a_file,
    a_folder,
    a_network,
    a_seed,
    a_shape,
    as_json,
    hidden_sizes,
    out,
)
from tinydream.cli.tools import boards, doctor, ports
from tinydream.cli.watching import dashboard, monitor, train
from tinydream.codec import KINDS, EntroGeDe
from tinydream.data import CODINGS, TASKS, load_data
from tinydream.demo import demo
from tinydream.errors import InputError
from tinydream.keras.features import extracted
from tinydream.network import ACTIVATIONS, SGD, Adam
from tinydream.run import Run
from tinydream.saving import BOOTS
from tinydream.training import Knobs

__all__ = ["verbs"]


@click.group(cls=InOrder, context_settings=CONTEXT)
@click.version_option(package_name="tinydream", prog_name="tinydream")
def verbs() -> None:
    """Train more with less, on microcontrollers.

    \b
    tinydream demo                                all of it, on digits that come along
    tinydream compress table.csv --target label   a table becomes representatives
    tinydream plan --board native                 every byte, before anything is built
    tinydream train --port sim                    the device's own code learns, in this process
    tinydream generate && tinydream build         C, a PlatformIO project, a program
    tinydream train --port native                 the device learns; weights come back
    tinydream dashboard --port native             boards watched and steered on a page
    tinydream report                              what it came to, beside fair baselines
    tinydream doctor                              what this machine lacks, and how to mend it

    \b
    Each verb has --help with an example. So that Tab completes verbs, options, boards and ports:
    eval "$(tinydream completion bash)"           zsh and fish: tinydream completion --help
    """


@verbs.command(context_settings=CONTEXT)
@click.argument("table", metavar="DATA", type=a_file)
@click.option(
    "--target", help="The column to predict, or several: a,b; the last one of a CSV if not given."
)
@click.option("--task", type=click.Choice(TASKS), help="By default the target's values tell.")
@click.option(
    "--categories",
    type=click.Choice(CODINGS),
    default="auto",
    help="How text becomes numbers; auto: one-hot for 3 to 5 categories.",
)
@click.option(
    "--budget-bytes",
    type=click.IntRange(1),
    default=None,
    help="Bytes for all that stands for the data. [default: 4096]",
)
@click.option(
    "--representatives", type=click.IntRange(1), help="Their number, instead of a budget."
)
@click.option("--bits", default="auto", metavar="auto|1..16", help="Bits a feature.")
@click.option(
    "--projection",
    type=click.Choice(["auto", "none", *KINDS]),
    help="Fewer numbers a row than inputs: auto tries, and takes one that is clearly better."
    " [default: auto; with --shape none, as a convolution wants the inputs where they are]",
)
@click.option("--components", type=click.IntRange(1), help="How many. [default: as tries tell]")
@click.option(
    "--features",
    type=a_file,
    metavar="MODEL",
    help="A frozen .keras or .tflite model: what it makes of rows is compressed instead of them.",
)
@a_shape
@click.option(
    "--groups",
    metavar="COLUMN",
    help="Whose row it is (person, day, machine): no feature; groups are held out as a whole.",
)
@click.option("--no-deviation", is_flag=True, help="Rows repeat instead of being dreamt.")
@click.option("--test", default=0.2, help="Share of rows held out when the file holds none.")
@click.option("--seed", type=a_seed, default=0, help="Of held-out rows, and all else by chance.")
@click.option("--validation", default=0.0, help="Share of training rows kept back for the device.")
@click.option("--store/--no-store", default=True, help="Keep all rows, lossless, in RUN/store.tds.")
@out
@as_json
def compress(
    table: str,
    target: str | None,
    task: str | None,
    categories: str,
    bits: str,
    projection: str | None,
    features: str | None,
    shape: list[int] | None,
    groups: str | None,
    no_deviation: bool,
    test: float,
    seed: int,
    validation: float,
    store: bool,
    folder: str,
    as_json: bool,
    **size: Any,
) -> None:
    """Turn a table into representatives and held-out rows.

    DATA is a .csv, .csv.gz, .parquet or .npz file, or a folder of .npy files; or pictures: IDX
    files, or a folder with a folder of pictures for each class.

    \b
    A projection stores a few sums of a row's inputs instead of all of them: pca keeps what varies
    most, lda what tells classes apart, trained what a small network found useful. The board
    projects each new row itself. Its bytes count in the budget, too.

    \b
    Example: tinydream compress letter.csv.gz --target letter --budget-bytes 8192
    Example: tinydream compress gait.csv --target activity --groups person --projection trained
    Example: tinydream compress strokes.npz --shape 40,2
    Example: tinydream compress photos.npz --features backbone.tflite
    """
    if size["budget_bytes"] and size["representatives"]:
        raise InputError("give --budget-bytes or --representatives, not both")
    run, depth = Run(folder), _bits(bits)
    data = load_data(
        table,
        target=target,
        test=test,
        seed=seed,
        task=task,
        categories=categories,
        groups=groups,
    )
    if features:
        with show.counting("features") as tell:
            data, shape = extracted(data, features, shape, tell)
    codec = EntroGeDe(
        bits=depth,
        deviation=not no_deviation,
        projection=projection or ("none" if shape else "auto"),
        shape=tuple(shape) if shape else None,
        task=data.task,
        one_hot=data.one_hot,
        random_state=seed,
        **{k: v for k, v in size.items() if v},
    )
    with show.working("compress"):
        facts = stages.compress(run, data, codec, seed, validation)
        if store:
            kept = archive.keep_table(table, run.folder)
            facts["notes"] = [*facts["notes"], show.kept(kept, run.path(archive.STORE))]
    show.compressed(facts, as_json)


def _bits(text: str) -> str | int:
    if text == "auto":
        return text
    if not text.isdecimal() or not 1 <= int(text) <= 16:
        raise InputError(f"--bits is 'auto' or a number from 1 to 16, not {text!r}")
    return int(text)


@verbs.command(context_settings=CONTEXT)
@a_board
@a_network
@click.option(
    "--activation",
    type=click.Choice(list(ACTIVATIONS)),
    default="relu",
    help="Of hidden layers.",
)
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), default="adam")
@click.option("--momentum", default=0.0, help="Of sgd; costs 4 bytes a parameter unless 0.")
@click.option("--clip", default=0.0, help="Longest gradient of a step; 0 for any.")
@click.option("--decay", default=0.0, help="Weight decay, as Keras means it.")
@click.option("--sigmoid", is_flag=True, help="One output for two classes, instead of two.")
@click.option("--huber", default=0.0, help="Targets: delta of a Huber loss, instead of squares.")
@click.option("--train-last", type=int, metavar="K", help="Train the last K layers only.")
@click.option("--bias-only", is_flag=True, help="Train biases only.")
@click.option("--validation", default=0, metavar="N", help="Rows in flash that judge each epoch.")
@click.option("--keep-best", is_flag=True, help="End with the weights that these found best.")
@click.option("--refill", is_flag=True, help="Representatives in RAM, where refill puts others.")
@click.option("--recompute", is_flag=True, help="Less RAM, more time: outputs computed again.")
@click.option("--batch", default=20, help="Rows an update.")
@click.option(
    "--boot",
    type=click.Choice(list(BOOTS)),
    default="predict",
    help="What a starting device does with saved weights: nothing, load them, go on training.",
)
@click.option("--search", is_flag=True, help="Find the network, bytes and bits that learn best.")
@click.option("--epochs", default=60, help="Default of train --epochs.")
@click.option("--rate", type=float, help="Default of train --rate. [default: 0.003 adam, 0.05 sgd]")
@click.option("--seed", default=0, help="Default of train --seed.")
@a_course
@out
@as_json
@click.pass_context
def plan(
    ctx: click.Context,
    /,
    board: str,
    hidden: str,
    model: str | None,
    optimizer: str,
    momentum: float,
    clip: float,
    decay: float,
    batch: int,
    epochs: int,
    rate: float | None,
    seed: int,
    schedule: str | None,
    every: int | None,
    factor: float | None,
    patience: int | None,
    search: bool,
    folder: str,
    as_json: bool,
    **shape: Any,
) -> None:
    """Plan every byte of RAM and flash for a board.

    What does not fit is refused, with what to change. --search tries representatives and networks
    that fit, by short trainings that training rows kept back judge, and takes the best; it may
    compress anew. Code, time and energy are estimates.

    \b
    Example: tinydream plan --board qemu_netduinoplus2 --hidden 32,16 --optimizer sgd
    Example: tinydream plan --board native --model gait.keras
    """
    sizes, run, made_for = hidden_sizes(hidden), Run(folder), load_board(board)
    also, found = {"clip": clip, "decay": decay}, None
    moves = Adam(**also) if optimizer == "adam" else SGD(momentum=momentum, **also)
    if model:
        _refuse_beside(ctx, "model", *OWN, "activation")
        moves_told = any(_is_given(ctx, name) for name in ("optimizer", "momentum", *also))
        shape["network"] = stages.read_model(run, model, moves if moves_told else None)
        moves = shape["network"].optimizer
    if search:
        _refuse_beside(ctx, "search", *OWN, "model", "batch", "train_last", "bias_only")
        with show.counting("search") as tell:
            activation = shape["activation"]
            found = sizing.run_search(run, made_for, moves, activation=activation, tell=tell)
        sizing.recompress(run, found)
        sizes, batch = list(found.best.hidden), found.best.batch
        moves = moves if moves.record().kind == found.best.optimizer else SGD()
    course: dict[str, Any] = {
        "schedule": schedule,
        "every": every,
        "factor": factor,
        "patience": patience,
    }
    knobs = Knobs(
        epochs=epochs,
        rate=moves.rate if rate is None else rate,
        seed=seed,
        weights_seed=seed,
        **{k: v for k, v in course.items() if v is not None},
    )
    made = stages.plan(run, made_for, sizes, moves, knobs, batch, **shape)
    show_budget.planned(sizing.size(made, made_for), found, as_json)


OWN = ("hidden", "network", "sigmoid", "huber")  # what a search finds, or a model tells


def _refuse_beside(ctx: click.Context, this: str, *others: str) -> None:
    """What does not go together with an option."""
    for name in others:
        if _is_given(ctx, name):
            option = "--" + name.replace("_", "-")
            raise InputError(f"--{this} and {option} do not go together; leave one out")


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is not ParameterSource.DEFAULT


verbs.add_command(budget)


@verbs.command(context_settings=CONTEXT)
@click.option("--self-test", is_flag=True, help="A starting device computes 16 steps first.")
@click.option(
    "--port-folder", type=a_folder, metavar="DIR", help="A port of your own, instead of ours."
)
@out
def generate(self_test: bool, port_folder: str | None, folder: str) -> None:
    """Write the plan's firmware as a PlatformIO project.

    RUN/firmware is complete, and yours to take away. With --self-test a chip that computes other
    weights than this machine refuses to train.

    \b
    Example: tinydream generate && ls run/firmware/src
    """
    port = Path(port_folder) if port_folder else None
    place = stages.generate(Run(folder), self_test=self_test, port=port)
    show.line(f"{place} is a PlatformIO project; `tinydream build` or `pio run` builds it")


@verbs.command(context_settings=CONTEXT)
@click.option("--verbose", "-v", is_flag=True, help="Show PlatformIO's output.")
@out
def build(verbose: bool, folder: str) -> None:
    """Build RUN/firmware with PlatformIO.

    \b
    Example: tinydream build --verbose
    """
    with show.working("build"):
        program = stages.build(Run(folder), show.line if verbose else None)
    show.line(f"{program} is ready; `tinydream train` runs it, on a real board after `flash`")


verbs.add_command(flash)


for each in (train, monitor, dashboard, pull, push, refill, save, load, erase):
    verbs.add_command(each)


@verbs.command(context_settings=CONTEXT)
@click.option(
    "--baselines/--no-baselines", default=True, help="Train all rows and random rows, too."
)
@out
@as_json
def report(baselines: bool, folder: str, as_json: bool) -> None:
    """Score held-out rows, beside fair baselines.

    The device is checked against the simulator, too; all of it goes into RUN/report.json.

    \b
    Example: tinydream report --json
    """
    run = Run(folder)
    with show.working("report"):
        made = stages.report(run, baselines=baselines)
    show.report(made, run.path("report.json"), as_json)


@verbs.command("demo", context_settings=CONTEXT)
@click.option(
    "--port",
    "-p",
    type=click.Choice(("sim", "native", "qemu")),
    default="native",
    help="Where it trains: the simulator, a process, or an emulated Cortex-M4F (some 10 s a seed).",
)
@click.option("--seeds", type=click.IntRange(1, 20), default=5, help="Splits and initialisations.")
@out
@as_json
def demo_verb(port: str, seeds: int, folder: str, as_json: bool) -> None:
    """Everything at once, on handwritten digits.

    They are compressed, planned, built, trained, pulled and verified.

    \b
    Example: tinydream demo --port sim --seeds 1
    """
    with show.stages(seeds) as tell:
        made = demo(Path(folder), port=port, seeds=seeds, tell=tell)
    show.report(made, Path(folder) / "report.json", as_json)


looks.register(verbs)
for each in (boards, ports, doctor):
    verbs.add_command(each)
