"""Options that verbs share, and what the Tab key suggests for them."""

from collections.abc import Callable
from pathlib import Path

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from tinydream.board import list_boards
from tinydream.bridge import port_names
from tinydream.errors import InputError
from tinydream.saving import SAVE_BEST
from tinydream.training import SCHEDULES

__all__ = [
    "CONTEXT",
    "InOrder",
    "SaveEvery",
    "a_board",
    "a_board_or_none",
    "a_course",
    "a_file",
    "a_folder",
    "a_network",
    "a_port",
    "a_seed",
    "a_shape",
    "as_json",
    "hidden_sizes",
    "maybe_port",
    "out",
    "ports_of",
]

CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100}

PORTS = {
    "sim": "the device's code in this process",
    "native": "the firmware as a process of this machine",
    "qemu": "the firmware on the board's emulated core",
    "keras": "the plan's network in Keras",
}


class InOrder(click.Group):
    """A group whose help lists verbs in the order in which a run uses them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class _Board(StringParamType):
    name = "board"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"boards: {', '.join(list_boards())}, or a TOML file of your own"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        if "/" in incomplete or incomplete.startswith("."):
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(each) for each in list_boards() if each.startswith(incomplete)]


class _Port(StringParamType):
    name = "port"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        verb = ctx.command_path if ctx else "tinydream train"
        return f"without a board at hand: {verb} --port sim"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        serial = {name: "a serial port" for name in port_names()}
        return [
            CompletionItem(name, help=what)
            for name, what in (PORTS | serial).items()
            if name.startswith(incomplete)
        ]


class _File(StringParamType):
    """A file's or a folder's name as it is typed; who reads it says what is wrong with it."""

    def __init__(self, kind: str) -> None:
        self.name = self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self.kind)]


a_file = _File("file")
a_folder = _File("dir")
a_seed = click.IntRange(0, 2**31 - 1)

out = click.option(
    "-o",
    "--out",
    "folder",
    default="run",
    type=_File("dir"),
    metavar="RUN",
    help="The run folder.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
a_port = click.option(
    "--port",
    "-p",
    required=True,
    type=_Port(),
    metavar="P",
    help="sim, native, qemu, /dev/tty..., or any pyserial URL.",
)


class SaveEvery(click.ParamType[int]):
    """Epochs after which a device saves, or 'best'; 0 for never."""

    name = "epochs"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if value == "best":
            return SAVE_BEST
        if not str(value).isdigit() or int(value) >= SAVE_BEST:
            self.fail(f"{value!r} is neither 'best' nor a number of epochs", param, ctx)
        return int(value)


def a_course(verb: Callable[..., None]) -> Callable[..., None]:
    """How the rate changes over a run, and what may end it early; None where it is not given."""
    options = (
        click.option(
            "--schedule",
            type=click.Choice(list(SCHEDULES)),
            help="Of the rate: times factor every so many epochs, or down to rate * factor.",
        ),
        click.option("--every", type=int, help="Epochs between two steps of the rate."),
        click.option("--factor", type=float, help="Of a schedule, from 0 to 1."),
        click.option(
            "--patience", type=int, help="Epochs without a lower validation loss that end a run."
        ),
    )
    for option in reversed(options):
        verb = option(verb)
    return verb


def maybe_port(help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--port, which the verb can do without."""
    return click.option("--port", "-p", type=_Port(), metavar="P", help=help)


def _a_board(required: bool, help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--board", "-b", required=required, type=_Board(), metavar="B", help=help)


a_board = _a_board(True, "A board's id, or its TOML file.")
a_board_or_none = _a_board(False, "Every part of one board: its id, or its TOML file.")


def _text(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """What a file holds. Raises InputError when it cannot be read."""
    try:
        return None if name is None else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name} cannot be read: {error}") from None


def a_network(command: Callable[..., None]) -> Callable[..., None]:
    """--hidden, --network, or --model."""
    command = click.option(
        "--model",
        type=_File("file"),
        metavar="FILE",
        help="Instead of --hidden: a Keras model, with its weights, optimizer, and what is frozen.",
    )(command)
    command = click.option(
        "--network",
        type=_File("file"),
        metavar="FILE",
        callback=_text,
        help="Instead of --hidden: TOML of the inputs' shape and of layers.",
    )(command)
    return click.option(
        "--hidden", default="32", metavar="N,N,...", help="Sizes of hidden layers; '' for none."
    )(command)


def _lengths(ctx: click.Context, param: click.Parameter, text: str | None) -> list[int] | None:
    """Lengths such as 28,28. Raises InputError for anything else."""
    try:
        return None if text is None else [int(length) for length in text.split(",")]
    except ValueError:
        raise InputError(f"--shape is a list of lengths such as 28,28, not {text!r}") from None


a_shape = click.option(
    "--shape",
    metavar="N,N,...",
    callback=_lengths,
    help="Of a row that is a signal or a picture: 28,28. Keeps all of its numbers.",
)


def hidden_sizes(text: str) -> list[int]:
    """Sizes such as 32,16; none of ''. Raises InputError for anything else."""
    try:
        return [int(size) for size in text.split(",") if size.strip()]
    except ValueError:
        raise InputError(f"--hidden is a list of sizes such as 32,16, not {text!r}") from None


def ports_of(
    help: str, required: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """--port, once or more."""
    return click.option(
        *("--port", "-p", "ports"),
        required=required,
        multiple=True,
        type=_Port(),
        metavar="P",
        help=help,
    )
