"""What the host reads from a line or a file, with foreign bytes: python host.py DOOR [-runs=N] ...

Doors: frames (the decoder, and each message's body), reader (a file of the store). Needs atheris
(`pip install 'tinydream[fuzz]'`); what else is given goes to libFuzzer.
"""

import os
import sys
import tempfile
from pathlib import Path
from types import FunctionType

from tinydream.bridge.answer import MESSAGES
from tinydream.bridge.frame import Decoder, Frame, encode
from tinydream.errors import TinydreamError
from tinydream.store import load_store

try:
    import atheris
except ImportError:
    sys.exit("fuzz: atheris is missing; pip install 'tinydream[fuzz]' (Python 3.11 on Linux)")

HEARD = [kind for number, kind in sorted(MESSAGES.items()) if number >= 0x80]
FILE = Path(tempfile.mkdtemp(), "s.tds")


def frames(data: bytes) -> None:
    """Raw bytes to the decoder; and a frame that is whole, with a body of anything."""
    decoder = Decoder()
    items = [*decoder.feed(data[1:]), *decoder.flush()]
    if data:
        kind = HEARD[data[0] % len(HEARD)]
        items += Decoder().feed(encode(kind.TYPE, 0, data[1:201]))
    for item in items:
        if isinstance(item, Frame) and item.type in MESSAGES:
            try:
                MESSAGES[item.type].unpack(item.body)
            except TinydreamError:
                continue


def reader(data: bytes) -> None:
    """A file: opened, counted, and read row by row and as a whole."""
    FILE.write_bytes(data)
    try:
        found = load_store(FILE)
        if len(found) <= 10_000:
            found.arrays()
            _ = found[len(found) - 1] if len(found) else None
    except (TinydreamError, MemoryError):
        return


DOORS = {"frames": frames, "reader": reader}


def instrument() -> None:
    """All functions of tinydream: atheris' own importer would not see an editable install."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] != "tinydream":
            continue
        for each in list(vars(module).values()):
            owned = vars(each).values() if isinstance(each, type) else [each]
            for function in owned:
                function = getattr(function, "__func__", function)
                if isinstance(function, FunctionType) and function.__module__ == name:
                    atheris.instrument_func(function)


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in DOORS:
        sys.exit(f"fuzz: name a door: {', '.join(DOORS)}")
    instrument()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], DOORS[sys.argv[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ["TINYDREAM_THREADS"] = "1"
    main()
