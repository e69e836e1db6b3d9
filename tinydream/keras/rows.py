"""Rows for `model.fit`: drawn from representatives as a device draws them, or out of a store."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream.codec import EntroGeDe, Representatives
from tinydream.errors import InputError
from tinydream.network.quiet import import_keras
from tinydream.store import Store

__all__ = ["drawn_rows", "stored_rows"]

Pair = tuple[NDArray[Any], NDArray[Any]]


def drawn_rows(codec: EntroGeDe | Representatives, batch: int = 20, *, seed: int = 0) -> Any:
    """A keras.utils.PyDataset of the rows that a device draws, an epoch a pass.

    Its batches are x (batch, r) float32 as the network gets them, and class indices (batch,) or
    scaled targets (batch, t). With `fit(..., shuffle=False)` these are a device's rows of that seed
    in its order. Raises InputError for a batch below 1, or when Keras is not there.
    """
    found = codec.representatives_ if isinstance(codec, EntroGeDe) else codec
    count = found.rows.rows
    draw = lru_cache(1)(lambda epoch: found.sample(count, seed, first_pass=epoch))

    def take(epoch: int, index: int) -> Pair:
        x, y = draw(epoch)
        return x[index * batch :][:batch], y[index * batch :][:batch]

    return _dataset(count, batch, take)


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
    def shuffled(epoch: int, number: int) -> Pair:
        order = np.random.default_rng((seed, epoch)).permutation(whole)
        order = np.append(order, whole)[number * blocks :][:blocks]  # a block cut short comes last
        rows = (order[:, None] * store.step + np.arange(store.step)).ravel()
        mixed = np.random.default_rng((seed, epoch, number)).permutation(rows[rows < len(store)])
        x, y = store.rows(mixed)
        return x.astype(np.float32), y

    def take(epoch: int, index: int) -> Pair:
        number, index = divmod(index, batches)
        x, y = shuffled(epoch, number)
        return x[index * batch :][:batch], y[index * batch :][:batch]

    full, rest = divmod(len(store), size)
    return _dataset(full * batches * batch + rest, batch, take)


def _dataset(rows: int, batch: int, take: Callable[[int, int], Pair]) -> Any:
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

        def __getitem__(self, index: int) -> Pair:
            self.ended |= index == len(self) - 1
            return take(self.epoch, index)

        def on_epoch_end(self) -> None:
            self.epoch, self.ended = self.epoch + self.ended, False

    return Rows()
