"""The verbs about what there is: boards, ports, and what this machine lacks."""

from pathlib import Path

import click

from tinydream.board import list_boards, load_board
from tinydream.board.draft import draft_board
from tinydream.cli import show_tools
from tinydream.cli.show import line
from tinydream.doctor import examine
from tinydream.errors import InputError
from tinydream.ports import list_places

__all__ = ["boards", "doctor", "ports"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def boards(ctx: click.Context, as_json: bool) -> None:
    """List boards, and which of their facts nobody has verified.

    `boards new` writes a file for a board of your own.

    \b
    Example: tinydream boards --json
    """
    if ctx.invoked_subcommand is None:
        show_tools.boards([load_board(board) for board in list_boards()], as_json)


@boards.command
@click.argument("board_id", metavar="ID")
@click.option("--from", "like", default="nucleo_f446re", help="The board that is most like it.")
def new(board_id: str, like: str) -> None:
    """Write ID.toml, a board of your own to fill in.

    \b
    Example: tinydream boards new my_board --from esp32dev
    """
    text, place = draft_board(board_id, load_board(like)), Path(f"{board_id}.toml")
    try:
        with place.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"{place} cannot be written: {error.strerror}; take another id, or another folder"
        ) from None
    line(f"{place} is a board to fill in; `tinydream plan --board {board_id}` takes it here")


@click.command
@as_json
def ports(as_json: bool) -> None:
    """List what --port takes here, and what each needs.

    Example: tinydream ports
    """
    show_tools.ports(list_places(), as_json)


@click.command
@click.option("-o", "--out", "folder", default="run", metavar="RUN", help="The run folder to be.")
@as_json
@click.pass_context
def doctor(ctx: click.Context, folder: str, as_json: bool) -> None:
    """Look for what is missing, and say how to mend it.

    Ends with 1 when something is missing without which port native cannot train.

    Example: tinydream doctor
    """
    checks = examine(Path(folder))
    show_tools.checks(checks, as_json)
    ctx.exit(int(any(not c.ok and "native" in c.needed_for for c in checks)))
