"""The verbs about what there is: boards, ports, and what this machine lacks."""

from pathlib import Path

import click

from tinydream.board import list_boards, load_board
from tinydream.cli import show_tools
from tinydream.cli.options import CONTEXT, as_json, out
from tinydream.doctor import examine
from tinydream.ports import list_places

__all__ = ["boards", "doctor", "ports"]


@click.command(context_settings=CONTEXT)
@as_json
def boards(as_json: bool) -> None:
    """List the boards that can be planned for.

    Beside each: its memory, and which of its facts nobody has verified.

    \b
    Example: tinydream boards --json
    """
    show_tools.boards([load_board(board) for board in list_boards()], as_json)


@click.command(context_settings=CONTEXT)
@as_json
def ports(as_json: bool) -> None:
    """List what can stand after --port here.

    Beside each: what it still needs.

    \b
    Example: tinydream ports
    """
    show_tools.ports(list_places(), as_json)


@click.command(context_settings=CONTEXT)
@out
@as_json
@click.pass_context
def doctor(ctx: click.Context, folder: str, as_json: bool) -> None:
    """Look for compilers, QEMU, PlatformIO and permissions.

    Beside each that is missing: the command that mends it.

    Ends with 1 when something is missing without which port native cannot train.

    \b
    Example: tinydream doctor
    """
    checks = examine(Path(folder))
    show_tools.checks(checks, as_json)
    ctx.exit(int(any(not c.ok and "native" in c.needed_for for c in checks)))
