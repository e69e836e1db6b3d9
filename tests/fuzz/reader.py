"""Fuzz target: the file of a store is read, or refused in a sentence: reader.py RUNS SEED."""

import os
import sys
import tempfile
from pathlib import Path

import atheris
import numpy as np
from host import instrument

from tinydream.errors import DataError
from tinydream.store import coder, columns, container, load_store, make_store, model, part, store

MOST = 4096  # rows that are read; a file may say that it has more


def good_files(folder):
    """With text, gaps and several arrays; and one without rows."""
    numbers = np.arange(60).reshape(20, 3) / 10
    texts = np.array(["a", "b", "", "ü"] * 5)
    make_store({"x": numbers, "t": texts}).save(folder / "both")
    make_store({"x": np.where(numbers > 2, np.nan, numbers)}).save(folder / "gaps")
    make_store({"x": np.zeros((0, 3), np.int16)}).save(folder / "empty")


def one_input(data, place):
    place.write_bytes(data)
    try:
        found = load_store(place)
        if 0 < len(found) <= MOST:
            found.arrays()
            _ = found[len(found) - 1]
    except DataError:
        return


if __name__ == "__main__":
    os.environ["TINYDREAM_THREADS"] = "1"
    runs, seed = sys.argv[1:]
    for each in (coder, columns, container, model, part, store):
        instrument(each)
    with tempfile.TemporaryDirectory() as folder:
        corpus, place = Path(folder, "corpus"), Path(folder, "s.tds")
        corpus.mkdir()
        good_files(corpus)
        limits = [f"-runs={runs}", f"-seed={seed}", "-max_len=4096", f"-artifact_prefix={folder}/"]
        atheris.Setup([sys.argv[0], *limits, str(corpus)], lambda data: one_input(data, place))
        atheris.Fuzz()
