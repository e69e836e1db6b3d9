"""What every reader of a file hands over."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.data.columns import Column

__all__ = ["Source", "near", "number_groups", "target_names"]


@dataclass(frozen=True, eq=False)
class Source:
    """A table as its file holds it.

    parts: training rows (n, d) as numbers, and test rows if the file has them. targets: a
    column (n + test,) for each of `names`, with as many `test` rows last. texts: of a target,
    sorted, when its column holds their places. class_names: what the numbers of a target are
    called. recode: whether codes of categories may be counted anew. groups: (n + test,) whose row
    each is, as numbers of groups, when a column was named that tells.
    """

    parts: tuple[NDArray[Any], ...]
    columns: tuple[Column, ...]
    targets: tuple[NDArray[Any], ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    texts: tuple[tuple[str, ...], ...] = ()
    class_names: tuple[str, ...] = ()
    recode: bool = False
    groups: NDArray[np.int32] | None = None

    @property
    def values(self) -> tuple[NDArray[Any], ...]:
        """The targets; where one holds places of texts, the texts instead of it."""
        texts = self.texts or ((),) * len(self.targets)
        return tuple(np.array(t) if t else y for y, t in zip(self.targets, texts, strict=True))

    @property
    def test(self) -> int:
        return len(self.parts[1]) if len(self.parts) > 1 else 0


def target_names(target: str, known: Sequence[str]) -> tuple[str, ...]:
    """The targets that a user means: one column's name, or several with commas between them."""
    if target in known:
        return (target,)
    names = [name.strip() for name in target.split(",") if name.strip()]
    return tuple(dict.fromkeys(names)) or (target,)


def number_groups(names: NDArray[Any]) -> NDArray[np.int32]:
    """Whatever groups are called, (n,), as their numbers 0, 1, ... in order of their names."""
    return np.asarray(np.unique(names.astype(str), return_inverse=True)[1], np.int32).reshape(-1)


def near(name: str, names: Sequence[str]) -> str:
    """What the user may have meant instead of `name`."""
    close = difflib.get_close_matches(name, names, 3, 0.5)
    some = list(names[:8]) + ["..."] * (len(names) > 8)
    return (
        f"did you mean {' or '.join(map(repr, close))}?" if close else "it has " + ", ".join(some)
    )
