"""Power cuts in random histories of a device, for so many seconds: fuzz/saving.py SECONDS SEED."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from saving_double import GEOMETRIES, Cutter


def main(seconds: float, seed: int) -> None:
    end, cuts, histories = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        cutter = Cutter(seed + histories, GEOMETRIES[histories % len(GEOMETRIES)])
        while cutter.cuts < 200 and time.monotonic() < end:
            cutter.step()
        cutter.machine.close()
        cuts += cutter.cuts
        histories += 1
    print(f"{cuts:,} power cuts in {histories} histories: old or new each time")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
