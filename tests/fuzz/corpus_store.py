"""Good inputs for the fuzz target of the store: python corpus_store.py FOLDER."""

import sys
from pathlib import Path

import numpy as np

from tinydream.store import make_store


def store(folder: Path) -> None:
    """Model sections and blocks of small stores of different kinds."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.integers(-3, 4, (300, 4)), axis=0)
    gaps = np.where(rng.random((300, 2)) < 0.2, np.nan, np.round(rng.random((300, 2)), 1))
    tables = {
        "walk": walk,
        "twins": np.column_stack([walk, walk * 2 + 1]),
        "gaps": gaps,
        "noise": rng.normal(size=(60, 2)),
        "picture": (np.add.outer(np.arange(70), np.arange(36)) % 9).astype(np.uint8),
    }
    for name, table in tables.items():
        made = make_store({"x": table})
        assert made.coder is not None
        model = made.coder.models
        block = made.coder.encode(
            [np.ascontiguousarray(table).view(np.uint8).reshape(len(table), -1)]
        )
        rows = len(table).to_bytes(2, "little")
        (folder / name).write_bytes(rows + len(model).to_bytes(4, "little") + model + block[4:])


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    store(place)
