"""Good inputs for the fuzz targets of the decoders: python corpus_frame.py FOLDER."""

import sys
from pathlib import Path

from corpus_bridge import CALLS

from tinydream.bridge.frame import encode

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, calls in CALLS.items():
        data = b"".join(encode(each.TYPE, i, each.pack()) for i, each in enumerate(calls))
        (folder / name).write_bytes(data)
    (folder / "text").write_bytes(b"boot\r\n" + encode(0xC7, 1, b"hello") + b"panic\r\n\0")
