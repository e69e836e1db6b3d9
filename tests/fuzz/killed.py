"""SIGKILL of a process and of QEMU in the middle of saves: killed.py KILLS SEED."""

import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from keeping_double import KEEP_TEST, Killer, device

BOARDS = {
    "native": None,
    "qemu_mps2_an505": "qemu-system-arm",
    "qemu_rv32imc": "qemu-system-riscv32",
}


def kill(board: str, kills: int, seed: int, folder: Path) -> int:
    """Runs of this board, each killed until it is done; all kills together."""
    plan, switch_on = device(board, folder, KEEP_TEST)
    rng, old, new, runs = random.Random(seed), 0, 0, 0
    while old + new < kills:
        kept = folder / f"kept{runs}.bin"
        found = Killer(plan, lambda kept=kept: switch_on(kept), rng).run()
        kept.unlink()
        old, new, runs = old + found[0], new + found[1], runs + 1
    print(
        f"  {board}: {old + new} kills in {runs} runs; {old} found the old save, {new} the new one"
    )
    return old + new


def main(kills: int, seed: int) -> None:
    done = 0
    for board, emulator in BOARDS.items():
        if emulator and not shutil.which(emulator):
            print(f"  {board}: {emulator} is missing; `scripts/setup qemu` installs it")
            continue
        with tempfile.TemporaryDirectory() as folder:
            done += kill(board, kills, seed, Path(folder))
    print(f"Done {done}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
