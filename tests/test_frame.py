"""Frames: what goes in comes out, whatever else is on the line; Python and C agree."""

import itertools
import random
import subprocess
import zlib

import pytest
from bridge_double import compile_c
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydream.bridge.frame import BODY_MAX, Damage, Decoder, Frame, Text, encode

many = settings(deadline=None, derandomize=True, max_examples=100)
few = settings(many, max_examples=20)

# zeros and long runs without them are what COBS can get wrong
bodies = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"\0", b"\xff", b"ab", b"x" * 253]), max_size=4).map(b"".join),
)
frames = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), bodies)


def wire(frame):
    return encode(frame.type, frame.sequence, frame.body)


@given(st.lists(frames, max_size=5))
@many
def test_frames_come_out_as_they_went_in(sent):
    assert Decoder().feed(b"".join(map(wire, sent))) == sent


@given(frames)
@many
def test_a_frame_has_zeros_only_at_its_ends(frame):
    data = wire(frame)
    assert data[0] == data[-1] == 0 and 0 not in data[1:-1]


@given(st.lists(frames, max_size=3), st.lists(st.integers(1, 40), min_size=1, max_size=9))
@many
def test_it_does_not_matter_how_the_bytes_are_split(sent, sizes):
    data, decoder, items = b"".join(map(wire, sent)), Decoder(), []
    size = itertools.cycle(sizes)
    while data:
        n = next(size)
        items += decoder.feed(data[:n])
        data = data[n:]
    assert items == sent


@pytest.mark.parametrize("size", [0, 1, 3, 14, 28, 60])
def test_every_change_of_one_byte_is_detected(size):
    body = random.Random(size).randbytes(size)
    good = encode(0xC1, 7, body)
    for at, value in itertools.product(range(len(good)), range(256)):
        changed = good[:at] + bytes((value,)) + good[at + 1 :]
        found = [i for i in Decoder().feed(changed + b"\0") if isinstance(i, Frame)]
        # the zeros at the ends are no content: a frame that loses one of them may still be read
        assert found in ([], [Frame(0xC1, 7, body)])
        if value != good[at] and 0 < at < len(good) - 1:
            assert found == []


@given(st.binary(max_size=600), frames)
@many
def test_a_frame_is_read_after_any_garbage(garbage, frame):
    assert Decoder().feed(garbage + wire(frame))[-1] == frame


@given(frames, frames, st.integers(0, 400))
@many
def test_a_frame_cut_short_does_not_hurt_the_next(first, second, at):
    assert Decoder().feed(wire(first)[:at] + wire(second))[-1] == second


def test_text_between_frames_is_kept_as_text():
    data = b"boot v1\r\n" + encode(1, 2) + "\x1b[32mgrün\n".encode() + encode(3, 4)
    assert Decoder().feed(data) == [
        Text("boot v1\r\n"),
        Frame(1, 2, b""),
        Text("\x1b[32mgrün\n"),
        Frame(3, 4, b""),
    ]


def test_what_is_neither_frame_nor_text_is_damage():
    assert Decoder().feed(b"\0\xfe\x01\x80\0") == [Damage(b"\xfe\x01\x80")]


def test_silence_sets_text_free_but_keeps_half_a_frame():
    decoder, frame = Decoder(), encode(1, 2, b"\x01\x02")
    decoder.feed(b"HardFault")
    assert decoder.flush() == [Text("HardFault")]
    assert decoder.feed(frame[:4]) == decoder.flush() == []
    assert decoder.feed(frame[4:]) == [Frame(1, 2, b"\x01\x02")]


def test_a_body_that_is_too_long_is_damage():
    longest = encode(1, 2, bytes(BODY_MAX))
    assert Decoder().feed(longest) == [Frame(1, 2, bytes(BODY_MAX))]
    items = Decoder().feed(encode(1, 2, bytes(BODY_MAX + 1)) + encode(3, 4))
    assert items[-1] == Frame(3, 4, b"")
    assert all(isinstance(i, Damage) for i in items[:-1]) and len(items) > 1


def test_endless_text_without_a_zero_is_passed_on_in_pieces():
    decoder = Decoder(240)
    items = [i for _ in range(100) for i in decoder.feed(b"x" * 1000)] + decoder.flush()
    assert all(isinstance(i, Text) and len(i.text) < 300 for i in items)
    assert sum(len(i.text) for i in items) == 100_000


