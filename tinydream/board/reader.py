"""One table of a board file: known keys are taken, their types checked, the rest refused."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydream.board.facts import Fact
from tinydream.errors import BoardError

__all__ = ["Form", "Reader"]


@dataclass(frozen=True)
class Form:
    """What a text must match as a whole, and one that does."""

    pattern: str
    example: str


class Reader:
    """Takes keys out of one table; BoardError says which is missing, wrong or left over."""

    def __init__(self, path: Path, where: str, table: dict[str, Any]) -> None:
        self.facts: list[Fact] = []
        self._path, self._where, self._left = path, where, dict(table)
        self._known: set[str] = set()

    def wrong(self, why: str) -> BoardError:
        where = f", {self._where}" if self._where else ""
        return BoardError(f"board file {self._path}{where}: {why}")

    def has(self, key: str) -> bool:
        self._known.add(key)
        return key in self._left

    def _take(self, key: str, kind: type, what: str) -> Any:
        if not self.has(key):
            raise self.wrong(f"key '{key}' is missing; add {what}")
        value = self._left.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise self.wrong(f"'{key}' must be {what}, not {value!r}")
        return value

    def text(self, key: str, form: Form | None = None) -> str:
        """A text, of a form if one is given."""
        value = str(self._take(key, str, "a text"))
        self._check(key, value, form)
        return value

    def texts(self, key: str, form: Form | None = None) -> tuple[str, ...]:
        """The same for each text of a list."""
        values = self._take(key, list, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self.wrong(f"'{key}' must be a list of texts, not {values!r}")
        for value in values:
            self._check(key, value, form)
        return tuple(values)

    def _check(self, key: str, value: str, form: Form | None) -> None:
        if form and not re.fullmatch(form.pattern, value):
            raise self.wrong(f"'{key}' has {value!r}; what it takes looks like '{form.example}'")

    def flag(self, key: str) -> bool:
        """True or false; false where the key is absent."""
        return self.has(key) and bool(self._take(key, bool, "true or false"))

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.text(key)
        if value not in choices:
            raise self.wrong(f"'{key}' must be one of {', '.join(choices)}, not '{value}'")
        return value

    def number(self, key: str) -> int:
        form = "{ value = a number, source = where it stands }"
        fact = Reader(self._path, self._at(key), self._take(key, dict, form))
        value = int(fact._take("value", int, "a whole number"))
        source = fact.text("source")
        unverified = fact.flag("unverified")
        fact.end()
        if value < 0:
            raise fact.wrong(f"'value' must be 0 or more, not {value}")
        self.facts.append(Fact(self._at(key), source, unverified))
        return value

    def table(self, key: str, optional: bool = False) -> "Reader":
        table = {} if optional and not self.has(key) else self._take(key, dict, f"a table [{key}]")
        reader = Reader(self._path, self._at(key), table)
        reader.facts = self.facts  # one list for the whole file
        return reader

    def tables(self, key: str) -> list["Reader"]:
        form = f"tables [[{key}]]"
        tables = self._take(key, list, form)
        if not all(isinstance(table, dict) for table in tables):
            raise self.wrong(f"'{key}' must be {form}, not {tables!r}")
        readers = [
            Reader(self._path, f"{key} {table.get('name', i)}", table)
            for i, table in enumerate(tables, 1)
        ]
        for reader in readers:
            reader.facts = self.facts
        return readers

    def end(self) -> None:
        for key in self._left:
            near = difflib.get_close_matches(key, sorted(self._known), n=1)
            hint = f"did you mean '{near[0]}'?" if near else "remove it"
            raise self.wrong(f"key '{key}' is unknown; {hint}")

    def _at(self, key: str) -> str:
        return f"{self._where}, {key}" if self._where else key

    def __bool__(self) -> bool:
        return bool(self._left)
