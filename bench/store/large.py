"""A file of more than 2 GiB, written in chunks and read: `python -m bench.store.large [FOLDER]`."""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinydream.store import load_store, write_store

__all__ = ["main"]

ROWS, COLUMNS, CHUNKS = (
    1 << 17,
    32,
    72,
)  # 32 MiB of random bits a chunk, which nothing makes smaller


def chunk(k: int) -> NDArray[np.uint64]:
    return np.random.default_rng(k).integers(0, 2**64, (ROWS, COLUMNS), np.uint64, endpoint=False)


def peak() -> float:
    """Megabytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(folder: Path) -> None:
    """Prints bytes, seconds and memory; ends with an error where a row comes back otherwise."""
    peaks = []

    def chunks() -> Iterator[dict[str, NDArray[np.uint64]]]:
        for k in range(CHUNKS):
            peaks.append(peak())
            yield {"x": chunk(k)}

    path = folder / "large.tds"
    started = time.perf_counter()
    write_store(path, chunks())
    wrote = time.perf_counter() - started
    size, grown = path.stat().st_size, peak() - peaks[4]
    started = time.perf_counter()
    store = load_store(path)
    opened = time.perf_counter() - started
    assert size > 2**31 and len(store) == ROWS * CHUNKS
    for k in (0, CHUNKS // 2, CHUNKS - 1):
        rows = chunk(k)
        for r in (0, ROWS // 3, ROWS - 1):
            assert np.array_equal(store[k * ROWS + r][0], rows[r]), (k, r)
    print(
        f"{size:,} bytes of {store.raw_nbytes:,} written in {wrote:.0f} s, {grown:.0f} MB more"
        f" memory after the fourth chunk; opened in {1e3 * opened:.0f} ms; rows on both sides of"
        " 2 GiB are right"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place))
