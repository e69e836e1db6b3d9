"""The store's file, damaged: refused with a sentence, or read as it was; nothing crashes."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydream.errors import DataError
from tinydream.store import load_store, make_store
from tinydream.store.part import Part
from tinydream.store.store import parse_store

RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small file that has all sections and kinds, and what it holds."""
    n = 70
    x = np.round(RNG.normal(size=(n, 2)), 1)
    x[::5, 0] = np.nan
    x[7, 1] = -0.0
    arrays = {
        "x": x,
        "w": RNG.choice(RNG.normal(size=30), (n, 1)),
        "t": np.array(["a", "b"])[np.arange(n) % 2],
    }
    path = tmp_path_factory.mktemp("small") / "s.tds"
    make_store(arrays).save(path)
    return path.read_bytes(), list(arrays.values())


def read_all(data: bytes):
    return parse_store(memoryview(data), "s.tds").arrays()


def test_each_byte_that_is_flipped_is_noticed_or_changes_nothing(small):
    data, arrays = small
    for at in range(len(data)):
        for flip in (1, 0x80, 0xFF):
            broken = bytearray(data)
            broken[at] ^= flip
            try:
                found = read_all(bytes(broken))
            except DataError:
                continue
            assert all(a.tobytes() == b.tobytes() for a, b in zip(found, arrays, strict=True)), at


def test_a_file_that_ends_early_or_late_is_refused(small):
    data, _ = small
    for size in range(len(data)):
        with pytest.raises(DataError):
            read_all(data[:size])
    with pytest.raises(DataError):
        read_all(data + b"\0")


def mend(data: bytearray) -> bytes:
    """Right checksums for whatever the sections hold now."""
    *_, directory, _ = struct.unpack_from("<8sHHIQQ", data)
    spans = []
    for k in range(6):
        _, _, at, length = struct.unpack_from("<4sIQQ", data, directory + 24 * k)
        spans.append((at, length))
    index_at, index_length = spans[5]
    block = spans[0][0]
    for k in range(index_at, index_at + index_length, 8):
        size = int.from_bytes(data[k : k + 4], "little")
        data[k + 4 : k + 8] = zlib.crc32(data[block : block + size]).to_bytes(4, "little")
        block += size
    for k, (at, length) in enumerate(spans[1:], 1):
        crc = zlib.crc32(data[at : at + length]).to_bytes(4, "little")
        data[directory + 24 * k + 4 : directory + 24 * k + 8] = crc
    data[-4:] = zlib.crc32(data[directory:-4]).to_bytes(4, "little")
    return bytes(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6))
def test_damage_behind_right_checksums_is_refused_or_read_but_crashes_nothing(small, seed, count):
    data, _ = small
    rng = np.random.default_rng(seed)
    broken = bytearray(data)
    for _ in range(count):
        broken[rng.integers(36, len(data) - 4 - 144)] = rng.integers(0, 256)
    try:
        read_all(mend(broken))
    except DataError:
        pass


@pytest.mark.parametrize(
    "told",
    [
        {"plain": "<U"},
        {"plain": "O"},
        {"plain": "<i4"},
        {"dtype": "O", "plain": "O"},
        {"shape": [-2]},
        {"dtype": "<S1", "plain": "<u4", "texts": [1]},
        {"dtype": "<U1", "plain": "<u4", "texts": [None]},
        {"dtype": "<f8", "plain": "<u4", "texts": ["a"]},
    ],
)
def test_a_part_that_no_array_makes_is_refused(told):
    known = {"name": "x", "dtype": "<f8", "shape": [2], "plain": "<f8", "texts": None}
    assert Part.from_json(known).to_json() == known
    with pytest.raises((TypeError, ValueError)):
        Part.from_json(known | told)


def test_a_file_of_another_format_is_refused_with_a_sentence(tmp_path):
    make_store({"x": np.arange(9)}).save(tmp_path / "s.tds")
    data = (tmp_path / "s.tds").read_bytes()
    for version, what in ((1, "compress the table again"), (3, "update it")):
        head = data[:8] + version.to_bytes(2, "little") + data[10:32]
        (tmp_path / "s.tds").write_bytes(head + zlib.crc32(head).to_bytes(4, "little") + data[36:])
        with pytest.raises(DataError, match=what):
            load_store(tmp_path / "s.tds")
