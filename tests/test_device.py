"""The host against the C node: over a good line, a bad one, and no line at all."""

import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from bridge_double import FAST, FaultyLink, MuteLink, process, small_plan, two_runs

from tinydream.bridge import Device, FakeLink
from tinydream.bridge.answer import Failure, Info, State
from tinydream.bridge.frame import Decoder, encode
from tinydream.errors import FirmwareError, InputError, LinkError, VerifyError
from tinydream.plan import FORMAT

SLOW = 668  # the fake trainer's seed for 2 ms a batch
CRASH, NOT_FINITE = 666, 667


INFO = Info(3, FORMAT, bytes(8), 0, 0, 240, 64, 1, 0, 0, "x", "us")
FAULTY = FAST | {"timeout": 0.03, "silence": 0.03}


@pytest.fixture
def device():
    with Device.open(process(), **FAST) as device:
        yield device


# ---- a good line ----


def test_the_device_says_what_it_was_built_from(device):
    plan = small_plan()
    boot = device.info.boot
    told = (3, FORMAT, plan.digest, 600, 150, 240, 4096, boot, 15, 0, "native", "ns")
    assert device.info == Info(*told) and boot != 0
    device.expect(plan)


def test_the_unit_of_ticks_is_the_port_s(device):
    assert device.tick_unit == "ns"


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
    assert device.status() == State(0, done.epoch, done.step, done.crc32, 0)


def test_stopping_when_nothing_runs_is_fine(device):
    device.stop()
    assert device.train(epochs=2).epoch == 2


def test_after_an_interrupted_run_the_next_one_hears_only_its_own_events(device):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        device.train(epochs=500, seed=SLOW, on_metrics=interrupt)
    device.stop()
    seen = []
    assert device.train(epochs=2, on_metrics=seen.append).epoch == 2
    assert [m.epoch for m in seen] == [1, 2]


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
    name, value = next(iter(knobs.items()))
    with pytest.raises(InputError, match=f"{name} must .*, not {value}"):
        device.train(**knobs)


def test_a_host_that_sleeps_loses_metrics_but_not_the_end(device):
    seen = []

    def sleepy(metrics):
        seen.append(metrics.epoch)
        if len(seen) == 1:
            time.sleep(0.6)

    done = device.train(epochs=20_000, on_metrics=sleepy)
    assert done.epoch == 20_000 and 0 < len(seen) < 20_000 and seen == sorted(set(seen))
    # of those that arrive after a long gap a few may pass for repeated ones
    dropped = device.counts().dropped
    assert dropped > 0 and 0 <= 20_000 - len(seen) - dropped < 16
    device.pull()


def test_the_last_words_of_a_board_that_panicked_are_told():
    link = FakeLink()
    link.feed(b"\0\r\nfault, CFSR 00008200, at 08001234\r\n\0")
    with pytest.raises(LinkError, match="came, and the text 'fault, CFSR 00008200, at 08001234'"):
        Device.open(link, **FAST | {"open_timeout": 0.2})


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
    answer = replace(INFO, protocol=4).pack()
    fake = FakeLink(lambda sent: encode(0x81, Decoder().feed(sent)[0].sequence, answer))
    with pytest.raises(FirmwareError, match="protocol 4, this tinydream 3.*tinydream build"):
        Device.open(fake, **FAST)
    assert fake.closed


# ---- a bad line ----


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


def test_what_a_silent_device_printed_last_is_logged():
    fake, logs = FakeLink(), []
    fake.feed(b"panic: no clock\r\n")
    with pytest.raises(LinkError, match="no tinydream firmware answered"):
        Device.open(fake, timeout=0.05, open_timeout=0.1, on_log=logs.append)
    assert logs == ["panic: no clock"]


def test_the_refusal_of_another_request_is_not_ours():
    def answer(sent):
        sequence = Decoder().feed(sent)[0].sequence
        refusal = encode(0xFF, sequence, Failure(-9, 2).pack())
        return refusal + encode(0x81, sequence, INFO.pack())

    assert Device.open(FakeLink(answer), **FAST).info == INFO


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
            device.link.write(encode(0x06, (device._line._sequence + 1) % 256))

    device.stop()  # an earlier stop must not be taken for the reason
    with pytest.raises(FirmwareError, match="restarted; what it had learnt"):
        device.train(epochs=500, seed=SLOW, on_metrics=restart)


def test_weights_that_do_not_match_their_checksum_are_refused(device):
    state = device.status()
    device.status = lambda: State(0, 0, 0, state.crc32 ^ 1, 0)
    with pytest.raises(VerifyError, match="do not match the device's CRC-32"):
        device.pull()
