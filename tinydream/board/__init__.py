"""Facts about a board, each with its source, from one TOML file a board."""

import difflib
import tomllib
from pathlib import Path

from tinydream.board.facts import (
    Board,
    Devices,
    Emulator,
    Fact,
    PlatformIO,
    Power,
    Region,
    Storage,
    Usb,
)
from tinydream.board.parse import EMULATORS, board_from
from tinydream.board.reader import Reader
from tinydream.errors import BoardError
from tinydream.resources import boards_folder

__all__ = [
    "EMULATORS",
    "Board",
    "Devices",
    "Emulator",
    "Fact",
    "PlatformIO",
    "Power",
    "Region",
    "Storage",
    "Usb",
    "list_boards",
    "load_board",
    "parse_board",
]


def list_boards() -> tuple[str, ...]:
    """Ids of the boards that ship with tinydream, sorted."""
    return tuple(sorted(path.stem for path in boards_folder().glob("*.toml")))


def load_board(board: str | Path) -> Board:
    """A board by its id, or from a TOML file of your own; BoardError says what is wrong with it.

    An id that does not ship with tinydream is looked for as ID.toml and boards/ID.toml in the
    present folder.
    """
    if isinstance(board, Path) or board.endswith(".toml"):
        return _read(Path(board))
    if board in list_boards():
        return _read(boards_folder() / f"{board}.toml")
    for own in (Path(f"{board}.toml"), Path("boards", f"{board}.toml")):
        if own.name == f"{board}.toml" and own.is_file():
            return _read(own)
    near = difflib.get_close_matches(board, list_boards(), n=3)
    guess = f"did you mean {' or '.join(near)}?" if near else "see `tinydream boards`"
    raise BoardError(f"board '{board}' is unknown; {guess}")


def parse_board(text: str, path: Path) -> Board:
    """A board from the text of its file; its id must be the file's name."""
    try:
        read = Reader(path, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BoardError(f"board file {path} is not TOML: {error}; mend that line") from None
    return board_from(read, text, path.stem)


def _read(path: Path) -> Board:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BoardError(f"board file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BoardError(f"board file {path} is not TOML: {error}; mend that line") from None
    return parse_board(text, path)
