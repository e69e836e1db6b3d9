"""Tables and JSON of the verbs boards, ports and doctor."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from tinydream.board import Board
from tinydream.cli.show import console, line
from tinydream.doctor import Check
from tinydream.ports import Place

__all__ = ["boards", "checks", "ports"]


def boards(all_boards: Sequence[Board], as_json: bool) -> None:
    if as_json:
        return print(json.dumps([_board(board) for board in all_boards], indent=2))
    table = _table("board", "core", "flash KiB", "ram KiB", "usable KiB", "port")
    for board in all_boards:
        flash, ram = board.region("flash"), board.region("ram")
        usable = " + ".join(_kib(r.usable) + board.mark_usable(r.name) for r in (flash, ram))
        sizes = (_kib(r.bytes) + board.mark(f"region {r.name}, bytes") for r in (flash, ram))
        table.add_row(board.id, board.core, *sizes, usable, _port(board))
    console.print(table)
    line("?: unverified, nobody has read that number where its source says; these are:")
    for board in all_boards:
        facts = ", ".join(fact.replace(", ", " ") for fact in board.unverified)
        line(f"{board.id}: {board.name}" + (f"; unverified: {facts}" if facts else ""))


def _board(board: Board) -> dict[str, object]:
    regions = [{**asdict(region), "usable": region.usable} for region in board.regions]
    plain: dict[str, object] = {**asdict(board), "regions": regions, "run_by": _port(board)}
    del plain["text"]
    return {**plain, "unverified": board.unverified}


def _port(board: Board) -> str:
    return "native" if board.port == "native" else "qemu" if board.qemu else "serial"


def ports(places: Sequence[Place], as_json: bool) -> None:
    if as_json:
        return print(json.dumps([asdict(place) for place in places], indent=2))
    table = _table("port", "what it is", "board", "ready")
    for place in places:
        boards = place.boards[0] if len(place.boards) == 1 else "any"
        ready = "[red]no[/]" if place.missing else "[green]yes[/]"
        table.add_row(place.port, escape(place.what), boards, ready)
    console.print(table)
    for place in places:
        for need in place.missing:
            line(f"{place.port} needs {need}")


def checks(found: Sequence[Check], as_json: bool) -> None:
    """Lines, not a table: a command that is broken over two lines cannot be copied."""
    if as_json:
        return print(json.dumps([asdict(check) for check in found], indent=2))
    for check in found:
        state = "[green]ok     [/]" if check.ok else "[red]missing[/]"
        console.print(f"{state}  {check.name:18} {escape(check.found)}")
        if not check.ok:
            line(f"{'':9}port {' and '.join(check.needed_for)}: {check.mend}")


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=i == 0)
    return table


def _kib(count: int) -> str:
    return f"{count / 1024:,.1f}".removesuffix(".0")