# ---- the same in C ----


def frame_c(verb, data, payload=240):
    files = ("tests/c/frame_test.c", "firmware/lib/tinydream/src/td_frame.c")
    program = compile_c("frame_test", *files, f"-DTD_PAYLOAD_MAX={payload}")
    run = subprocess.run([program, verb], input=data, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode().split()


@given(st.binary(max_size=2000))
@few
def test_c_computes_the_checksum_of_the_standard_library(data):
    assert frame_c("crc", data) == [str(zlib.crc32(data))]


@pytest.mark.parametrize("payload", [240, 1024])
@given(sent=st.lists(frames, min_size=1, max_size=20))
@few
def test_c_writes_the_frames_that_python_writes(payload, sent):
    lines = "".join(bytes((f.type, f.sequence)).hex() + f.body.hex() + "\n" for f in sent)
    wanted = [wire(f).hex() if len(f.body) <= payload else "-" for f in sent]
    assert frame_c("encode", lines.encode(), payload) == wanted


@pytest.mark.parametrize("payload", [240, 1024])
@pytest.mark.parametrize("seed", range(8))
def test_c_reads_from_a_bad_line_what_python_reads(payload, seed):
    data = bad_line(random.Random(seed), payload)
    items = Decoder(payload).feed(data)
    python = [item_text(i) for i in items]
    assert without_repeats(frame_c("decode", data, payload)) == without_repeats(python)
    assert python.count("-") > 20 and len(set(python)) > 20


@pytest.mark.parametrize("more, found", [(0, 1), (1, 0), (7, 0)])
def test_a_good_frame_that_goes_on_beyond_the_longest_is_damage(more, found):
    good = bytearray(encode(1, 2, body_without_zero(240)))
    good[1] += more  # one COBS block: its code, and what it stands for, grow together
    data = bytes(good[:-1]) + b"x" * more + b"\0"
    assert sum(isinstance(i, Frame) for i in Decoder(240).feed(data)) == found
    assert sum(line != "-" for line in frame_c("decode", data)) == found


def test_the_end_of_a_long_piece_is_no_frame_even_if_it_looks_like_one():
    data = b"\0" + b"\xfe" * 247 + encode(1, 2)[1:]
    assert not [i for i in Decoder(240).feed(data) if isinstance(i, Frame)]
    assert frame_c("decode", data) == ["-"]


@pytest.mark.parametrize("size", [247, 248, 249, 501, 502, 503])
def test_content_that_ends_with_a_full_block_has_no_empty_block_after_it(size):
    body = body_without_zero(size)
    frame = encode(1, 2, body)
    assert len(frame) == (size + 6) + -(-(size + 6) // 254) + 2
    assert frame_c("encode", b"0102" + body.hex().encode() + b"\n", 1024) == [frame.hex()]
    assert Decoder().feed(frame) == [Frame(1, 2, body)]


def body_without_zero(size):
    """A body that, with type 1 and sequence 2, makes a content without zeros, the CRC included."""
    rng = random.Random(size)
    while True:
        body = bytes(rng.choices(range(1, 256), k=size))
        if 0 not in zlib.crc32(b"\1\2" + body).to_bytes(4, "little"):
            return body


def bad_line(rng, payload):
    parts = []
    for _ in range(300):
        part = bytearray(encode(rng.randrange(256), rng.randrange(256), body(rng, payload)))
        for _ in range(rng.choice([0, 0, 1, 3])):
            part[rng.randrange(len(part))] = rng.choice([0, 1, 255, rng.randrange(256)])
        parts.append(bytes(part[: rng.choice([len(part), len(part), rng.randrange(len(part))])]))
    return b"".join(parts) + b"\0"


def body(rng, payload):
    size = rng.choice([0, 5, payload - 1, payload, payload + 1, payload + 300])
    return bytes(rng.choices([0, 1, 255, 65], [rng.choice([0, 1, 9]), 9, 9, 9], k=size))


def item_text(item):
    if isinstance(item, Frame):
        return bytes((item.type, item.sequence)).hex() + item.body.hex()
    return "-"


def without_repeats(lines):
    """Python passes long damage on in pieces, C says once that there was some."""
    return [line for line, group in itertools.groupby(lines)]
