"""The table that was compressed: what a run remembers of it, and reading it again."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from tinydream.data import Data, load_data
from tinydream.errors import InputError
from tinydream.run import Run

__all__ = ["describe", "load_again", "missing", "part_note"]


def part_note(rows: int, condensed: int) -> list[str]:
    """A sentence when clearly fewer rows were condensed than there are."""
    if rows < 1.2 * condensed:  # weights on few levels do not add up to the very row
        return []
    return [f"a random part of the {rows:,} rows, about {condensed:,}, was condensed"]


def missing(data: Data) -> list[str]:
    """Features that lack a value in some training row."""
    if data.X.dtype.kind != "f":
        return []
    # the sum of a column is no number exactly where one of its values is none
    gaps = np.isnan(np.sum(data.X, axis=0, dtype=np.float64))
    return [name for name, gap in zip(data.features, gaps, strict=True) if gap]


def describe(data: Data, seed: int) -> dict[str, Any]:
    """Where a table came from, how it was read, and what it held, for compress.json."""
    path = Path(data.path)
    return {
        "path": str(path.resolve()),
        "blake2b": _fingerprint(path),
        "target": data.target,
        "task": data.task,
        "categories": data.categories,
        "groups": data.group,
        "test": data.share,
        "seed": seed,
    }


def _fingerprint(path: Path) -> str:
    """BLAKE2b of a file, or of the files in a folder, read piece by piece."""
    digest = hashlib.blake2b(digest_size=8)
    for part in sorted(path.iterdir()) if path.is_dir() else [path]:
        with open(part, "rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()


def load_again(run: Run, source: dict[str, Any]) -> Data | None:
    """The table that was compressed, if it is still the same.

    Raises RunError when the run's facts about it make no sense.
    """
    try:
        path = Path(source["path"])
        if _fingerprint(path) != source["blake2b"]:
            return None
        options = {key: source[key] for key in ("target", "task", "categories", "test", "seed")}
        return load_data(path, groups=source.get("groups"), **options)
    except OSError:
        return None
    except (InputError, KeyError, TypeError, ValueError) as error:
        why = f"its source is not that of the table: {str(error).split(';')[0]}"
        raise run.damaged("compress.json", why) from None
