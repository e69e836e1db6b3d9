"""Figures that took long, kept by what they are of: a run that was cut off goes on where it was."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Cells"]


class Cells:
    """A file of them, a line each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: dict[str, dict[str, Any]] = {}
        for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
            with suppress(ValueError):  # cut off in the middle of a line
                key, cell = json.loads(line)
                self._kept[key] = cell

    def get(self, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is kept under the key; it is made and kept if there is nothing."""
        if key not in self._kept:
            self._kept[key] = make()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([key, self._kept[key]]) + "\n")
        return self._kept[key]
