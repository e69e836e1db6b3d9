"""The data sets with a test split, and the validation rows carved out of their training rows."""

import os
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SETS",
    "SHAPED",
    "SHAPES",
    "Facts",
    "Fold",
    "data_folder",
    "facts_of",
    "held_out",
    "load",
    "noisy",
]

ROOT = Path(__file__).resolve().parents[2]
MOST_TEST = 20_000  # test rows scored, the same ones for every method
MOST_VALIDATION = 4_000
VALIDATION = 0.2  # of the training rows, or of their groups


@dataclass(frozen=True)
class Facts:
    """What is set by hand: the task, what the columns are, updates for all rows to converge.

    kind: "table", "sensor" or "image". groups: the array that names persons or units.
    """

    task: str
    kind: str
    steps: int
    groups: str = ""


# Updates: twice as many gained all rows less than a point on held-out training rows.
CLASSES, NUMBERS = "classification", "regression"
SETS = {
    "adult": Facts(CLASSES, "table", 6000),
    "appliances_energy": Facts(NUMBERS, "sensor", 16000),
    "beijing_air": Facts(NUMBERS, "sensor", 12000),
    "california_housing": Facts(NUMBERS, "table", 16000),
    "ccpp": Facts(NUMBERS, "sensor", 12000),
    "cmapss_fd001": Facts(NUMBERS, "sensor", 4000, "unit_train"),
    "cwru_bearing48k": Facts(CLASSES, "sensor", 2000),
    "eeg_eye": Facts(CLASSES, "sensor", 16000),
    "fashion_mnist_mini": Facts(CLASSES, "image", 1000),
    "fsdd_mfcc": Facts(CLASSES, "sensor", 1000, "speaker_train"),
    "geotec_har_watch": Facts(CLASSES, "sensor", 2000, "subject_train"),
    "kddcup99_10pct": Facts(CLASSES, "table", 6000),
    "letter": Facts(CLASSES, "table", 16000),
    "magic_gamma": Facts(CLASSES, "sensor", 6000),
    "magic_wand_digits": Facts(CLASSES, "sensor", 1000),
    "mnist": Facts(CLASSES, "image", 3000),
    "naval": Facts(NUMBERS, "sensor", 12000),
    "occupancy": Facts(CLASSES, "sensor", 4000),
    "optdigits": Facts(CLASSES, "image", 4000),
    "protein_casp": Facts(NUMBERS, "table", 16000),
    "room_occupancy": Facts(CLASSES, "sensor", 4000),
    "skin_segmentation": Facts(CLASSES, "table", 8000),
    "wisdm_features": Facts(CLASSES, "sensor", 6000),
}
SHAPED = "known"  # stands for the shape of a set's inputs
SHAPES = {
    "fashion_mnist_mini": (28, 28),
    "fsdd_mfcc": (49, 10),
    "geotec_har_watch": (50, 6),
    "magic_wand_digits": (40, 2),
    "mnist": (28, 28),
    "optdigits": (8, 8),
}
# no test split of its own: its last batch is scored on
STREAMS = {"gas_sensor_drift": Facts(CLASSES, "sensor", 3000, "batch")}


def facts_of(name: str) -> Facts:
    """Of a set with a test split, or of the stream."""
    return SETS[name] if name in SETS else STREAMS[name]


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows X (n, d) to learn from and rows to be scored on; y: class indices 0..k-1, or numbers.

    name: tells folds apart. groups: (n,) persons or units, or None. read: seconds from disk.
    """

    name: str
    facts: Facts
    X: NDArray[Any]
    y: NDArray[Any]
    X_score: NDArray[Any]
    y_score: NDArray[Any]
    groups: NDArray[Any] | None
    read: float

    @property
    def task(self) -> str:
        return self.facts.task

    @property
    def chance(self) -> float:
        """The score of always saying the most frequent class, or the mean."""
        if self.task == NUMBERS:
            return 0.0
        return float(np.mean(self.y_score == np.bincount(self.y).argmax()))


def data_folder() -> Path:
    """$TINYDREAM_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("TINYDREAM_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        raise click.ClickException(
            f"the data sets are not in {folder}; set TINYDREAM_DATA to the folder that has them"
        )
    return folder


@lru_cache(maxsize=3)
def load(name: str) -> Fold:
    """All training rows of a set, and its test rows (at most 20,000, always the same)."""
    path, facts = data_folder() / f"{name}.npz", facts_of(name)
    if not path.is_file():
        raise click.ClickException(f"{path} is missing; fetch it, or name others with --sets")
    start = time.perf_counter()
    with np.load(path, allow_pickle=False) as file:
        keys = ("x_train", "y_train", "x_test", "y_test") if name in SETS else ("x", "y", "x", "y")
        X, y, Xt, yt = (file[key] for key in keys)
        groups = file[facts.groups] if facts.groups else None
    read = time.perf_counter() - start
    if name in STREAMS and groups is not None:
        last = groups == groups.max()
        X, y, groups, Xt, yt = X[~last], y[~last], groups[~last], Xt[last], yt[last]
    if facts.task == CLASSES:
        yt, y = (np.searchsorted(np.unique(y), each).astype(np.int32) for each in (yt, y))
    else:
        yt, y = yt.astype(np.float64), y.astype(np.float64)
    if len(Xt) > MOST_TEST:
        some = np.sort(np.random.default_rng(0).choice(len(Xt), MOST_TEST, replace=False))
        Xt, yt = Xt[some], yt[some]
    return Fold(name, facts, X, y, Xt, yt, groups, read)


@lru_cache(maxsize=3)
def held_out(name: str, noise: float = 0.0) -> Fold:
    """The same set without its test rows: a part of the training rows is scored on instead.

    Whole groups where the set has groups, else a fifth of each class. With label noise the rows
    scored on are as wrong as the others: nobody who chooses a rate would have better ones.
    """
    fold = noisy(load(name), noise, 0)
    generator = np.random.default_rng(1)
    if fold.groups is not None:
        names = generator.permutation(np.unique(fold.groups))
        out = np.isin(fold.groups, names[: max(1, round(VALIDATION * len(names)))])
    else:
        out = np.zeros(len(fold.y), bool)
        kinds = fold.y if fold.task == CLASSES else np.zeros(len(fold.y), np.int32)
        for k in np.unique(kinds):
            rows = generator.permutation(np.flatnonzero(kinds == k))
            out[rows[: int(VALIDATION * len(rows))]] = True
    scored = np.flatnonzero(out)
    scored = np.sort(generator.permutation(scored)[:MOST_VALIDATION])
    groups = None if fold.groups is None else fold.groups[~out]
    parts = fold.X[~out], fold.y[~out], fold.X[scored], fold.y[scored]
    return Fold(f"{name} held out {noise}", fold.facts, *parts, groups, fold.read)


def noisy(fold: Fold, share: float, seed: int) -> Fold:
    """The fold with this share of its training labels replaced by another class at random."""
    if not share:
        return fold
    generator = np.random.default_rng([seed, 7])
    y, k = fold.y.copy(), int(fold.y.max()) + 1
    wrong = generator.random(len(y)) < share
    y[wrong] = (y[wrong] + generator.integers(1, k, int(wrong.sum()))) % k
    return replace(fold, name=f"{fold.name} noise {share} {seed}", y=y)
