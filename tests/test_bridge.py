"""What a host can do with a device beside training it to the end."""

import binascii
import struct
import time

import numpy as np
import pytest
from bridge_double import FAST, node_program, process, small_plan

from tinydream.bridge import Device, FakeLink, ProcessLink
from tinydream.bridge.answer import STATES
from tinydream.bridge.frame import _stuff, encode
from tinydream.errors import FirmwareError, InputError, LinkError
from tinydream.training import Knobs

SLOW = 668  # the fake trainer's seed for 2 ms a batch
LONG = Knobs(epochs=100_000, seed=SLOW)


@pytest.fixture
def device():
    with Device.open(process(), **FAST) as device:
        device.expect(small_plan())
        yield device


# ---- a run ----


def test_a_run_pauses_goes_step_by_step_and_goes_on(device):
    device.start(LONG)
    held = device.pause()
    assert STATES[held.state] == "paused" and device.status() == held
    after = device.step(3)
    assert (after.step, after.state) == (held.step + 3, held.state)
    device.resume()
    assert STATES[device.status().state] == "running"
    device.pause()
    device.stop()
    assert device.watch().epoch == device.status().epoch


def test_without_a_run_there_is_nothing_to_pause(device):
    for ask in (device.pause, device.step, device.resume):
        with pytest.raises(FirmwareError, match="TD_ESTATE"):
            ask()


def test_metrics_come_as_seldom_as_wanted_but_the_last_epoch_tells(device):
    device.set(report=7)
    seen = []
    device.train(epochs=24, on_metrics=seen.append)
    assert [m.epoch for m in seen] == [7, 14, 21, 24] and device.lost_events == 0


def test_a_rate_changes_what_a_run_comes_to(device):
    def run(rate=None):
        device.start(Knobs(epochs=4, seed=SLOW))
        device.pause()
        device.step(1)
        if rate:
            device.set(rate=rate)
        device.resume()
        device.watch()
        return device.pull()

    assert (run() == run()).all() and (run(0.5) != run()).any()


def test_knobs_out_of_range_are_refused(device):
    for knob in ({"rate": 0.0}, {"report": 0}, {"mix": 70_000}):
        with pytest.raises(FirmwareError, match="refuses Knob.*TD_EARG"):
            device.set(**knob)


def test_another_host_may_watch_a_run_to_its_end(device):
    device.start(Knobs(epochs=9, seed=SLOW))
    other = Device(device.link, **FAST)
    other.hello()
    assert other.info.running and other.info.boot == device.info.boot
    assert other.watch().epoch == 9


# ---- weights, rows ----


def test_weights_go_there_and_back(device):
    weights = np.random.default_rng(0).normal(size=150).astype(np.float32)
    weights[7] = -0.0
    device.push(weights)
    got = device.pull()
    assert (got == weights).all() and not np.signbit(got[7])


@pytest.mark.parametrize("bad", [np.zeros(149), np.full(150, np.nan), np.full(150, 1e30)])
def test_weights_that_make_no_sense_are_refused_and_nothing_is_sent(device, bad):
    before = device.pull()
    with pytest.raises(InputError, match=r"150 parameters|infinite"):
        device.push(bad)
    assert (device.pull() == before).all()


def test_half_pushed_weights_are_not_used(device):
    def broken(*_):
        raise KeyboardInterrupt

    ask, device._ask = device._ask, broken  # after the pieces, before the checksum
    with pytest.raises(KeyboardInterrupt):
        device.push(np.ones(150))
    device._ask = ask
    for use in (
        lambda: device.train(epochs=1, fresh=False),
        lambda: device.predict(np.zeros((1, 14))),
        device.evaluate,
        device.save,
    ):
        with pytest.raises(FirmwareError, match="TD_EDIRTY"):
            use()
    assert device.status().error == -13
    device.push(np.ones(150))
    assert (device.pull() == 1).all()


def test_no_weights_are_pushed_into_a_run(device):
    device.start(LONG)
    with pytest.raises(FirmwareError, match="TD_EBUSY"):
        device.push(np.ones(150))
    device.stop()


def test_rows_are_predicted_and_judged_and_learnt(device):
    rows = np.arange(28).reshape(2, 14)
    assert (device._predict(rows)[1] == rows.sum(1)[:, None] + np.arange(10)).all()
    judged = device.judge(rows, [3, 5])
    assert (judged.rows, judged.correct, judged.loss) == (2, 0, 4.0)
    with pytest.raises(FirmwareError, match="TD_ESTATE"):
        device.learn(rows, [3, 5])
    device.set(rate=0.1, mix=20)
    learnt = device.learn(rows, [3, 5])
    assert (learnt.correct, learnt.loss) == (2, 24.0) and device.counts().learnt == 2


def test_a_row_that_is_longer_than_a_frame_pauses_the_run_meanwhile(device):
    device._line.room = 64
    rows = np.arange(28).reshape(2, 14)
    device.start(LONG)
    assert (device._predict(rows)[1] == rows.sum(1)[:, None] + np.arange(10)).all()
    assert STATES[device.status().state] == "running"
    device.stop()


