"""Weights that survive: a power cut at every write leaves old or new, whole."""

import numpy as np
import oracle_saving
import pytest
from saving_double import (
    ENOROOM,
    ENOTHING,
    EOTHERPLAN,
    ESTORAGE,
    GEOMETRIES,
    NEVER,
    Cutter,
    Machine,
    as_words,
    check,
    plan_of,
)

from tinydream.simulator import Simulator

TEARS = (0, 1, 2, 3, 4)
every_geometry = pytest.mark.parametrize("choice", GEOMETRIES, ids=str)


@pytest.fixture
def machine_of():
    machines = []

    def make(seed, geometry):
        machines.append(Machine(seed, geometry))
        machines[-1].tell("boot", 1, 0)
        return machines[-1]

    yield make
    for machine in machines:
        machine.close()


@pytest.fixture
def machine(machine_of, choice):
    return machine_of(*choice)


@every_geometry
def test_a_cut_at_every_write_of_a_save_leaves_old_or_new(choice):
    """Over as many places as the storage has, with every kind of torn word."""
    cutter = Cutter(1, choice)
    machine = cutter.machine
    machine.tell("start", 5, 60, 20)
    for _ in range(3 if machine.geometry[2] < 4 else 7):
        machine.ask("steps 2", "mark")
        new = cutter.saved()
        code, operations = machine.numbers("save", NEVER, 0)
        assert code == 0
        for cut in range(operations):
            for tear in TEARS if cut > operations - 4 else (cut % 5,):
                record, said = check(machine, 1, 9, "back", f"save {cut} {tear}")
                assert said[1] == [str(ESTORAGE), str(cut + 1)]
                found = record.sequence if record else 0
                assert found == cutter.newest or cut == operations - 1
                if found == cutter.newest + 1:
                    assert as_words(record.body) == new
        machine.tell("back")
        cutter.save()
    machine.close()


@pytest.mark.parametrize("seed", range(12))
def test_random_histories_with_cuts_keep_old_or_new(seed):
    """Cuts in saves, in erasures, in the save after a cut; runs that begin, end and go on."""
    cutter = Cutter(seed, GEOMETRIES[seed % len(GEOMETRIES)])
    while cutter.cuts < 100:
        cutter.step()
    cutter.machine.close()


@every_geometry
def test_a_run_goes_on_at_the_exact_step(choice, machine):
    """Power is cut, in a save or between two, until the run is done: the weights are the same."""
    knobs = {"seed": 3, "epochs": 4, "epoch_rows": 50}
    simulator = Simulator(machine.plan, weights_seed=1)
    simulator.train(**knobs, rate=np.float32(1e-4), fresh=False)
    machine.tell("boot", 1, 1)
    machine.tell("start", *knobs.values())
    machine.tell("save", NEVER, 0)
    steps = 0
    while machine.dump()[0]:
        machine.tell("steps", 1)
        steps += 1
        if steps % 3 == 0 and machine.keeps_runs:  # every other save is whole
            machine.tell("save", 31 * steps % 97 if steps % 2 else NEVER, steps)
            check(machine)
    assert np.array_equal(machine.weights(), simulator.weights)


def test_where_two_runs_do_not_fit_weights_are_kept(machine_of):
    machine = machine_of(2, (2048, 1024, 4))
    machine.ask("start 1 9 9", "steps 3", f"save {NEVER} 0")
    running, words = machine.dump()
    record, _ = check(machine)
    assert running and not record.run and words.startswith(as_words(record.body))


def test_nothing_is_loaded_from_an_empty_storage(machine_of):
    machine = machine_of(6, (1152, 576, 1))
    before = machine.ask("start 1 9 9", "steps 2", "dump")[2]
    machine.tell("load", 1)
    assert machine.tell("load", 1) == [str(ENOTHING)] and machine.tell("dump") == before


def test_two_records_must_fit(machine_of):
    machine = machine_of(6, (1152 - 64, 64, 1))
    assert machine.numbers("save", NEVER, 0) == (0, machine.numbers("save", NEVER, 0)[1])
    assert not machine.newest().run
    machine = machine_of(6, (640 - 64, 64, 1))
    assert machine.numbers("save", NEVER, 0) == (ENOROOM, 0)


