"""A device with a flash that loses power on request, and what it must come back with."""

import atexit
import functools
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import oracle_saving
from bridge_double import ROOT, compile_c
from plans import random_plan

from tinydream.codegen import generate

__all__ = ["GEOMETRIES", "NEVER", "Cutter", "Machine", "as_words", "check", "plan_of"]

NEVER = 10**6  # an operation that no save comes to
ENOROOM, ENOTHING, EOTHERPLAN, ESTORAGE = -22, -23, -24, -21

# seed of a plan, then bytes, erase_bytes, write_bytes
GEOMETRIES = (
    (6, (1152, 576, 1)),  # just two records, no block larger than one
    (3, (4096, 2048, 4)),  # several records in a block, some of them without a run
    (11, (1024, 64, 2)),  # records of many blocks, write units of an nRF's or an STM32F1's
    (32, (2048, 512, 8)),
    (28, (8192, 2048, 16)),
    (6, (6144, 2048, 32)),  # as an STM32H7 writes
    (2, (2048, 1024, 4)),  # no room for two runs: weights only
)
PLANS = tuple(sorted({seed for seed, _ in GEOMETRIES}))


@functools.cache
def plan_of(seed):
    return random_plan(seed)


@functools.cache
def program():
    """The device's core with the flash of save_test.c, and all these plans."""
    folder = Path(tempfile.mkdtemp(prefix="tinydream-save-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sources = []
    for seed in PLANS:
        (folder / f"{seed}").mkdir()
        for place, text in generate(plan_of(seed)).items():
            (folder / f"{seed}" / Path(place).name).write_text(text)
        sources.append(folder / f"plan{seed}.c")
        sources[-1].write_text(f'#define td_plan plan{seed}\n#include "{seed}/td_plan.c"\n')
    sources.append(folder / "plans.c")
    declared = "".join(f"extern const td_plan_t plan{seed};\n" for seed in PLANS)
    listed = ", ".join(f"&plan{seed}" for seed in PLANS)
    text = f'#include "td.h"\n{declared}const td_plan_t *const plans[] = {{{listed}}};\n'
    sources[-1].write_text("extern const int declared;\n" + text)
    core = sorted((ROOT / "firmware/lib/tinydream/src").glob("*.c"))
    files = [file for file in core if not file.name.startswith("td_node")]
    return compile_c(
        *("save", "tests/c/save_test.c", *map(str, files), *map(str, sources)),
        "-Wno-sign-conversion",
    )


class Machine:
    """save_test.c, command by command."""

    def __init__(self, seed, geometry):
        self.plan, self.geometry = plan_of(seed), geometry
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        arguments = [program(), *map(str, (PLANS.index(seed), *geometry))]
        self.process = subprocess.Popen(arguments, bufsize=-1, **pipes)

    def ask(self, *commands):
        """The answer to each command, in words."""
        self.process.stdin.write(" ;\n".join(commands) + "\n")
        self.process.stdin.flush()
        answers = [self.process.stdout.readline() for _ in commands]
        assert all(answers), f"{commands} ended the device, see stderr"
        return [answer.split() for answer in answers]

    def tell(self, *words):
        return self.ask(" ".join(map(str, words)))[0]

    def numbers(self, *words):
        return tuple(map(int, self.tell(*words)))

    def dump(self):
        """Whether a run is under way, and all words that a record would hold."""
        running, words = self.tell("dump")
        return running == "1", words

    def newest(self):
        """The flash's newest record, by SPEC."""
        return oracle_saving.newest(bytes.fromhex(self.tell("image")[0]))

    def weights(self):
        words = self.dump()[1][: 8 * self.plan.parameters]
        return np.frombuffer(bytes.fromhex(words), ">f4").astype(np.float32)

    @property
    def keeps_runs(self):
        size, block = self.geometry[:2]
        most = oracle_saving.record_bytes(self.plan, True)
        return -(-most // block) * block <= size // 2

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait() == 0


def as_words(body):
    return np.frombuffer(body, "<u4").astype(">u4").tobytes().hex()


def check(machine, run=1, seed=9, *before):
    """Power comes on: what is loaded is the flash's newest record by SPEC, or nothing is.

    before: commands that come first. Returns the record, and the answers to these.
    """
    *said, image, booted, dump = machine.ask(*before, "image", f"boot {run} {seed}", "dump")
    record = oracle_saving.newest(bytes.fromhex(image[0]))
    if record is None:
        assert booted == [str(ENOTHING), "0"]
        return None, said
    assert booted == ["0", str(record.sequence)]
    assert record.digest == machine.plan.digest and record.version == 1
    words, weights = as_words(record.body), 8 * machine.plan.parameters
    goes_on = run and record.run
    assert dump == (["1", words] if goes_on else ["0", words[:weights]])
    return record, said


class Cutter:
    """Random histories of one device, each step held against what may have been kept."""

    def __init__(self, seed, choice=None):
        self.rng = random.Random(seed)
        self.machine = Machine(*(choice or self.rng.choice(GEOMETRIES)))
        self.kept = {}  # by sequence: what was saved
        self.newest = 0
        self.cuts = 0
        check(self.machine)

    def saved(self):
        """What a record would hold now, as bytes."""
        running, words = self.machine.dump()
        if not (running and self.machine.keeps_runs):
            words = words[: 8 * self.machine.plan.parameters]
        return words

    def live(self):
        """Train a little, or begin or end a run."""
        choice = self.rng.randrange(8)
        if choice == 0:
            self.machine.tell("start", self.rng.randrange(99), 50, self.rng.randrange(1, 40))
        elif choice == 1:
            self.machine.tell("stop")
        else:
            self.machine.tell("steps", self.rng.randrange(1, 6))

    def save(self, cut=NEVER, tear=0):
        """One save, cut at an operation; whether that came to pass."""
        new = self.saved()
        code, done = self.machine.numbers("save", cut, tear)
        was_cut = code != 0
        assert code == (ESTORAGE if 0 <= cut < done else 0)
        self.kept[self.newest + 1] = new
        if not was_cut:
            self.newest += 1
        record = self.machine.newest()
        found = record.sequence if record else 0
        assert found in ({self.newest, self.newest + 1} if was_cut else {self.newest})
        self.newest = found
        if was_cut:
            self.cuts += 1
            self.boot()
        return was_cut

    def erase(self, cut=NEVER, tear=0):
        """Forget all; a cut may leave any whole record."""
        code, _ = self.machine.numbers("erase", cut, tear)
        record = self.machine.newest()
        assert record is None or code != 0
        self.newest = record.sequence if record else 0
        if code != 0:
            self.cuts += 1
            self.boot()

    def boot(self):
        run = int(self.rng.random() < 0.8)
        record, _ = check(self.machine, run)
        assert (record.sequence if record else 0) == self.newest
        if record:
            assert as_words(record.body) == self.kept[self.newest]

    def step(self):
        """Something that may happen to a device, often a cut."""
        self.live()
        choice, tear = self.rng.random(), self.rng.choice([0, 1, *range(2, 12)])
        operations = 700 // self.machine.geometry[2] + 2
        if choice < 0.8:
            self.save(self.rng.randrange(operations), tear)
        elif choice < 0.9:
            self.save()
        elif choice < 0.94:
            self.erase(self.rng.choice([NEVER, self.rng.randrange(4)]), tear)
        else:
            self.boot()
