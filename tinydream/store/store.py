"""The lossless store: any row at once, in a fraction of the bytes."""

import json
import mmap
import operator
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinydream.errors import DataError
from tinydream.store.coder import Coder, as_bytes, fit_coder
from tinydream.store.container import damaged, read_sections, write_sections
from tinydream.store.part import Part

__all__ = ["Store", "load_store", "make_store", "write_store"]

Arrays = tuple[NDArray[Any], ...]
T = TypeVar("T")

KEPT = 16  # decoded blocks that are kept for the next row
INDEX = np.dtype([("bytes", "<u4"), ("crc", "<u4")])


class Store:
    """Rows of one or more arrays, as blocks that are decoded when they are asked for.

    `store[i]` is row i of each array, as a tuple; `store[a:b]` and `store.rows(indices)` are
    arrays, `for x, y in store.chunks()` goes through all of them, `store.arrays()` is everything.
    What comes out has the bytes that went in.
    """

    def __init__(
        self, parts: Sequence[Part], coder: Coder | None, rows: int, blocks: "Blocks", name: str
    ) -> None:
        self._parts, self._coder, self._rows = tuple(parts), coder, rows
        self._blocks, self._name = blocks, name
        self._cache: OrderedDict[int, Arrays] = OrderedDict()
        self.notes: dict[str, Any] = {}  # JSON that the file keeps for whoever wrote it

    # ---- reading ----

    @property
    def names(self) -> tuple[str, ...]:
        """What the arrays are called, in order."""
        return tuple(part.name for part in self._parts)

    def __len__(self) -> int:
        return self._rows

    @property
    def coder(self) -> Coder | None:
        """How rows are coded; None for a store without rows."""
        return self._coder

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def texts(self, part: int) -> int:
        """How many different texts an array holds; 0 when it holds numbers."""
        return len(self._parts[part].texts or ())

    def planes(self, block: int) -> NDArray[np.uint64]:
        """A block as the coder sees it, (planes, rows); raises DataError when it is damaged."""
        assert self._coder is not None
        try:
            return self._coder.to_planes(self._blocks.read(block), self._count(block))
        except ValueError:
            raise self._broken(block) from None

    @property
    def step(self) -> int:
        """Rows of a block."""
        return self._coder.step if self._coder else 1

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks, and of what it takes to read them."""
        return self._blocks.nbytes + sum(map(len, self._sections().values()))

    @property
    def raw_nbytes(self) -> int:
        """Bytes of the arrays as they were given; text as its places."""
        return sum(self._rows * part.width * np.dtype(part.plain).itemsize for part in self._parts)

    def __getitem__(self, index: int | slice) -> tuple[Any, ...]:
        if isinstance(index, slice):
            return self.rows(range(*index.indices(self._rows)))
        i = operator.index(index)
        if i < 0:
            i += self._rows
        if not 0 <= i < self._rows:
            raise IndexError(f"row {index} of {self._rows}")
        block, row = divmod(i, self.step)
        return tuple(part[row].copy() for part in self._block(block))

    def rows(self, indices: ArrayLike) -> Arrays:
        """These rows of each array, in this order; raises IndexError."""
        where = np.asarray(indices)
        where = where.astype(np.int64) if where.size == 0 else where
        if where.ndim != 1 or where.dtype.kind not in "iu":
            raise IndexError("rows are told by a list of whole numbers")
        where = where.astype(np.int64)
        where = np.where(where < 0, where + self._rows, where)
        if where.size and not (0 <= where.min() and where.max() < self._rows):
            raise IndexError(f"rows are 0..{self._rows - 1}")
        found = self._empty(len(where))
        of = where // self.step
        for block in np.unique(of).tolist():
            at = np.flatnonzero(of == block)
            for part, values in zip(found, self._block(block), strict=True):
                part[at] = values[where[at] - block * self.step]
        return found

    def chunks(self, rows: int | None = None) -> Iterator[Arrays]:
        """All rows in order, about `rows` at a time (a block by default)."""
        step = self.step * max(1, -(-(rows or 1) // self.step))
        for start in range(0, self._rows, step):
            yield self._span(start, min(start + step, self._rows))

    def arrays(self) -> Arrays:
        """All rows of each array."""
        return self._span(0, self._rows)

    def forget(self) -> None:
        """Let go of decoded blocks, which are kept for the rows asked for next."""
        self._cache.clear()

    def _span(self, start: int, stop: int) -> Arrays:
        """Whole blocks, decoded on several threads and not kept."""
        found = self._empty(stop - start)

        def fill(block: int) -> None:
            at = block * self.step - start
            self._decode(block, tuple(part[at : at + self.step] for part in found))

        at_once(fill, range(start // self.step, -(-stop // self.step)))
        return found

    def _empty(self, count: int) -> Arrays:
        return tuple(
            np.empty((count, *part.shape), object if part.dtype == "text" else np.dtype(part.dtype))
            for part in self._parts
        )

    def _block(self, block: int) -> Arrays:
        found = self._cache.get(block)
        if found is None:
            found = self._empty(self._count(block))
            self._decode(block, found)
            self._cache[block] = found
            if len(self._cache) > KEPT:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(block)
        return found

    def _count(self, block: int) -> int:
        """Rows of a block."""
        return min(self.step, self._rows - block * self.step)

    def _decode(self, block: int, into: Arrays) -> None:
        """Fills arrays of its rows; raises DataError when it is damaged."""
        assert self._coder is not None
        plain = tuple(p.plain_of(array) for p, array in zip(self._parts, into, strict=True))
        try:
            self._coder.decode(self._blocks.read(block), plain)
            for part, rows, array in zip(self._parts, plain, into, strict=True):
                part.fill(array, rows)
        except ValueError:
            raise self._broken(block) from None

    def _broken(self, block: int) -> DataError:
        return damaged(self._name, f"block {block} of {len(self._blocks)}")

    # ---- writing ----

    def append(self, *arrays: ArrayLike) -> None:
        """Add rows: an array for each part, as long as each other, of the same dtype and shape.

        Raises DataError. What is coded stays; the file that the store came from does, too, until
        `save`.
        """
        plain = _plain(self._parts, [np.asarray(a) for a in arrays])
        count = len(plain[0]) if plain else 0
        if not count:
            return
        if self._coder is None:
            self._coder = fit_coder(plain)
        over = self._rows % self.step
        if over:  # the last block is filled up
            last = len(self._blocks) - 1
            old = tuple(np.empty((over, p.shape[1]), p.dtype) for p in plain)
            self._coder.decode(self._blocks.read(last), old)
            plain = [np.concatenate(pair) for pair in zip(old, plain, strict=True)]
            self._blocks.drop()
            self._cache.pop(last, None)
        for block in encode(self._coder, plain):
            self._blocks.add(block)
        self._rows += count

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file under a temporary name, then rename it; raises DataError."""
        blocks = (bytes(self._blocks.read(k)) for k in range(len(self._blocks)))
        write_sections(Path(path), blocks, self._sections)

    def _sections(self) -> dict[str, bytes]:
        return sections(self._parts, self._coder, self._rows, self._blocks.index(), self.notes)


