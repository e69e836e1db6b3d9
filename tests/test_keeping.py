"""Power cuts of whole devices, which are processes that are killed: a run ends as without one."""

import random

import numpy as np
import pytest
from keeping_double import KEEP_TEST, SEED, Killer, device
from plans import random_plan
from saving_double import ENOTHING

from tinydream.bridge import Device, ProcessLink
from tinydream.build import build
from tinydream.codegen import write_project
from tinydream.errors import FirmwareError
from tinydream.saving import BOOTS
from tinydream.simulator import Simulator
from tinydream.training import Knobs


def run_with_cuts(name, tmp_path):
    """How many cuts a run took; the weights are those of a run without any."""
    plan, switch_on = device(name, tmp_path, KEEP_TEST)
    old, new = Killer(plan, switch_on, random.Random(1)).run()
    return old + new


@pytest.mark.needs("cc")
def test_a_process_that_is_killed_goes_on(tmp_path):
    assert run_with_cuts("native", tmp_path) > 3


@pytest.mark.slow
@pytest.mark.needs("qemu")
@pytest.mark.parametrize("name", ["qemu_mps2_an500", "qemu_mps2_an505"])
def test_a_core_that_is_killed_in_the_middle_of_a_save_goes_on(name, tmp_path):
    assert run_with_cuts(name, tmp_path) > 3


@pytest.mark.slow
@pytest.mark.needs("riscv")
def test_flash_behind_its_commands_keeps_a_run(tmp_path):
    assert run_with_cuts("qemu_rv32imc", tmp_path) > 3


# ---- by the bridge ----


def trained(plan, epochs):
    """A run, and the weights that it ends with."""
    knobs = Knobs(seed=3, epochs=epochs, rate=1e-4, schedule="cosine", factor=0.5)
    simulator = Simulator(plan)
    simulator.train(**knobs.as_dict())
    return knobs, simulator.weights


def through_the_bridge(name, tmp_path, epochs):
    """Saves on request and by epochs; what is loaded goes on, or only predicts.

    epochs: so many that the host can come in between.
    """
    plan, switch_on = device(name, tmp_path)
    knobs, end = trained(plan, epochs)
    with Device.open(switch_on()) as first:
        first.expect(plan)
        assert first.counts().kept == ENOTHING
        with pytest.raises(FirmwareError, match="TD_ENOTHING"):
            first.load()
        first.set(save_every=epochs // 6)
        first.start(knobs)
        state = first.pause()
        first.save()
        half, counts = first.pull(), first.counts()
        assert (counts.kept, counts.kept_run) == (0, 1)
        assert (counts.kept_epoch, counts.kept_digest) == (state.epoch, plan.digest)
        first.link.process.kill()
    with Device.open(switch_on()) as second:  # loads, and waits
        assert not second.status().running and np.array_equal(second.pull(), half)
        second.set(save_every=epochs // 6)
        second.load(run=True)
        assert second.watch().epoch == epochs
        assert np.array_equal(second.pull(), end)
        assert second.counts().kept_number == 7  # six by epochs, one on request
    with Device.open(switch_on()) as third:
        assert np.array_equal(third.pull(), end)
        third.erase()
        assert third.counts().kept == ENOTHING
    with Device.open(switch_on()) as fourth:
        assert np.array_equal(fourth.pull(), Simulator(plan).weights)


@pytest.mark.needs("cc")
def test_a_process_keeps_what_the_host_asks_it_to_keep(tmp_path):
    through_the_bridge("native", tmp_path, 6000)


@pytest.mark.slow
@pytest.mark.needs("qemu")
def test_a_core_keeps_what_the_host_asks_it_to_keep(tmp_path):
    through_the_bridge("qemu_mps2_an505", tmp_path, 120)


@pytest.mark.slow
@pytest.mark.needs("qemu")
def test_flash_of_an_nrf51_keeps_a_run_over_a_reset(tmp_path):
    """Bits go from 1 to 0 only, as its controller has it; nothing outlasts QEMU."""
    plan, switch_on = device("qemu_microbit", tmp_path)
    knobs, end = trained(plan, 10)
    with Device.open(switch_on()) as board:
        board.start(knobs)
        board.pause()
        for number in range(1, 8):  # more than there are pages
            board.save()
            assert board.counts().kept_number == number
        half = board.pull()
        board.reset()
        assert np.array_equal(board.pull(), half)
        board.load(run=True)
        board.watch()
        assert np.array_equal(board.pull(), end)


@pytest.mark.needs("cc")
@pytest.mark.parametrize("boot", BOOTS)
def test_a_device_starts_as_the_plan_says(tmp_path, boot):
    """Without a host: it waits, predicts, or trains to the end."""
    plan, switch_on = device("native", tmp_path, boot=BOOTS.index(boot))
    knobs, end = trained(plan, 6000)
    with Device.open(switch_on()) as first:
        first.start(knobs)
        first.pause()
        first.save()
        half = first.pull()
    with Device.open(switch_on()) as second:
        if boot == "train":
            second.watch()
        found = second.pull()
    fresh = Simulator(plan).weights
    assert np.array_equal(found, {"idle": fresh, "predict": half, "train": end}[boot])


@pytest.mark.needs("cc")
@pytest.mark.parametrize("off", [0, 1])
def test_a_device_that_computes_other_weights_is_refused(tmp_path, off):
    plan = random_plan(SEED)
    expected = Simulator(plan).first_steps() ^ off
    write_project(plan, tmp_path / "p", TD_SELF_TEST=expected)
    with Device.open(ProcessLink([str(build(tmp_path / "p"))])) as found:
        if off:
            with pytest.raises(FirmwareError, match="TD_ENUMERIC"):
                found.pull()
        else:
            assert np.array_equal(found.pull(), Simulator(plan).weights)
