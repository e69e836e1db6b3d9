"""The verb that tells on which boards a plan fits."""

from typing import Any

import click

from tinydream import sizing, stages
from tinydream.board import list_boards, load_board
from tinydream.cli import show_budget
from tinydream.cli.options import CONTEXT, a_board_or_none, as_json, hidden_sizes, out
from tinydream.network import SGD, Adam
from tinydream.run import Run

__all__ = ["budget"]


@click.command(context_settings=CONTEXT)
@a_board_or_none
@click.option("--hidden", metavar="N,N,...", help="Another network than the plan's.")
@click.option("--optimizer", type=click.Choice(["adam", "sgd"]), help="Of that network.")
@click.option("--batch", type=int, help="Rows an update of that network.")
@out
@as_json
def budget(
    board: str | None,
    hidden: str | None,
    optimizer: str | None,
    batch: int | None,
    folder: str,
    as_json: bool,
) -> None:
    """Tell on which boards the plan fits.

    For each board: bytes of RAM and flash that it needs, by how much it does not fit, and which
    change would make it fit, tried before it is told. With --board all parts of it, as planned
    and, once built, as linked; time and energy of an epoch are estimates. Without a plan, or with
    options, a network is taken that one might plan.

    \b
    Example: tinydream budget
    Example: tinydream budget --board bluepill_f103c8 --hidden 64 --optimizer sgd
    """
    run, made = Run(folder), None
    if not run.has("plan.bin") or any(x is not None for x in (hidden, optimizer, batch)):
        moves = SGD() if optimizer == "sgd" else Adam()
        sizes = hidden_sizes("32" if hidden is None else hidden)
        made = stages.sketch(
            run, load_board("native"), sizes, moves, 20 if batch is None else batch
        )
    if board:
        return show_budget.one(sizing.run_size(run, load_board(board), made), as_json)
    boards = [load_board(each) for each in list_boards() if each != "native"]
    own: dict[str, Any] = {} if made else {each.id: each for each in [run.board(run.plan())]}
    known = {each.id: each for each in boards} | own
    found = [sizing.run_size(run, each, made) for each in known.values()]
    show_budget.every(found, as_json)
