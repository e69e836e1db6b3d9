"""The store: what goes in comes out, byte for byte, and damage is told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import oracle_store
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinydream.errors import DataError
from tinydream.store import Store, coder, load_store, make_store, write_store

RNG = np.random.default_rng(7)


def file_of(store: Store, tmp_path) -> bytes:
    store.save(tmp_path / "s.tds")
    return (tmp_path / "s.tds").read_bytes()


def same(a, b) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind == "O":
        return b.dtype.kind == "O" and a.shape == b.shape and a.tolist() == b.tolist()
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


DTYPES = st.one_of(
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64, 128)),
    hnp.boolean_dtypes(),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.datetime64_dtypes(),
    hnp.unicode_string_dtypes(min_len=1, max_len=3),
    hnp.byte_string_dtypes(min_len=1, max_len=3),
)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(DTYPES, SHAPES))
def test_any_array_comes_back_with_its_bytes(array):
    store = make_store({"x": array})
    assert same(store.arrays()[0], array)
    for i in range(len(array)):
        assert same(store[i][0], array[i])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bits_of_floats_survive(data):
    size = data.draw(st.sampled_from((2, 4, 8)))
    bits = data.draw(hnp.arrays(np.dtype(f"u{size}"), (20, 2)))
    assert same(make_store({"x": bits.view(f"f{size}")}).arrays()[0], bits.view(f"f{size}"))


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(st.sampled_from((np.float64, np.float32, np.int16)), (12, 3)), st.data())
def test_rows_that_nobody_has_seen_can_be_appended(array, data):
    cut = data.draw(st.integers(0, 12))
    store = make_store({"x": array[:cut]})
    store.append(array[cut:])
    assert len(store) == 12 and same(store.arrays()[0], array)


def specials() -> np.ndarray:
    payload = np.array([0x7FF0000000000001, 0xFFF8DEADBEEF0001, 1, 1 << 63], np.uint64)
    return np.concatenate([payload.view(np.float64), [np.nan, np.inf, -np.inf, -0.0, 5e-324]])


TABLES = {
    "decimals": np.round(RNG.normal(20, 3, (3000, 4)), 2),
    "steps": np.cumsum(RNG.integers(-3, 4, (3000, 3)), axis=0),
    "noise": RNG.normal(size=(700, 5)),
    "single": RNG.normal(size=(700, 5)).astype(np.float32),
    "missing": np.where(RNG.random((2000, 3)) < 0.1, np.nan, RNG.integers(0, 50, (2000, 3)) / 4),
    "specials": RNG.choice(specials(), (500, 2)),
    "rare": np.where(RNG.random((4000, 2)) < 0.0005, -0.0, np.round(RNG.random((4000, 2)), 3)),
    "few words": RNG.choice(RNG.normal(size=30), (2500, 3)),
    "constant": np.full((300, 2), np.pi),
    "wide": RNG.integers(0, 2**63, (300, 2), dtype=np.uint64) * 2,
    "images": (np.add.outer(np.arange(90), np.arange(64)) % 23).astype(np.uint8),
    "windows": np.sin(np.arange(200)[:, None] * 3 + np.arange(48)).astype(np.float32),
    "twins": np.repeat(RNG.integers(0, 9, (600, 1)), 5, axis=1) * np.arange(1, 6),
    "no columns": np.zeros((5, 0)),
    "no rows": np.zeros((0, 3), np.float32),
    "one row": np.array([[1.5, np.nan]]),
    "text": RNG.choice(np.array(["a", "bc", "d\u00e9f", ""]), 400),
    "bytes": RNG.choice(np.array([b"\xff\x00a", b"", b"zz"]), (40, 2)),
    "objects": RNG.choice(np.array(["x", None, "y\ud800"], object), (50, 2)),
    "columns first": np.asfortranarray(RNG.integers(0, 9, (40, 3))),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_come_back_by_row_by_rows_by_chunk_and_from_a_file(name, tmp_path):
    table = TABLES[name]
    store = make_store({"x": table, "y": np.arange(len(table), dtype=np.int16)})
    store.save(tmp_path / "s.tds")
    for each in (store, load_store(tmp_path / "s.tds")):
        assert len(each) == len(table) and each.names == ("x", "y")
        assert same(each.arrays()[0], table)
        where = RNG.integers(-len(table), len(table), 30) if len(table) else []
        assert same(each.rows(where)[0], table[where] if len(table) else table)
        assert same(each[2:9:3][0], table[2:9:3])
        for i in range(0, len(table), 97):
            assert same(each[i][0], table[i]) and each[i][1] == i
        chunks = [chunk[0] for chunk in each.chunks(100)]
        assert same(np.concatenate([table[:0], *chunks]), table)
    assert load_store(tmp_path / "s.tds").nbytes <= (tmp_path / "s.tds").stat().st_size


@pytest.mark.parametrize("name", [n for n in TABLES if n not in ("text", "bytes", "objects")])
def test_an_oracle_written_from_the_specification_reads_the_file(name, tmp_path):
    table = TABLES[name][:260]
    (part, y), meta = oracle_store.read_store(
        file_of(make_store({"x": table, "y": np.arange(len(table))}), tmp_path)
    )
    assert part == np.ascontiguousarray(table).tobytes()
    assert y == np.arange(len(table)).tobytes()
    assert meta["rows"] == len(table)


def test_an_oracle_reads_text_as_places(tmp_path):
    table = TABLES["text"]
    (places,), meta = oracle_store.read_store(file_of(make_store({"x": table}), tmp_path))
    texts = np.array(meta["parts"][0]["texts"])
    assert (texts[np.frombuffer(places, np.uint32)] == table).all()


def test_rows_out_of_range_out_of_words_and_of_new_texts_escape(tmp_path):
    store = make_store(
        {"a": np.arange(3000) % 7, "b": TABLES["few words"][:2000, 0][np.arange(3000) % 2000]}
    )
    more_a, more_b = np.array([-(2**62), 2**62, 3]), np.array([np.nan, 1e300, -0.0])
    store.append(more_a, more_b)
    store.save(tmp_path / "s.tds")
    store = load_store(tmp_path / "s.tds")
    assert same(store.arrays()[0][3000:], more_a) and same(store.arrays()[1][3000:], more_b)
    texts = make_store({"t": np.array(["a", "b"])})
    texts.append(np.array(["longer", "b"]))
    assert texts.arrays()[0].tolist() == ["a", "b", "longer", "b"]


def test_what_the_rows_that_were_looked_at_do_not_show_is_kept(monkeypatch):
    monkeypatch.setattr(coder, "FITTED", 2 * 2048)
    x = np.zeros((40_000, 3))
    x[3_000, 0], x[9_000:9_020, 1], x[5_000:5_003, 2] = 7, np.nan, -0.0
    whole = (np.arange(40_000)[:, None] // 39_000 * [[1, 500]]).astype(np.int16)
    store = make_store({"x": x, "whole": whole})
    store.append(x[:10] + 1, whole[:10] - 3)
    back, again = store.arrays()
    assert same(back, np.concatenate([x, x[:10] + 1]))
    assert same(again, np.concatenate([whole, whole[:10] - 3]))


def test_what_is_one_number_in_one_block_need_not_be_in_the_next(monkeypatch, tmp_path):
    monkeypatch.setattr(coder, "MOST", 64)
    x = RNG.integers(0, 99, (200, 4)).astype(np.float64)
    x[:64, 0], x[64:128, 1], x[128:, 2], x[:128, 3] = 5, 2.0**40, 0, np.nan
    whole = np.repeat(np.array([0, 2**64 - 1, 7], np.uint64), 64)[[*range(192), *[7] * 8]]
    store = make_store({"x": x, "whole": whole})
    store.append(x[:3] + 1000, whole[:3] + np.uint64(9))  # unseen, where each value has a token
    x, whole = np.r_[x, x[:3] + 1000], np.r_[whole, whole[:3] + np.uint64(9)]
    assert same(store.arrays()[0], x) and same(store.arrays()[1], whole)
    parts, _ = oracle_store.read_store(file_of(store, tmp_path))
    assert parts == [x.tobytes(), whole.tobytes()]


def test_appending_in_any_pieces_gives_the_rows_in_order(tmp_path):
    table = TABLES["steps"]
    store = make_store({"x": table[:1000]})
    for a in range(1000, 3000, 333):
        store.append(table[a : a + 333])
        store.save(tmp_path / "s.tds")
        store = load_store(tmp_path / "s.tds")
    assert same(store.arrays()[0], table)


def test_a_store_is_smaller_than_its_rows_and_says_how_large():
    store = make_store({"x": TABLES["decimals"]})
    assert store.raw_nbytes == TABLES["decimals"].nbytes and store.nbytes < store.raw_nbytes / 4


def test_chunks_are_written_as_they_come(tmp_path):
    table = np.round(RNG.normal(size=(9000, 3)), 3)
    write_store(tmp_path / "s.tds", ({"x": table[a : a + 1234]} for a in range(0, 9000, 1234)))
    assert same(load_store(tmp_path / "s.tds").arrays()[0], table)
    assert oracle_store.read_store((tmp_path / "s.tds").read_bytes())[1]["rows"] == 9000


# ---- what is refused ----


def test_what_cannot_be_stored_is_refused_with_a_sentence(tmp_path):
    for arrays in (
        {"x": np.array(3)},
        {"x": np.zeros(3), "y": np.zeros(4)},
        {"x": np.array([object()])},
        {"x": np.array([b"a", 1], object)},
        {"x": np.zeros(2, [("a", "i4")])},
    ):
        with pytest.raises(DataError, match=r"\w+ \w+"):
            make_store(arrays)
    store = make_store({"x": np.zeros((3, 2))})
    for rows in (np.zeros((1, 3)), np.zeros((1, 2), np.float32), np.zeros(2)):
        with pytest.raises(DataError):
            store.append(rows)
    for index in (3, -4):
        with pytest.raises(IndexError):
            store[index]
    with pytest.raises(IndexError):
        store.rows([0, 3])
    with pytest.raises(IndexError):
        store.rows([0.5])
    with pytest.raises(DataError):
        write_store(tmp_path / "none.tds", [])
    with pytest.raises(DataError):
        load_store(tmp_path / "absent.tds")
    with pytest.raises(DataError):
        store.save(tmp_path / "absent" / "s.tds")


# ---- interrupted ----

SAVER = """
import sys, numpy as np
from tinydream.store import make_store
store = make_store({"x": np.random.default_rng(1).integers(0, 2**62, (20_000, 8))})
print("go", flush=True)
while True:
    store.save(sys.argv[1])
