"""A board file to begin with, from the file of a board that is much like it."""

import re
from pathlib import Path

from tinydream.board import Board, list_boards, parse_board
from tinydream.errors import BoardError

__all__ = ["draft_board"]

FACT = re.compile(r'\{ value = ([^,]+), source = "((?:[^"\\]|\\.)*)"(?:, unverified = true)? \}')
HEAD = """\
# {id}: a draft, made from {like}. For each number look up what holds for your board, say in
# which document and on which page (or in which source file) it stands, and take `unverified = true`
# away: tables mark what is left with "?". Begin with [[region]]: `tinydream plan --board {id}`.
"""


def draft_board(board_id: str, like: Board) -> str:
    """The text of a board file that can be planned for, all of its numbers unverified.

    Raises BoardError for an id that is no file name, or a board's that ships.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", board_id):
        raise BoardError(
            f"{board_id!r} is no id of a board; take small letters, digits, _ and -, as in my_board"
        )
    if board_id in list_boards():
        raise BoardError(f"board {board_id!r} ships with tinydream; choose another id")
    body = re.sub(r"\A(?:#[^\n]*\n)+", "", like.text)
    body = re.sub(r'^id = "[^"\n]*"', f'id = "{board_id}"', body, count=1, flags=re.M)
    body = re.sub(r'^name = "([^"\n]*)"', r'name = "like \1"', body, count=1, flags=re.M)
    body = FACT.sub(rf'{{ value = \1, source = "as {like.id}: \2", unverified = true }}', body)
    text = HEAD.format(id=board_id, like=like.id) + body
    parse_board(text, Path(f"{board_id}.toml"))
    return text
