"""Power cuts in random histories of a device: saving.py CUTS SEED."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from saving_double import GEOMETRIES, Cutter


def main(cuts: int, seed: int) -> None:
    done, histories = 0, 0
    while done < cuts:
        cutter = Cutter(seed + histories, GEOMETRIES[histories % len(GEOMETRIES)])
        while cutter.cuts < min(200, cuts - done):
            cutter.step()
        cutter.machine.close()
        done += cutter.cuts
        histories += 1
    print(f"Done {done} cuts in {histories} histories: the old or the new weights each time")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
