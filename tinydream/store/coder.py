"""Rows of one or more arrays as independent blocks of bytes, and back."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinydream import _core
from tinydream.store.columns import COLUMN, DECIMAL, MASK, fit_columns
from tinydream.store.fit import finish
from tinydream.store.model import Model, Ref, Tap, write_models
from tinydream.store.models import fit_models
from tinydream.store.sight import Sight

__all__ = ["Coder", "as_bytes", "fit_coder", "pack_rows"]

U64 = NDArray[np.uint64]

FITTED = 1 << 23  # numbers that models are fitted to
BLOCK = 1 << 16  # numbers of a block, about
FEWEST, MOST = 256, 4096  # rows of a block
MOST_WORDS = 1 << 26

EXCEPTION = np.dtype([("plane", "<u4"), ("row", "<u4"), ("bits", "<u8")])


@dataclass(frozen=True, eq=False)
class Coder:
    """columns: COLUMN of all planes, part by part. widths: bytes a row of each part. models: the
    bytes of the model section. step: rows a block."""

    columns: NDArray[Any]
    words: U64
    widths: tuple[int, ...]
    models: bytes
    step: int
    handle: Any = field(init=False)
    _cuts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        handle, planes = _core.store_open(self.models)
        if planes != len(self.columns):
            raise ValueError("models and columns are not of one store")
        object.__setattr__(self, "handle", handle)
        object.__setattr__(self, "_cuts", _cuts(self.columns, len(self.widths)))

    def to_bytes(self) -> dict[str, bytes]:
        """Its sections of a file."""
        return {
            "COLS": deflate(self.columns.tobytes()),
            "WORD": _words_to_bytes(self.words),
            "MODL": deflate(self.models),
        }

    @classmethod
    def from_bytes(cls, found: Mapping[str, Any], widths: Sequence[int], step: int) -> "Coder":
        """Raises ValueError for sections that do not fit together."""
        columns = np.frombuffer(inflate(found["COLS"]), COLUMN)
        words = _words_from_bytes(found["WORD"])
        _check(columns, len(words), widths)
        models = inflate(found["MODL"])
        return cls(columns, words, tuple(widths), models, step)

    def encode(self, rows: Sequence[NDArray[np.uint8]]) -> bytes:
        planes, exceptions = _pack(self.columns, self.words, self.widths, rows)
        block: bytes = _core.store_encode(self.handle, planes, planes.shape[1])
        return len(exceptions).to_bytes(4, "little") + exceptions.tobytes() + block

    def to_planes(self, block: Any, count: int) -> U64:
        """(planes, count) of a block's rows, exceptions left out; raises ValueError."""
        planes = np.empty((len(self.columns), count), np.uint64)
        _core.store_decode(self.handle, block[_after(block) :], count, planes)
        return planes

    def decode(self, block: Any, rows: tuple[NDArray[Any], ...]) -> None:
        """Writes rows of each part, (count, width) of plain numbers; raises ValueError."""
        after, count = _after(block), len(rows[0])
        columns = self.columns
        _core.store_rows(self.handle, columns, self.words, block[after:], count, rows)
        if after == 4:
            return
        found = np.frombuffer(block[4:after], EXCEPTION)
        if (found["plane"] >= len(columns)).any() or (found["row"] >= count).any():
            raise ValueError("a block is damaged")
        for run in _runs(found["plane"]):
            column = columns[found["plane"][run.start]]
            size, offset = int(column["size"]), int(column["offset"])
            bits = np.ascontiguousarray(found["bits"][run]).view(np.uint8).reshape(-1, 8)
            part = rows[column["part"]].view(np.uint8).reshape(count, -1)
            part[found["row"][run], offset : offset + size] = bits[:, :size]


def _after(block: Any) -> int:
    """Where a block's exceptions end; raises ValueError."""
    at = 4 + int.from_bytes(block[:4], "little") * EXCEPTION.itemsize
    if at > len(block):
        raise ValueError("a block is damaged")
    return at


