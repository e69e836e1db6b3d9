"""The node by itself, behind the wire: it trusts nothing, does nothing twice, loses no end."""

import random
import struct
import subprocess

import numpy as np
import pytest
from bridge_double import FAST, NODE, compile_c, process

from tinydream.bridge import Device
from tinydream.bridge.answer import Done, Info, Log, Metrics, State
from tinydream.bridge.frame import Damage, Decoder, Frame, encode
from tinydream.bridge.message import Hello, Row, Train


class Raw:
    """Frames of the test's own making to the node, and all that comes back."""

    def __init__(self):
        self.link, self.decoder = process(), Decoder()

    def ask(self, type_, sequence, body=b"", last=None):
        """Send one request; all that comes up to its answer, or to a frame of type `last`."""
        self.link.write(encode(type_, sequence, body))
        ends = (last,) if last else ((type_ + 0x80) % 256, 0xFF)
        return self.hear(lambda frame: frame.type in ends)

    def hear(self, is_last, patience=5.0):
        frames = []
        while not any(map(is_last, frames)) and (data := self.link.read(patience)):
            frames += [i for i in self.decoder.feed(data) if isinstance(i, Frame)]
        return frames


@pytest.fixture
def raw():
    raw = Raw()
    raw.ask(1, 0, HELLO)
    yield raw
    raw.link.close()


DONE = 0xC2
HELLO = Hello(3, 77).pack()
SLOW = 668  # the fake trainer's seed for 2 ms a batch
TRAIN = Train(0, 0, 1, 0, 0.5, fresh=False).pack()


def test_a_repeated_request_is_answered_but_not_done_again(raw):
    first = raw.ask(2, 9, TRAIN, last=DONE)
    assert [f.type for f in first] == [0x82, 0xC1, 0xC2]
    assert raw.ask(2, 9, TRAIN) == [Frame(0x82, 9, b"")]
    again = raw.ask(2, 10, TRAIN, last=DONE)
    assert [f.type for f in again] == [0x82, 0xC1, 0xC2]
    assert Done.unpack(again[2].body).crc32 != Done.unpack(first[2].body).crc32


def test_events_are_counted_by_their_own_sequence(raw):
    events = raw.ask(2, 9, TRAIN, last=DONE) + raw.ask(2, 77, TRAIN, last=DONE)
    assert [f.sequence for f in events if f.type > 0xC0] == [0, 1, 2, 3]


def test_a_run_that_is_stopped_ends_with_done(raw):
    raw.link.write(encode(2, 9, Train(0, SLOW, 1000, 0, 0.5, fresh=False).pack()))
    raw.link.write(encode(5, 10) + encode(3, 11) + encode(5, 12))
    frames = raw.hear(lambda frame: (frame.type, frame.sequence) == (0x85, 12))
    heard = {f.type: f for f in frames if f.type != 0xC1}
    assert list(heard) == [0x82, 0x85, 0x83, 0xC2]
    state, done = State.unpack(heard[0x85].body), Done.unpack(heard[0xC2].body)
    assert (state.running, state.epoch, state.error) == (False, done.epoch, done.error)
    assert state.crc32 == done.crc32 != 0


def test_while_a_run_is_under_way_there_is_no_checksum(raw):
    raw.link.write(encode(2, 9, Train(0, SLOW, 1000, 0, 0.5, fresh=False).pack()))
    raw.link.write(encode(5, 10) + encode(3, 11))
    state = next(f for f in raw.hear(lambda f: f.type == DONE) if f.type == 0x85)
    assert State.unpack(state.body).running and State.unpack(state.body).crc32 == 0


def pull(first, count):
    return struct.pack("<IH", first, count)


