"""The verbs about what there is: boards, ports, and what this machine lacks."""

from pathlib import Path

import click

from tinydream.board import list_boards, load_board
from tinydream.cli import show_tools
from tinydream.doctor import examine
from tinydream.ports import list_places

__all__ = ["boards", "doctor", "ports"]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


@click.command
@as_json
def boards(as_json: bool) -> None:
    """List boards, and which of their facts nobody has verified.

    Example: tinydream boards --json
    """
    show_tools.boards([load_board(board) for board in list_boards()], as_json)


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
