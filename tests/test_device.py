"""The host against the C node: over a good line, a bad one, and no line at all."""

import os
import random
import signal
import struct
import subprocess
import time
import tty

import numpy as np
import pytest
import serial
from bridge_double import FAST, FaultyLink, MuteLink, node_program, small_plan

from tinydream.bridge import Device, FakeLink, ProcessLink, SerialLink, link
from tinydream.bridge.frame import Decoder, Frame, encode
from tinydream.bridge.message import Done, Info, Started, State, Train
from tinydream.errors import FirmwareError, InputError, LinkError, VerifyError

SLOW = 668  # the fake trainer's seed for 2 ms a batch
CRASH, NOT_FINITE = 666, 667


FAULTY = FAST | {"timeout": 0.03, "silence": 0.03}


def process(*options):
    return ProcessLink([node_program(*options)])


@pytest.fixture
def device():
    with Device.open(process(), **FAST) as device:
        yield device


# ---- a good line ----


def test_the_device_says_what_it_was_built_from(device):
    plan = small_plan()
    assert device.info == Info(1, 1, plan.digest, 600, 150, 240, False, "native", "ns")
    device.expect(plan)


def test_training_streams_every_epoch_and_ends(device):
    seen = []
    done = device.train(epochs=30, on_metrics=seen.append)
    assert [m.epoch for m in seen] == list(range(1, 31)) and seen[-1].step == done.step == 150
    assert seen[3].correct == 4 and seen[3].accuracy == 4 / 50 and seen[3].loss == 0.25
    assert all(0 < m.ticks < 1e9 for m in seen)
    assert (done.epoch, done.error, device.lost_events) == (30, 0, 0)


def test_weights_are_a_function_of_the_seeds(device):
    def run(**knobs):
        device.train(epochs=3, **knobs)
        return device.pull()

    first = run()
    assert first.dtype == np.float32 and first.shape == (150,) and len(set(first)) == 150
    assert (run() == first).all()
    for other in ({"seed": 1}, {"weights_seed": 1}, {"rate": 0.1}, {"fresh": False}):
        assert (run(**other) != first).any()


def test_a_callback_may_stop_the_run_and_read_weights(device):
    def watch(metrics):
        if metrics.epoch == 3:
            assert device.pull().shape == (150,)
            device.stop()

    done = device.train(epochs=100_000, seed=SLOW, on_metrics=watch)
    assert 3 <= done.epoch < 100 and done.error == 0
    assert device.status() == State(False, done.epoch, done.step, done.crc32, 0)


def test_stopping_when_nothing_runs_is_fine(device):
    device.stop()
    assert device.train(epochs=2).epoch == 2


def test_reset_restarts_the_device(device):
    before = device.pull()
    device.train(epochs=2)
    assert device.reset().digest == small_plan().digest
    assert device.status().step == 0 and (device.pull() == before).all()


def test_training_twice_at_once_is_refused(device):
    with pytest.raises(FirmwareError, match="refuses Train.*TD_EBUSY.*stop it first"):
        device.train(epochs=99, seed=SLOW, on_metrics=lambda _: device.train(epochs=1))


def test_a_loss_that_is_not_finite_ends_the_run_with_its_reason(device):
    with pytest.raises(FirmwareError, match="ended in epoch 4 of 20.*TD_ENUMERIC.*lower rate"):
        device.train(seed=NOT_FINITE)
    assert device.status().error == -6
    assert device.train(epochs=2).error == device.status().error == 0


@pytest.mark.parametrize("knobs", [{"epochs": 0}, {"rate": 0.0}, {"rate": float("nan")}])
def test_knobs_without_sense_are_refused_by_name(device, knobs):
    with pytest.raises(InputError, match=f"{next(iter(knobs))}={next(iter(knobs.values()))}"):
        device.train(**knobs)


def test_a_host_that_sleeps_loses_metrics_but_not_the_end(device):
    seen = []

    def sleepy(metrics):
        seen.append(metrics.epoch)
        if len(seen) == 1:
            time.sleep(0.6)

    done = device.train(epochs=20_000, on_metrics=sleepy)
    assert done.epoch == 20_000 and 0 < len(seen) < 20_000 and seen == sorted(set(seen))
    assert device.lost_events > 0
    device.pull()


# ---- wrong firmware ----


def test_another_plan_is_refused_with_both_digests(device):
    other = small_plan("nucleo_f446re")
    with pytest.raises(FirmwareError, match="tinydream build") as refused:
        device.expect(other)
    assert small_plan().digest.hex() in str(refused.value)
    assert other.digest.hex() in str(refused.value)


def test_a_device_with_another_number_of_parameters_is_refused():
    with Device.open(process("-DFAKE_PARAMETERS=151"), **FAST) as device:
        with pytest.raises(FirmwareError, match="parameters 151 instead of 150"):
            device.expect(small_plan())