BAD = [
    (0, b"", -12),
    (20, b"\0\0\0\0a", -12),
    (20, b"\0\0\0", -9),
    (22, b"", -12),
    (0x81, b"", -12),
    (0xFF, b"\0\0\0", -12),
    (1, b"\1\0\1\2\3", -9),
    (1, b"\3\0\0\0\0\0", -1),
    (2, TRAIN[:-1], -9),
    (4, pull(0, 1)[:-1], -9),
    (8, b"\1", -7),
    (8, b"\2", -1),
    (9, bytes(4), -1),
    (9, b"\1\0\0\0", -7),
    (10, b"\0\1\0\0\0", -1),
    (10, struct.pack("<Bf", 1, 0.0), -1),
    (10, struct.pack("<BI", 3, 0), -1),
    (12, Row(0, 1, np.zeros(13, np.float32)).pack(), -1),
    (12, Row(0, 0, np.zeros(15, np.float32)).pack(), -1),
    (12, Row(1, 0, np.full(15, 99, np.float32)).pack(), -1),
    (12, Row(3, 0, np.zeros(15, np.float32)).pack(), -1),
    (12, Row(2, 0, np.zeros(15, np.float32)).pack(), -7),
    (14, struct.pack("<If", 150, 1.0), -1),
    (14, struct.pack("<If", 0, float("nan")), -1),
    (16, pull(0, 4), -1),
    (17, b"", -20),
    (2, TRAIN[:-1] + b"\2", -1),
    (2, Train(0, 0, 0, 0, 0.5, fresh=False).pack(), -1),
    (2, Train(5, 0, 1, 0, float("nan"), fresh=True).pack(), -1),
    (4, pull(0, 0), -1),
    (4, pull(0, 60), -1),
    (4, pull(149, 2), -1),
    (4, pull(150, 1), -1),
    (4, pull(0xFFFFFFFF, 59), -1),
]


@pytest.mark.parametrize("type_, body, error", BAD)
def test_a_bad_request_is_refused_and_changes_nothing(raw, type_, body, error):
    before = raw.ask(5, 1)
    assert raw.ask(type_, 7, body) == [Frame(0xFF, 7, struct.pack("<hB", error, type_))]
    assert raw.ask(5, 1) == before


def test_a_repetition_with_another_body_is_checked_again(raw):
    assert raw.ask(4, 7, pull(0, 59))[0].type == 0x84
    assert raw.ask(4, 7, pull(0xFFFFFF00, 59)) == [Frame(0xFF, 7, struct.pack("<hB", -1, 4))]


def test_a_damaged_request_is_not_answered(raw):
    good = encode(5, 1)
    raw.link.write(good[:3] + b"\x55" + good[4:])
    assert raw.hear(bool, patience=0.1) == []
    assert raw.ask(5, 1)[0].type == 0x85


def noise(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(400))
    sizes = [0, 2, 6, 34, 240, 241, 1000, rng.randrange(300)]
    sequence = 128 + rng.randrange(4)  # none that the host will use after the noise
    good = bytearray(
        encode(
            rng.choice([1, 2, 3, 4, 5, *range(7, 20)]), sequence, rng.randbytes(rng.choice(sizes))
        )
    )
    if kind == 1:
        good[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
    return bytes(good[rng.randrange(3) * (kind == 2) :])


@pytest.mark.parametrize("seed", range(4))
def test_the_node_survives_noise_and_still_says_hello(seed):
    rng, raw = random.Random(seed), Raw()
    for _ in range(400):
        raw.link.write(noise(rng))
        raw.link.read(0)
    device = Device(raw.link, **FAST)
    device.hello()
    device.stop()
    assert device.train(epochs=2).epoch == 2 and device.pull().shape == (150,)
    device.close()


# ---- a port with little room ----


def test_a_port_that_moves_a_byte_at_a_time_gets_whole_frames_and_log_lines_between_them():
    core = "firmware/lib/tinydream/src/"
    files = ("tests/c/node_test.c", "tests/c/fake_train.c", *(core + name for name in NODE))
    files += ("-DTD_WITH_SAVE=0",)
    train = Train(0, 0, 300, 0, 0.5, fresh=False).pack()
    sent = [(1, 1, HELLO), (2, 2, train), (5, 3, b""), (4, 4, pull(91, 59))]
    data = b"".join(encode(*frame) for frame in sent)
    run = subprocess.run([compile_c("node_test", *files)], input=data, capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    items = Decoder(240).feed(run.stdout)
    answers = [i for i in items if isinstance(i, Frame) and i.type < 0xC0]
    assert [(a.type - 0x80, a.sequence) for a in answers] == [(t, s) for t, s, _ in sent]
    assert len(Info.unpack(answers[0].body).tick_unit) == (240 - 36) // 2
    metrics = [Metrics.unpack(i.body) for i in items if isinstance(i, Frame) and i.type == 0xC1]
    assert 0 < len(metrics) < 300 and {m.ticks for m in metrics} == {5}
    assert Done.unpack(next(i.body for i in items if getattr(i, "type", 0) == 0xC2)).epoch == 300
    logs = [Log.unpack(i.body).text for i in items if isinstance(i, Frame) and i.type == 0xC7]
    assert logs == ["line 0", "line 1", "line 2", "x" * 240]
    assert not [i for i in items if isinstance(i, Damage)]