"""


def test_a_save_that_is_killed_leaves_a_whole_file(tmp_path):
    path = tmp_path / "s.tds"
    make_store({"x": np.arange(5)}).save(path)
    for k in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, os.fspath(path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None and process.stdout.readline()
        time.sleep(0.01 + 0.05 * k)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        rows = len(load_store(path).arrays()[0])
        assert rows in (5, 20_000)


# ---- large, and fuzzed ----

LARGE = """
import resource, sys, numpy as np
from tinydream.store import load_store, write_store
rows, chunks, peaks = 100_000, 16, []
base = np.arange(rows)[:, None] * np.array([1, 0, 3, 0, 0, 0, 0, 7])
def peak():
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
def table():
    for k in range(chunks):
        peak()
        yield {"x": base + k * rows}
write_store(sys.argv[1], table())
store = load_store(sys.argv[1])
assert len(store) == rows * chunks and store.raw_nbytes > 100e6
for i in (0, 1, 1_234_567, len(store) - 1):
    k, r = divmod(i, rows)
    assert (store[i][0] == base[r] + k * rows).all(), i
peak()
print(peaks[-1] - peaks[4])
"""


@pytest.mark.slow
def test_a_large_table_goes_through_the_memory_of_a_few_chunks(tmp_path):
    command = [sys.executable, "-c", LARGE, os.fspath(tmp_path / "s.tds")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 35  # megabytes more, after the fourth chunk; the rest has 77


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "runs"),
    [
        pytest.param("store", "10000", marks=pytest.mark.needs("cc")),
        pytest.param("reader", "3000", marks=pytest.mark.needs("atheris")),
    ],
)
def test_the_reader_survives_a_fuzzer(target, runs):
    root = Path(__file__).resolve().parent.parent
    command = [root / "scripts/fuzz", target, "--runs", runs]
    environment = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
