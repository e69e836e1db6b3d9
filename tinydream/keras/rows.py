"""Rows for `model.fit`: drawn from representatives as a device draws them, or out of a store."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec import EntroGeDe, Representatives
from tinydream.codec.dream import dream
from tinydream.codec.quantise import unpack_shares
from tinydream.errors import InputError
from tinydream.network.quiet import import_keras
from tinydream.store import Store

__all__ = ["draw_rows", "drawn_rows", "stored_rows"]

Arrays = tuple[NDArray[Any], ...]


def drawn_rows(
    codec: EntroGeDe | Representatives,
    batch: int = 20,
    *,
    seed: int = 0,
    epoch_rows: int = 0,
    weighted: bool = False,
) -> Any:
    """A keras.utils.PyDataset of the rows that a device draws.

    Its batches are x (batch, r) float32 as the network gets them, and class indices (batch,), soft
    targets (batch, classes) where there are some, or scaled targets (batch, t). With
    `fit(..., shuffle=False)` these are a device's rows of that seed in its order; epoch_rows: of an
    epoch, 0 for a pass. A device draws each representative as often as it weighs, so that its loss
    needs no weights; weighted: each once an epoch instead, and a third array, its weight (batch,)
    float32, 1 in the mean. Raises InputError for a batch below 1, epoch_rows beside weights, or
    when Keras is not there.
    """
    found = codec.representatives_ if isinstance(codec, EntroGeDe) else codec
    if weighted and epoch_rows:
        raise InputError("an epoch of weighted rows has each once; leave epoch_rows out")
    rows = replace(found.rows, levels=((1, found.rows.count),)) if weighted else found.rows
    drawn, weight = replace(found, rows=rows), found.weight / found.weight.mean()
    count = epoch_rows or rows.rows

    @lru_cache(1)
    def draw(epoch: int) -> Arrays:
        x, y, pick = draw_rows(drawn, epoch * count, count, seed)
        return (x, y, weight[pick].astype(np.float32)) if weighted else (x, y)

    def take(epoch: int, index: int) -> Arrays:
        return tuple(each[index * batch :][:batch] for each in draw(epoch))

    return _dataset(count, batch, take)


def draw_rows(reps: Representatives, first: int, n: int, seed: int) -> Arrays:
    """n rows of the stream from number `first` on: x, y as in `drawn_rows`, and of which
    representative each was drawn (n,)."""
    first_pass, skip = divmod(first, reps.rows.rows)
    x, y, pick = (each[skip:] for each in dream(reps.rows, skip + n, seed, first_pass))
    return x, unpack_shares(reps.rows)[pick] if reps.rows.soft_bits else y, pick


def stored_rows(store: Store, batch: int = 20, *, seed: int = 0, blocks: int = 8) -> Any:
    """A keras.utils.PyDataset of all rows of a store of x and y, in raw units, as x float32 and y.

    Blocks of the store come in random order, and the rows of so many of them are shuffled together.
    Only these are in memory, decoded as they are wanted. Raises InputError for a store of other
    arrays, a batch or blocks below 1, or when Keras is not there.
    """
    if len(store.names) != 2 or blocks < 1:
        raise InputError(
            f"a store of x and y, and 1 block at a time or more, are needed, not of"
            f" {', '.join(store.names)}, and {blocks}"
        )
    whole, size = len(store) // store.step, blocks * store.step
    batches = -(-size // max(batch, 1))  # of rows that are shuffled together

    @lru_cache(1)
    def shuffled(epoch: int, number: int) -> Arrays:
        order = np.random.default_rng((seed, epoch)).permutation(whole)
        order = np.append(order, whole)[number * blocks :][:blocks]  # a block cut short comes last
        rows = (order[:, None] * store.step + np.arange(store.step)).ravel()
        mixed = np.random.default_rng((seed, epoch, number)).permutation(rows[rows < len(store)])
        x, y = store.rows(mixed)
        return x.astype(np.float32), y

    def take(epoch: int, index: int) -> Arrays:
        number, index = divmod(index, batches)
        x, y = shuffled(epoch, number)
        return x[index * batch :][:batch], y[index * batch :][:batch]

    full, rest = divmod(len(store), size)
    return _dataset(full * batches * batch + rest, batch, take)


def _dataset(rows: int, batch: int, take: Callable[[int, int], Arrays]) -> Any:
    """take: of an epoch and a number, the batch."""
    if batch < 1:
        raise InputError(f"a batch has 1 row or more, not {batch}")
    keras = import_keras()

    base: Any = keras.utils.PyDataset

    class Rows(base):  # type: ignore[misc]
        """Of an epoch that ends early nothing was learnt: `fit` looks at its first batches."""

        epoch, ended = 0, False

        def __len__(self) -> int:
            return -(-rows // batch)

        def __getitem__(self, index: int) -> Arrays:
            self.ended |= index == len(self) - 1
            return take(self.epoch, index)

        def on_epoch_end(self) -> None:
            self.epoch, self.ended = self.epoch + self.ended, False

    return Rows()