class Blocks:
    """Blocks by number: some of a file, which is mapped and not read, others in memory."""

    def __init__(self, data: memoryview, index: NDArray[Any]) -> None:
        self._data = data
        self._crc: list[int] = index["crc"].tolist()
        ends = np.cumsum(index["bytes"], dtype=np.int64)
        self._start: list[int] = (ends - index["bytes"]).tolist()
        self._end: list[int] = ends.tolist()
        self._filed = len(index)
        self._new: list[bytes] = []

    def __len__(self) -> int:
        return self._filed + len(self._new)

    @property
    def nbytes(self) -> int:
        return (self._end[self._filed - 1] if self._filed else 0) + sum(map(len, self._new))

    def read(self, block: int) -> Any:
        """Raises ValueError when its checksum is another."""
        if block >= self._filed:
            return self._new[block - self._filed]
        data = self._data[self._start[block] : self._end[block]]
        if zlib.crc32(data) != self._crc[block]:
            raise ValueError("a block does not match its checksum")
        return data

    def add(self, block: bytes) -> None:
        self._new.append(block)

    def take(self, all: bool) -> list[bytes]:
        """Blocks in memory, the last one only with `all`; what is taken is forgotten."""
        kept = [] if all else self._new[-1:]
        taken, self._new = self._new[: len(self._new) - len(kept)], kept
        return taken

    def drop(self) -> None:
        if self._new:
            self._new.pop()
        else:
            self._filed -= 1

    def index(self) -> NDArray[Any]:
        old = zip(self._start[: self._filed], self._end, self._crc, strict=False)
        told = [(end - start, crc) for start, end, crc in old]
        return np.array([*told, *((len(b), zlib.crc32(b)) for b in self._new)], INDEX)


