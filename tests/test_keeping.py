"""Power cuts of whole devices, which are processes that are killed: a run ends as without one."""

import random
import shutil
import time
from zlib import crc32

import numpy as np
import pytest
from plans import random_plan
from saving_double import ENOTHING

from tinydream.board import load_board
from tinydream.bridge import Device, ProcessLink, QemuLink
from tinydream.build import build
from tinydream.codegen import write_project
from tinydream.errors import FirmwareError
from tinydream.saving import BOOTS
from tinydream.simulator import Simulator
from tinydream.training import Knobs

SEED = 6  # Adam, validation rows, the best weights kept


def device(name, tmp_path, main=None, boot=1):
    """A board with this main, or the usual one, and how to switch it on."""
    board, plan = load_board(name), random_plan(SEED, board=name)
    write_project(plan, tmp_path / "p", board, TD_BOOT=boot)
    if main:
        shutil.copy(main, tmp_path / "p/src/main.c")
    program, kept = build(tmp_path / "p"), tmp_path / "kept, by power.bin"

    def switch_on():
        if board.qemu:
            return QemuLink(board.qemu, program, kept=(board.storage, kept))
        return ProcessLink([str(program)], env={"TINYDREAM_STORAGE": str(kept)})

    return plan, switch_on


def hear(link):
    """The next line, its numbers read."""
    said, deadline = "", time.monotonic() + 30
    while "\n" not in said:
        assert time.monotonic() < deadline, f"only {said!r} in half a minute"
        said += link.read(1.0).decode()
    assert said.count("\n") == 1, said
    word, first, second = said.split()
    return word, int(first, 16), int(second, 16)


def live(link, rng, newest):
    """Until it is killed, often in the middle of a save; or until all is done.

    newest: sequence of the last save that was told. Returns that, and the CRC-32 at the end.
    """
    try:
        word, _, sequence = hear(link)
        assert word == "boot" and sequence in (newest, newest + 1)
        while rng.random() < 0.8:
            link.write(b".")
            word, number, crc = hear(link)
            if word == "done":
                return sequence, crc
            assert (word, number) == ("saved", sequence + 1)
            sequence += 1
        link.write(b".")
        time.sleep(rng.random() * 0.002)
        link.process.kill()
        link.process.wait()
        return sequence, None
    finally:
        link.close()


def run_with_cuts(name, tmp_path, request):
    """How many cuts it took; the weights are those of a run without any."""
    plan, switch_on = device(name, tmp_path, request.path.parent / "c" / "keep_test.c")
    rng, cuts, newest, crc = random.Random(1), 0, 0, None
    while crc is None:
        newest, crc = live(switch_on(), rng, newest)
        cuts += 1
    simulator = Simulator(plan, weights_seed=1)
    simulator.train(seed=3, epochs=6, rate=1e-4, schedule="cosine", factor=0.5, fresh=False)
    assert crc == crc32(simulator.weights.tobytes())
    return cuts - 1


@pytest.mark.needs("cc")
def test_a_process_that_is_killed_goes_on(tmp_path, request):
    assert run_with_cuts("native", tmp_path, request) > 3


@pytest.mark.slow
@pytest.mark.needs("qemu")
@pytest.mark.parametrize("name", ["qemu_mps2_an500", "qemu_mps2_an505"])
def test_a_core_that_is_killed_in_the_middle_of_a_save_goes_on(name, tmp_path, request):
    assert run_with_cuts(name, tmp_path, request) > 3


@pytest.mark.slow
@pytest.mark.needs("riscv")
def test_flash_behind_its_commands_keeps_a_run(tmp_path, request):
    assert run_with_cuts("qemu_rv32imc", tmp_path, request) > 3


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