def test_a_plan_that_cannot_be_trained_still_says_hello():
    with Device.open(process("-DFAKE_REFUSES"), **FAST) as device:
        for refused in (device.train, device.pull, device.status, device.stop):
            with pytest.raises(FirmwareError, match="TD_ENUMERIC"):
                refused()
        assert not device.hello().running


def test_another_protocol_is_refused():
    answer = Info(2, 1, bytes(8), 0, 0, 240, False, "x", "us").pack()
    fake = FakeLink(lambda sent: encode(0x81, Decoder().feed(sent)[0].sequence, answer))
    with pytest.raises(FirmwareError, match="protocol 2, this tinydream 1.*tinydream flash"):
        Device.open(fake, **FAST)
    assert fake.closed


# ---- a bad line ----


def two_runs(device):
    """The second run goes on from the first one's weights: doing one of them twice would show."""
    seen = []
    device.train(epochs=40, seed=1, on_metrics=lambda m: seen.append(m.epoch))
    assert seen == sorted(set(seen))
    done = device.train(epochs=40, seed=2, fresh=False)
    assert (done.epoch, done.step) == (40, 200)
    return device.pull()


@pytest.fixture(scope="module")
def weights():
    with Device.open(process(), **FAST) as device:
        return two_runs(device)


@pytest.mark.parametrize("fault", FaultyLink.FAULTS)
def test_training_survives_each_fault(weights, fault):
    faulty = FaultyLink(process(), 1, 0.3, (fault,))
    with Device.open(faulty, **FAULTY) as device:
        assert (two_runs(device) == weights).all()
    assert faulty.injected[fault] > 5


@pytest.mark.parametrize("seed", range(6))
def test_training_survives_all_faults_together(weights, seed):
    logs = []
    faulty = FaultyLink(process(), seed, 0.4)
    with Device.open(faulty, **FAULTY, on_log=logs.append) as device:
        assert (two_runs(device) == weights).all()
        assert device.lost_events > 0 and device.damaged > 0
    assert "low battery" in logs and min(faulty.injected.values()) > 0


def test_bytes_sent_while_the_board_starts_are_lost_without_harm():
    class Booting(MuteLink):
        def write(self, data):
            self.starts = getattr(self, "starts", 4) - 1
            if self.starts < 0:
                super().write(data)

        def read(self, timeout):
            return b"rst:0x1 (POWERON)\r\n" * (self.starts == 2) + super().read(min(timeout, 0.05))

    logs = []
    with Device.open(Booting(process()), **FAST, on_log=logs.append) as device:
        assert device.info.board == "native" and device.train(epochs=2).epoch == 2
    assert "rst:0x1 (POWERON)" in logs


# ---- no line at all ----


def test_a_silent_port_is_no_device():
    fake = FakeLink()
    with pytest.raises(LinkError, match="no tinydream firmware answered on 'fake' within 0.2 s"):
        Device.open(fake, timeout=0.05, open_timeout=0.2)
    assert fake.closed and len(fake.sent) == 4


def test_a_device_that_only_talks_nonsense_is_no_device():
    fake = FakeLink(lambda _: b"\0\xfe\xfd\0")
    with pytest.raises(LinkError, match="4 pieces of something else"):
        Device.open(fake, timeout=0.05, open_timeout=0.2)


def test_a_device_that_is_killed_in_training_names_the_epoch(device):
    def kill(metrics):
        if metrics.epoch == 3:
            device.link.process.send_signal(signal.SIGKILL)
            time.sleep(0.05)

    with pytest.raises(LinkError, match=r"epoch [34] of 500: .*killed by SIGKILL"):
        device.train(epochs=500, seed=SLOW, on_metrics=kill)


def test_a_device_that_crashes_in_training_names_the_epoch(device):
    with pytest.raises(LinkError, match=r"epoch 3 of 20: .*SIGABRT|epoch 3 of 20: .*exit status"):
        device.train(seed=CRASH)


def test_a_device_that_falls_silent_in_training_names_the_epoch():
    mute = MuteLink(process())
    with Device.open(mute, **(FAST | {"tries": 2})) as device:
        with pytest.raises(LinkError, match=r"epoch 1 of 500: .*did not answer Status in 2 tries"):
            device.train(epochs=500, seed=SLOW, on_metrics=lambda _: setattr(mute, "mute", True))


def test_a_device_that_restarts_in_training_is_noticed(device):
    def restart(metrics):
        if metrics.epoch == 2:
            device.link.write(encode(0x06, 200))

    with pytest.raises(FirmwareError, match="ended after epoch 0 of 500.*the device restarted"):
        device.train(epochs=500, seed=SLOW, on_metrics=restart)


def test_a_program_that_cannot_be_started_is_named():
    with pytest.raises(LinkError, match=r"'/nowhere/node' cannot be started.*tinydream build"):
        ProcessLink(["/nowhere/node"])


