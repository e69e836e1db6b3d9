"""Whole devices that keep weights in a file or in QEMU's flash, and who kills them in mid-save."""

import functools
import shutil
import time
from pathlib import Path
from zlib import crc32

from plans import random_plan

from tinydream.board import load_board
from tinydream.bridge import ProcessLink, QemuLink
from tinydream.build import build
from tinydream.codegen import write_project
from tinydream.simulator import Simulator

__all__ = ["KEEP_TEST", "SEED", "Killer", "device"]

KEEP_TEST = Path(__file__).parent / "c/keep_test.c"
SEED = 6  # Adam, validation rows, the best weights kept


def device(name, folder, main=None, boot=1):
    """A board with this main, or the usual one, and how to switch it on."""
    board, plan = load_board(name), random_plan(SEED, board=name)
    write_project(plan, folder / "p", board, TD_BOOT=boot)
    if main:
        shutil.copy(main, folder / "p/src/main.c")
    program = build(folder / "p")

    def switch_on(kept=folder / "kept, by power.bin"):
        if board.qemu:
            return QemuLink(board.qemu, program, kept=(board.storage, kept))
        return ProcessLink([str(program)], env={"TINYDREAM_STORAGE": str(kept)})

    return plan, switch_on


@functools.cache
def uncut(plan):
    """CRC-32 of the weights that keep_test.c's run ends with, when nothing ever happens."""
    simulator = Simulator(plan, weights_seed=1)
    simulator.train(seed=3, epochs=6, rate=1e-4, schedule="cosine", factor=0.5, fresh=False)
    return crc32(simulator.weights.tobytes())


def hear(link):
    """The next line, its numbers read."""
    said, deadline = "", time.monotonic() + 30
    while "\n" not in said:
        assert time.monotonic() < deadline, f"only {said!r} in half a minute"
        said += link.read(1.0).decode()
    assert said.count("\n") == 1, said
    word, first, second = said.split()
    return word, int(first, 16), int(second, 16)


class Killer:
    """A run of keep_test.c, killed (SIGKILL) again and again, often in the middle of a save."""

    def __init__(self, plan, switch_on, rng):
        self.plan, self.switch_on, self.rng = plan, switch_on, rng
        self.newest = 0  # the last save that was told
        self.killed = False
        self.took = 0.002  # seconds of an epoch and its save
        self.old = self.new = 0  # found after a kill: the save before, or the one it was in

    def run(self):
        """To the end of the run, whose weights are those of a run without a kill.

        Returns how often the old and how often the new save was found; else it asserts.
        """
        while (crc := self.live()) is None:
            pass
        assert crc == uncut(self.plan)
        return self.old, self.new

    def live(self):
        """Until it is killed; or until all is done: then the CRC-32 of the weights."""
        link = self.switch_on()
        try:
            self.boot(*hear(link))
            while self.rng.random() < 0.8:
                link.write(b".")
                started = time.monotonic()
                word, number, crc = hear(link)
                self.took = time.monotonic() - started
                if word == "done":
                    return crc
                assert (word, number) == ("saved", self.newest + 1)
                self.newest += 1
            link.write(b".")
            if self.rng.random() < 0.7:  # else at once: a process saves in no time
                time.sleep(self.rng.random() * 1.5 * self.took)
            link.process.kill()
            link.process.wait()
            self.killed = True
        finally:
            link.close()

    def boot(self, word, _, sequence):
        assert word == "boot" and sequence in (self.newest, self.newest + 1)
        self.old += self.killed and sequence == self.newest
        self.new += self.killed and sequence != self.newest
        self.newest, self.killed = sequence, False
