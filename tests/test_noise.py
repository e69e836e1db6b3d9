"""Bad lines: nothing corrupted is accepted, every run comes to the same; more in bench bridge."""

import pytest

from bench.bridge.device import FAST, make_program, work
from bench.bridge.noise import FAULTS, NoisyLink
from tinydream.bridge import Device, ProcessLink


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return make_program(tmp_path_factory.mktemp("node"))


@pytest.mark.parametrize("share", [1 / 200, 1 / 20])
def test_a_bad_line_costs_time_and_nothing_else(program, share):
    with Device.open(ProcessLink([program]), **FAST) as device:
        wanted = work(device)
    noisy = NoisyLink(ProcessLink([program]), 7, share)
    with Device.open(noisy, **FAST) as device:
        assert work(device).tobytes() == wanted.tobytes()
        assert device.health.repeated > 5
    assert noisy.wrong == 0 and noisy.arrived > 50
    assert all(noisy.injected[fault] for fault in FAULTS[:4])