def test_a_program_that_ended_says_how_and_why():
    short = ProcessLink(["sh", "-c", "echo no memory >&2; exit 3"])
    short.process.wait()
    with pytest.raises(LinkError, match="'sh' ended with exit status 3, saying 'no memory'"):
        short.read(1)
    short.close()
    short.close()


def test_the_program_ends_when_its_host_does():
    node = subprocess.Popen([node_program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    node.communicate(timeout=5)
    assert node.returncode == 0


def test_weights_that_do_not_match_their_checksum_are_refused(device):
    state = device.status()
    device.status = lambda: State(False, 0, 0, state.crc32 ^ 1, 0)
    with pytest.raises(VerifyError, match="do not match the device's CRC-32"):
        device.pull()


# ---- the node by itself: it never trusts the wire ----


class Raw:
    """Frames of the test's own making to the node, and all that comes back."""

    def __init__(self):
        self.link, self.decoder = process(), Decoder()

    def ask(self, type_, sequence, body=b""):
        self.link.write(encode(type_, sequence, body))
        return self.hear(2.0)

    def hear(self, patience):
        items = []
        while data := self.link.read(patience):
            items += self.decoder.feed(data)
            patience = 0.02  # once it talks, it talks without a pause
        return [i for i in items if isinstance(i, Frame)]


@pytest.fixture
def raw():
    raw = Raw()
    raw.ask(1, 0, b"\1\0")
    yield raw
    raw.link.close()


TRAIN = Train(0, 0, 1, 0, 0.5, False).pack()


def test_a_repeated_request_is_answered_but_not_done_again(raw):
    first = raw.ask(2, 9, TRAIN)
    assert [f.type for f in first] == [0x82, 0xC1, 0xC2]
    assert raw.ask(2, 9, TRAIN) == [Frame(0x82, 9, b"")]
    again = raw.ask(2, 10, TRAIN)
    assert Started.unpack(again[0].body) and [f.type for f in again] == [0x82, 0xC1, 0xC2]
    assert Done.unpack(again[2].body).crc32 != Done.unpack(first[2].body).crc32


def test_events_are_counted_by_their_own_sequence(raw):
    events = raw.ask(2, 9, TRAIN) + raw.ask(2, 77, TRAIN)
    assert [f.sequence for f in events if f.type > 0xC0] == [0, 1, 2, 3]


def pull(first, count):
    return struct.pack("<IH", first, count)


BAD = [
    (0, b"", -9),
    (7, b"", -9),
    (0x81, b"", -9),
    (0xFF, b"\0\0\0", -9),
    (1, b"\1", -9),
    (2, TRAIN[:-1], -9),
    (2, TRAIN + b"\0", -9),
    (3, b"\0", -9),
    (4, pull(0, 1)[:-1], -9),
    (5, bytes(240), -9),
    (2, TRAIN[:-1] + b"\2", -1),
    (2, Train(0, 0, 0, 0, 0.5, False).pack(), -1),
    (2, Train(5, 0, 1, 0, float("nan"), True).pack(), -1),
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
    assert raw.hear(0.1) == []
    assert raw.ask(5, 1)[0].type == 0x85


def noise(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(400))
    sizes = [0, 2, 6, 21, 240, 241, 1000, rng.randrange(300)]
    sequence = 128 + rng.randrange(4)  # none that the host will use after the noise
    good = bytearray(encode(rng.randrange(8), sequence, rng.randbytes(rng.choice(sizes))))
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


# ---- serial ports ----


@pytest.fixture
def port():
    """The native program behind a pseudo-terminal; the name of its other end."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    node = subprocess.Popen([node_program()], stdin=ours, stdout=ours)
    yield os.ttyname(theirs)
    node.kill()
    node.wait()
    os.close(ours)
    os.close(theirs)


def test_a_device_is_trained_over_a_terminal(port, weights):
    with Device.open(port, **FAST) as device:
        assert (two_runs(device) == weights).all()


def test_a_port_that_another_program_holds_is_refused(port):
    with Device.open(port, **FAST):
        with pytest.raises(LinkError, match="is held by another program; close that"):
            SerialLink(port)


def test_a_port_that_does_not_exist_is_refused_with_those_that_do(monkeypatch):
    monkeypatch.setattr(link, "port_names", lambda: ["/dev/ttyACM0", "/dev/ttyUSB7"])
    with pytest.raises(LinkError, match="'/dev/none' does not exist.*/dev/ttyACM0, /dev/ttyUSB7"):
        SerialLink("/dev/none")


def test_a_port_without_permission_names_the_group(monkeypatch):
    def refuse(*_, **__):
        raise serial.SerialException(13, "Permission denied")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(LinkError, match="may not be used by this user.*dialout"):
        SerialLink("/dev/ttyUSB0")


def test_a_port_that_is_unplugged_breaks_the_link(port):
    serial_link = SerialLink(port)
    serial_link.close()
    with pytest.raises(LinkError, match="the link to .* broke"):
        serial_link.read(0.1)
    with pytest.raises(LinkError, match="the link to .* broke"):
        serial_link.write(b"x")