def test_another_plans_weights_are_kept_and_refused_until_they_are_erased(machine_of):
    first, second = machine_of(6, (4096, 1024, 4)), machine_of(11, (4096, 1024, 4))
    first.ask(f"save {NEVER} 0", f"save {NEVER} 0")
    image = first.tell("image")[0]
    second.tell("flash", image)
    before = second.tell("dump")
    assert second.tell("boot", 1, 0) == [str(EOTHERPLAN), "2"]
    assert second.tell("save", NEVER, 0) == [str(EOTHERPLAN), "0"]
    assert second.tell("dump") == before and second.tell("image") == [image]
    assert second.newest().digest == first.plan.digest
    assert second.numbers("erase", NEVER, 0) == (0, 4)
    assert second.tell("image") == ["ff" * 4096]
    assert second.numbers("save", NEVER, 0)[0] == 0
    assert check(second)[0].digest == second.plan.digest


@every_geometry
def test_a_storage_that_fails_keeps_the_old_record_and_can_be_written_again(choice, machine):
    """Each operation of a save fails once, while power stays on."""
    _, operations = machine.numbers("save", NEVER, 0)
    for failing in range(0, operations, 1 + operations // 40):
        machine.ask(f"start {failing} 9 9", "steps 1")
        old = machine.newest()
        assert machine.numbers("save", -failing - 1, 0) == (ESTORAGE, failing + 1)
        assert machine.newest() == old
        assert machine.numbers("save", NEVER, 0)[0] == 0
        assert machine.newest().sequence == old.sequence + 1


def test_a_damaged_byte_anywhere_brings_back_the_record_before(machine_of):
    machine = machine_of(32, (1024, 512, 1))
    machine.ask("start 1 99 9", "steps 1", f"save {NEVER} 0", "steps 1", f"save {NEVER} 0")
    image, newest = bytes.fromhex(machine.tell("image")[0]), machine.newest()
    assert newest.sequence == 2
    for at in range(newest.at, newest.at + 64 + len(newest.body)):
        for flip in (1, 0x80, 0xFF):
            spoilt = bytearray(image)
            spoilt[at] ^= flip
            record, _ = check(machine, 1, 9, f"flash {spoilt.hex()}")
            assert record.sequence == 1


def test_records_take_turns_in_all_of_the_storage(machine_of):
    machine = machine_of(3, (6144, 2048, 4))  # three areas of six records with a run
    machine.tell("start", 1, 999, 9)
    places = []
    for _ in range(36):
        machine.ask("steps 1", f"save {NEVER} 0")
        places.append(machine.newest().at)
    size = oracle_saving.record_bytes(plan_of(3), True)
    area = [size * k for k in range(2048 // size)]
    assert places == [start + at for start in (0, 2048, 4096) for at in area] * 2


@pytest.mark.parametrize(
    "geometry", [(0, 64, 1), (64, 0, 1), (96, 96, 1), (128, 64, 3), (128, 64, 64)]
)
def test_a_storage_whose_sizes_make_no_sense_is_none(machine_of, geometry):
    machine = machine_of(3, (4096, 2048, 4))
    assert machine.tell("geometry", *geometry) == [str(ESTORAGE)]
    assert machine.tell("save", NEVER, 0) == ["-20", "0"]


@pytest.mark.parametrize(("saves", "code"), [(1, 0), (2, ENOROOM)])
def test_a_record_that_lies_across_what_would_be_erased_stays(machine_of, saves, code):
    """The firmware was built anew, for larger blocks, and the newest record is of before."""
    machine = machine_of(6, (2304, 576, 4))
    machine.tell("start", 1, 999, 9)
    for _ in range(saves):
        machine.ask("steps 1", f"save {NEVER} 0")
    newest = machine.newest()
    assert machine.tell("geometry", 1280, 640, 4) == ["0"]
    machine.tell("steps", 1)
    assert machine.numbers("save", 1, 0)[0] == (code or ESTORAGE)
    assert check(machine)[0] == newest