def deflate(data: bytes) -> bytes:
    """How many bytes there are, and a zlib stream of them."""
    return len(data).to_bytes(4, "little") + zlib.compress(data, 9)


def inflate(data: Any) -> bytes:
    """What `deflate` was given; raises ValueError."""
    size = int.from_bytes(data[:4], "little")
    stream = zlib.decompressobj()
    try:
        found: bytes = stream.decompress(data[4:], size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(found) != size or not stream.eof or stream.unused_data:
        raise ValueError("a section is not as long as it says")
    return found


def _words_to_bytes(words: U64) -> bytes:
    """How many there are, and their planes' one model and one block."""
    if not len(words):
        return b""
    planes = words.reshape(1, -1)
    model = finish(Sight(planes, len(words), [0]), Model("residual", (Tap(Ref(1, 0), 1),)))
    told = write_models([model], [0], [0])
    handle, _ = _core.store_open(told)
    block: bytes = _core.store_encode(handle, planes, len(words))
    return len(words).to_bytes(4, "little") + len(told).to_bytes(4, "little") + told + block


def _words_from_bytes(data: Any) -> U64:
    if not len(data):
        return np.zeros(0, np.uint64)
    count, size = (int.from_bytes(data[a : a + 4], "little") for a in (0, 4))
    if count > MOST_WORDS:
        raise ValueError("it has more words than there may be")
    handle, planes = _core.store_open(data[8 : 8 + size])
    words = np.empty(count, np.uint64)
    if planes != 1:
        raise ValueError("its words have another number of planes than one")
    _core.store_decode(handle, data[8 + size :], count, words)
    return words


def _check(columns: NDArray[Any], words: int, widths: Sequence[int]) -> None:
    """Raises ValueError unless the columns are what C may use without a look."""
    part = columns["part"].astype(np.int64)
    good = (columns["kind"] <= MASK) & np.isin(columns["size"], (1, 2, 4, 8))
    good &= (columns["decimals"] <= 12) & (columns["width"] <= 64) & (columns["sign"] <= 2)
    good &= (columns["kind"] != DECIMAL) | (columns["size"] >= 4)
    good &= part < len(widths)
    good &= np.r_[True, part[1:] >= part[:-1]][: len(part)]
    if not good.all():
        raise ValueError("its columns are none")
    limits = np.array([*widths, 0], np.uint64)[part]
    sizes = columns["size"].astype(np.uint64)
    good = (limits >= sizes) & (columns["offset"] <= limits - sizes)
    all_words = np.uint64(words)
    good &= (columns["start"] <= all_words) & (columns["count"] <= all_words - columns["start"])
    if not good.all():
        raise ValueError("its columns do not fit its rows")


def as_bytes(parts: Sequence[NDArray[Any]], start: int, stop: int) -> list[NDArray[np.uint8]]:
    """Rows start..stop of arrays (n, d) as bytes (r, width)."""
    rows = [np.ascontiguousarray(part[start:stop]) for part in parts]
    return [r.view(np.uint8).reshape(len(r), r.shape[1] * r.itemsize) for r in rows]


def fit_coder(parts: Sequence[NDArray[Any]]) -> Coder:
    """The coder for arrays (n, d) each, n > 0; rows beyond what is looked at may be anything."""
    fitted = [fit_columns(np.ascontiguousarray(part), k) for k, part in enumerate(parts)]
    at = 0
    for columns, words in fitted:
        columns["start"] += np.uint64(at)
        at += len(words)
    columns = np.concatenate([columns for columns, _ in fitted])
    words = np.concatenate([words for _, words in fitted])
    widths = tuple(part.shape[1] * part.itemsize for part in parts)
    step = min(MOST, max(FEWEST, BLOCK // max(1, len(columns))))
    planes = _some_planes(parts, columns, words, widths, step)
    skip = [0] * len(columns)
    for mask in np.flatnonzero(columns["kind"] == MASK).tolist():
        skip[mask + 1] = mask + 1
        _fill(planes[mask + 1], planes[mask], step)
    models, of = fit_models(planes, step, len(parts[0]), _like(columns))
    # what was always 0 among the rows that were looked at is not coded: else it is an exception
    columns["width"][[models[m].mode == "zero" for m in of]] = 0
    return Coder(columns, words, widths, write_models(models, of, skip), step)


def pack_rows(coder: Coder, rows: NDArray[Any]) -> tuple[U64, NDArray[Any]]:
    """All rows (n, d) of a coder's only part as planes (p, n), and the exceptions."""
    return _pack(coder.columns, coder.words, coder.widths, as_bytes([rows], 0, len(rows)))


def _some_planes(
    parts: Sequence[NDArray[Any]], columns: NDArray[Any], words: U64, widths: Any, step: int
) -> U64:
    """All rows as planes, or whole blocks evenly spaced where there are too many."""
    blocks = -(-len(parts[0]) // step)
    want = min(blocks, max(1, FITTED // step // max(1, len(columns))))
    if want == blocks:
        return _pack(columns, words, widths, as_bytes(parts, 0, blocks * step))[0]
    starts = (np.arange(want) * (blocks - 1) // want * step).tolist()
    return np.concatenate(
        [_pack(columns, words, widths, as_bytes(parts, a, a + step))[0] for a in starts], axis=1
    )


def _pack(
    columns: NDArray[Any], words: U64, widths: Sequence[int], rows: Sequence[NDArray[np.uint8]]
) -> tuple[U64, NDArray[Any]]:
    """Rows of each part as planes (p, r), and the exceptions that these cannot hold."""
    count = len(rows[0])
    planes = np.empty((len(columns), count), np.uint64)
    cuts, found = _cuts(columns, len(widths)), []
    for k, part in enumerate(rows):
        own = columns[cuts[k] : cuts[k + 1]]
        into = planes[cuts[k] : cuts[k + 1]]
        told = _core.store_pack(own, words, part, widths[k], count, into)
        places = np.frombuffer(told, np.uint32).reshape(-1, 2)
        exceptions = np.zeros(len(places), EXCEPTION)
        exceptions["plane"], exceptions["row"] = places[:, 0] + np.uint32(cuts[k]), places[:, 1]
        for run in _runs(places[:, 0]):
            column = own[places[run.start, 0]]
            size, at = int(column["size"]), int(column["offset"])
            bits = np.zeros((run.stop - run.start, 8), np.uint8)
            bits[:, :size] = part[places[run, 1], at : at + size]
            exceptions["bits"][run] = bits.view("<u8")[:, 0]
        found.append(exceptions)
    return planes, np.concatenate([*found, np.zeros(0, EXCEPTION)])


def _runs(planes: NDArray[Any]) -> list[slice]:
    """Where exceptions of one plane follow one another: a table may have a great many of them."""
    cuts = [*(np.flatnonzero(planes[1:] != planes[:-1]) + 1).tolist(), len(planes)]
    return [slice(a, b) for a, b in zip([0, *cuts], cuts, strict=False) if a < b]


def _cuts(columns: NDArray[Any], parts: int) -> list[int]:
    """Where the planes of each part begin, and where the last one's end."""
    return [int(k) for k in np.searchsorted(columns["part"], np.arange(parts + 1))]


def _fill(values: U64, skip: U64, step: int) -> None:
    """What is not coded is the number before it, in its block."""
    at = np.arange(len(values))
    last = np.maximum.accumulate(np.where(skip == 0, at, -1))
    values[:] = np.where(last >= at - at % step, values[last], 0)


def _like(columns: NDArray[Any]) -> list[int]:
    """Planes whose numbers mean the same have the same number."""
    fields = [columns[name] for name in ("part", "kind", "decimals", "start", "masked")]
    told = np.stack(fields).astype(np.int64)
    new = np.r_[True, (told[:, 1:] != told[:, :-1]).any(axis=0)]
    return [int(k) for k in np.cumsum(new)]