def test_rows_of_another_shape_are_refused(device):
    with pytest.raises(InputError, match=r"14 features.*\(2, 13\)"):
        device.predict(np.zeros((2, 13)))
    with pytest.raises(InputError, match=r"one class.*\(1, 1\)"):
        device.learn(np.zeros((2, 14)), [3])


def test_validation_rows_are_looked_at(device):
    seen = device.evaluate()
    assert (seen.rows, seen.correct, seen.loss) == (5, 3, 0.5)


def test_packed_representatives_are_read_as_they_lie(device):
    assert device.pull_rows(3) == b"abc"


def test_a_board_without_storage_says_so(device):
    for ask in (device.save, device.load, device.erase):
        with pytest.raises(FirmwareError, match="TD_ENOSTORAGE"):
            ask()


def test_both_ends_count_frames(device):
    before = device.counts()
    device.link.write(b"\0\x05nonsense\0")
    device.status()
    after = device.counts()
    assert after.frames_in >= before.frames_in + 2 and after.damaged == before.damaged + 1
    assert after.ticks > before.ticks and device.health.frames >= 3


# ---- a firmware of one's own ----


def test_a_firmware_tells_numbers_of_its_own_and_learns_rows_of_its_own():
    program = node_program(main="tests/c/own_main.c")
    logs, told = [], []
    with Device.open(
        ProcessLink([program]), **FAST, on_log=logs.append, on_values=told.append
    ) as device:
        assert [(c.name, c.unit, c.kind) for c in device.channels()] == [
            ("temperature", "C", 0),
            ("count", "", 2),
        ]
        device.train(epochs=5)
        assert told == [{"temperature": 21.5, "count": -7}] * 5 == [device.values] * 5
        assert logs == ["learnt one"] and device.counts().learnt == 1


# ---- starts, versions ----


def test_a_device_that_restarted_is_noticed_by_the_next_request(device):
    boot = device.info.boot
    device.link.write(small_reset(device))
    time.sleep(0.2)
    with pytest.raises(FirmwareError, match="restarted; what it had learnt"):
        device.status()
    assert device.info.boot != boot and device.status().step == 0


def small_reset(device):
    return encode(6, device._line.next_sequence())


def test_firmware_of_an_older_protocol_is_named():
    content = bytes((0x81, 1)) + struct.pack("<HH", 2, 2) + b"\1" * 30
    content += binascii.crc_hqx(content, 0xFFFF).to_bytes(2, "little")
    fake = FakeLink(lambda _: b"\0" + _stuff(content) + b"\0")
    with pytest.raises(FirmwareError, match="speaks protocol 2, this tinydream 3.*tinydream build"):
        Device.open(fake, **FAST | {"open_timeout": 0.3})


# ---- a link that breaks ----


class Breaking(ProcessLink):
    """A link to a process that goes on when the link breaks."""

    broken = False
    left = 0  # writes until it breaks; 0: it does not

    def read(self, timeout):
        self.look()
        return super().read(min(timeout, 0.02))

    def write(self, data):
        self.look()
        self.left -= 1
        self.broken = self.left == 0
        super().write(data)

    def look(self):
        if self.broken:
            raise LinkError("the link broke")

    def close(self):
        if not self.broken:
            super().close()


def test_a_run_goes_on_over_a_cable_that_was_unplugged():
    link = Breaking([node_program()])
    again = []

    def reopen():
        again.append(1)
        if len(again) < 3:
            raise LinkError("not there yet")
        link.broken = False
        return link

    seen = []

    def unplug(metrics):
        seen.append(metrics.epoch)
        if len(seen) == 3:
            link.broken = True

    with Device.open(link, **FAST, reopen=reopen) as device:
        done = device.train(epochs=60, seed=SLOW, on_metrics=unplug)
        link.broken = True
        assert done.epoch == 60 and device.pull().shape == (150,)
        assert device.health.reconnected == 2 and len(seen) > 3


def test_weights_are_carried_over_a_cable_that_is_unplugged_in_between():
    link = Breaking([node_program()])

    def reopen():
        link.broken = False
        return link

    weights = np.linspace(-1, 1, 150, dtype=np.float32)
    with Device.open(link, **FAST, reopen=reopen) as device:
        for count, left in enumerate((1, 2, 3, 4), 1):
            link.left = left
            device.push(weights * left)
            link.left = left
            assert np.array_equal(device.pull(), weights * left)
            assert device.health.reconnected == 2 * count


def test_a_link_that_stays_away_is_given_up():
    link = Breaking([node_program()])

    def reopen():
        raise LinkError("no such port")

    with Device.open(link, **FAST, reopen=reopen, patience=0.5) as device:
        link.broken = True
        with pytest.raises(LinkError, match="the link broke"):
            device.status()
        link.broken = False