def sections(
    parts: Sequence[Part],
    coder: Coder | None,
    rows: int,
    index: NDArray[Any],
    notes: Mapping[str, Any],
) -> dict[str, bytes]:
    """What a file has beside its blocks."""
    meta: dict[str, Any] = {"rows": rows, "step": coder.step if coder else 1}
    meta["notes"] = notes
    meta["parts"] = [part.to_json() for part in parts]
    told = {"META": json.dumps(meta, separators=(",", ":")).encode(), "INDX": index.tobytes()}
    coded = coder.to_bytes() if coder else {"COLS": b"", "WORD": b"", "MODL": b""}
    return {**told, **coded}


def make_store(arrays: Mapping[str, ArrayLike]) -> Store:
    """A store of arrays by name, as long as each other: make_store({"X": X, "y": y}).

    Numbers, booleans, dates and text of any shape (n, ...). Raises DataError.
    """
    given = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in given.items():
        if array.ndim == 0:
            raise DataError(f"{name!r} is a single value; rows are needed")
    parts = [Part.of(name, array) for name, array in given.items()]
    store = Store(parts, None, 0, Blocks(memoryview(b""), np.zeros(0, INDEX)), "the store")
    store.append(*given.values())
    return store


def write_store(path: str | os.PathLike[str], chunks: Iterable[Mapping[str, ArrayLike]]) -> None:
    """Write a file of rows that come in chunks, by name, in the memory of a few of them.

    How they are coded is chosen on the first chunk. Raises DataError.
    """
    store: Store | None = None
    index: list[tuple[int, int]] = []

    def blocks() -> Iterator[bytes]:
        nonlocal store
        for chunk in chunks:
            if store is None:
                store = make_store(chunk)
            else:
                store.append(*(chunk[name] for name in store.names))
            yield from settle(store, last=False)
        if store is not None:
            yield from settle(store, last=True)

    def settle(store: Store, last: bool) -> Iterator[bytes]:
        for block in store._blocks.take(last or store._rows % store.step == 0):
            index.append((len(block), zlib.crc32(block)))
            yield block

    def others() -> dict[str, bytes]:
        if store is None:
            raise DataError("there are no rows to write; give one chunk at least")
        return sections(
            store._parts, store._coder, store._rows, np.array(index, INDEX), store.notes
        )

    write_sections(Path(path), blocks(), others)


def load_store(path: str | os.PathLike[str]) -> Store:
    """A store from its file, which is mapped: blocks are read when rows are asked for.

    Raises DataError when there is none, or it is damaged.
    """
    name = Path(path).name
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse_store(memoryview(data), name)


def parse_store(data: memoryview, name: str) -> Store:
    """A store from its bytes; raises DataError when they are damaged."""
    found = read_sections(data, name)
    try:
        meta = json.loads(bytes(found["META"]))
        parts = [Part.from_json(told) for told in meta["parts"]]
        rows, step = operator.index(meta["rows"]), operator.index(meta["step"])
        notes = dict(meta["notes"])
        index = np.frombuffer(found["INDX"], INDEX)
        if rows < 0 or step < 1 or len(index) != -(-rows // step):
            raise ValueError("its blocks are not as many as its rows ask for")
        if int(index["bytes"].sum(dtype=np.int64)) != len(found["BLKS"]):
            raise ValueError("its blocks are not as long as its index says")
        widths = [part.width * np.dtype(part.plain).itemsize for part in parts]
        coder = Coder.from_bytes(found, widths, step) if rows else None
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise damaged(name, str(error) or type(error).__name__) from None
    store = Store(parts, coder, rows, Blocks(found["BLKS"], index), name)
    store.notes = notes
    return store


def _plain(parts: Sequence[Part], arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    if len(arrays) != len(parts):
        raise DataError(f"{len(arrays)} arrays are given, and the store has {len(parts)}")
    if len({len(array) for array in arrays}) > 1:
        told = ", ".join(f"{p.name} {len(a)}" for p, a in zip(parts, arrays, strict=True))
        raise DataError(f"arrays have different numbers of rows ({told}); they need as many")
    return [part.to_plain(array) for part, array in zip(parts, arrays, strict=True)]


def encode(coder: Coder, plain: Sequence[NDArray[Any]]) -> list[bytes]:
    """Blocks of `step` rows, the last one shorter."""
    n, step = len(plain[0]), coder.step
    return at_once(lambda a: coder.encode(as_bytes(plain, a, a + step)), range(0, n, step))


def at_once(work: Callable[[int], T], items: Sequence[int]) -> list[T]:
    """work(item) for each, in order, on all processors."""
    given = os.environ.get("TINYDREAM_THREADS", "")
    threads = int(given) if given.isdecimal() and given != "0" else os.cpu_count() or 1
    if threads == 1 or len(items) < 2:
        return list(map(work, items))
    with ThreadPoolExecutor(min(threads, 64)) as pool:
        return list(pool.map(work, items))
